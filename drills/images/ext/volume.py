"""An ext2, ext3 or ext4 file system as the walk needs it."""

from collections.abc import Iterator, Mapping

from drills.images.errors import damaged, unsupported
from drills.images.ext.attributes import Attributes
from drills.images.ext.block_map import BlockMap
from drills.images.ext.directories import Listing
from drills.images.ext.inodes import (
    ATTRIBUTE_VALUE,
    BLOCK_AREA,
    BLOCK_AREA_BYTES,
    INLINE,
    MAPPED,
    ROOT,
    Inodes,
    refuse_encrypted,
)
from drills.images.ext.journal import replay
from drills.images.ext.journal_blocks import JournalBlocks
from drills.images.ext.superblock import FILETYPE, OFFSET, RECOVER, SIZE, Superblock, parse
from drills.images.recognise import Kind
from drills.images.source import Metadata, Source
from drills.images.volume import Directory, Inode, Run
from drills.volumes.entry import FILE

_PIECE_BYTES = 1 << 20
_LONGEST_TARGET = 4096  # PATH_MAX
_LARGEST_DIRECTORY = 4 << 30


class ExtVolume:
    """Raises ImageError, and what the source raises."""

    kind = Kind.EXT
    root = ROOT
    shares = False

    def __init__(self, source: Source) -> None:
        superblock = _superblock(source)
        self.unfinished = ""
        if superblock.incompatible & RECOVER:
            if not superblock.journal_inode:
                raise unsupported("this ext file system", "its journal lies in another device")
            journal = _journal(source, superblock)
            source, count = replay(source, journal, superblock.blocks)
            superblock = _superblock(source)
            if count:
                self.unfinished = f"{count} transactions of its journal"
        self.version, self.uuid, self.label = superblock.version, superblock.uuid, superblock.label
        self.source = source
        self._is = superblock
        self._metadata = Metadata(source)
        self._inodes = Inodes(superblock, self._metadata)
        self._map = BlockMap(superblock, self._inodes, self._metadata)
        self._attributes = Attributes(superblock, self._metadata, self._value)

    def inode(self, number: int) -> Inode:
        if number != ROOT and number < self._is.first_inode:
            raise damaged(f"inode {number}", "a directory names it, and it is the file system's")
        return self._inodes.read(number)

    def directory(self, inode: Inode) -> Directory:
        refuse_encrypted(inode)
        seed = self._inodes.seed(inode) if self._is.checked else None
        listing = Listing(inode, bool(self._is.incompatible & FILETYPE), seed)
        content = self.held(inode)
        if content is not None:
            return listing.inline(content)
        return listing.blocks(self._blocks(inode))

    def held(self, inode: Inode) -> bytes | None:
        refuse_encrypted(inode)
        if not inode.flags & INLINE:
            return None
        area = inode.raw[BLOCK_AREA : BLOCK_AREA + BLOCK_AREA_BYTES]
        content = area + self._attributes.inline(inode)
        if inode.type == FILE and inode.size > len(content):
            raise damaged(f"inode {inode.number}", "its content is not whole")
        return content[: inode.size] if inode.type == FILE else content

    def runs(self, inode: Inode) -> Iterator[Run]:
        refuse_encrypted(inode)
        return self._map.runs(inode)

    def target(self, inode: Inode) -> bytes:
        refuse_encrypted(inode)
        if not 0 < inode.size <= _LONGEST_TARGET:
            raise damaged(f"symlink inode {inode.number}", f"its target is of {inode.size} bytes")
        content = self.held(inode)
        if content is None and inode.size < BLOCK_AREA_BYTES and not inode.flags & MAPPED:
            content = inode.raw[BLOCK_AREA : BLOCK_AREA + BLOCK_AREA_BYTES]
        if content is None:
            content = self._whole(inode, inode.size)
        target = content[: inode.size]
        if len(target) != inode.size or b"\0" in target:
            raise damaged(f"symlink inode {inode.number}", "its target is not whole")
        return target

    def attributes(self, inode: Inode) -> Mapping[bytes, bytes]:
        return self._attributes.told(inode)

    def _blocks(self, inode: Inode) -> Iterator[bytes]:
        """Of a directory, which has no holes."""
        size, position = self._is.block_size, 0
        where = f"directory inode {inode.number}"
        if inode.size % size or not 0 < inode.size <= _LARGEST_DIRECTORY:
            raise damaged(where, f"its size is {inode.size}")
        for run in self._map.runs(inode):
            if run.offset != position:
                raise damaged(where, "it has a hole")
            position += run.length
            for at in range(run.at, run.at + run.length, _PIECE_BYTES):
                length = min(_PIECE_BYTES, run.at + run.length - at)
                piece = self._metadata.read(at, length)
                yield from (piece[start : start + size] for start in range(0, length, size))
        if position < inode.size:
            raise damaged(where, "its end is missing")

    def _whole(self, inode: Inode, size: int) -> bytes:
        """A small content in blocks."""
        found = bytearray(size)
        for run in self._map.runs(inode):
            length = min(run.length, size - run.offset)
            if length > 0:
                found[run.offset : run.offset + length] = self._metadata.read(run.at, length)
        return bytes(found)

    def _value(self, number: int, size: int) -> bytes:
        """Of an extended attribute that has an inode of its own."""
        inode = self._inodes.read(number)
        if not inode.flags & ATTRIBUTE_VALUE or inode.size != size:
            raise damaged(f"inode {number}", "it holds no value of an extended attribute")
        return self._whole(inode, size)


def _superblock(source: Source) -> Superblock:
    found = parse(source.read(OFFSET, SIZE))
    needed = found.blocks * found.block_size
    if needed > source.size:
        raise damaged(
            "the image", f"its file system is of {needed} bytes, and the image of {source.size}"
        )
    return found


def _journal(source: Source, superblock: Superblock) -> JournalBlocks:
    """As it lies there: nothing can be read past a journal that needs another one."""
    metadata = Metadata(source)
    inodes = Inodes(superblock, metadata)
    inode = inodes.read(superblock.journal_inode)
    runs = list(BlockMap(superblock, inodes, metadata).runs(inode))
    return JournalBlocks(metadata, runs, superblock.block_size)
