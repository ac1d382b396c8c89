"""Where an ext file's blocks lie: trees of extents, or the older lists of blocks.

Sources: Linux Documentation/filesystems/ext4/ifork.rst, fs/ext4/ext4_extents.h.
"""

import functools
import struct
from collections.abc import Iterator

from drills.images.checksums import crc32c
from drills.images.errors import ImageError, damaged
from drills.images.ext.block_list import BlockList, Extent
from drills.images.ext.inodes import BLOCK_AREA, BLOCK_AREA_BYTES, MAPPED, Inodes
from drills.images.ext.superblock import Superblock
from drills.images.source import Metadata
from drills.images.volume import Inode, Run

_HEADER = struct.Struct("<HHHH")
_HEADER_BYTES, _RECORD_BYTES = 12, 12
_MAGIC = 0xF30A
_DEEPEST = 5
_EXTENT, _INDEX = struct.Struct("<IHHI"), struct.Struct("<IIH")
_LONGEST_WRITTEN = 32768


class BlockMap:
    """Of every file of one file system. Raises ImageError."""

    def __init__(self, superblock: Superblock, inodes: Inodes, metadata: Metadata) -> None:
        self._is = superblock
        self._inodes = inodes
        self._metadata = metadata

    def runs(self, inode: Inode) -> Iterator[Run]:
        """Rising, and none over another; what is not written yet is as a hole."""
        area = inode.raw[BLOCK_AREA : BLOCK_AREA + BLOCK_AREA_BYTES]
        if inode.flags & MAPPED:
            found = self._extents(inode, area)
        else:
            found = self._list(inode).extents(area)
        size = self._is.block_size
        for first, count, at in self._sound(inode, found):
            yield Run(first * size, count * size, at * size)

    def _sound(self, inode: Inode, extents: Iterator[Extent]) -> Iterator[Extent]:
        """As many blocks as there are, all of them inside: a loop in a tree cannot last."""
        total, position = 0, 0
        for extent in extents:
            total += extent.blocks
            if extent.first < position or total > self._is.blocks:
                raise _wrong(inode, "the same blocks have two places")
            position = extent.first + extent.blocks
            if not self._is.first_block <= extent.at <= self._is.blocks - extent.blocks:
                raise _wrong(inode, f"block {extent.at} is none of the file system's")
            yield extent

    def _extents(self, inode: Inode, area: bytes) -> Iterator[Extent]:
        depth, records = _node(inode, area, None)
        nodes: Iterator[tuple[int, list[bytes]]] = iter([(depth, records)])
        for level in range(depth, 0, -1):
            nodes = self._below(inode, nodes, level - 1)
        position = 0
        for _, leaf in nodes:
            for record in leaf:
                first, count, high, low = _EXTENT.unpack(record)
                written = count <= _LONGEST_WRITTEN
                count -= 0 if written else _LONGEST_WRITTEN
                # So that a node that is met again ends the walk.
                if first < position or count == 0:
                    raise _wrong(inode, "its extents are out of order")
                position = first + count
                if written:
                    yield Extent(first, count, high << 32 | low)

    def _below(
        self, inode: Inode, nodes: Iterator[tuple[int, list[bytes]]], depth: int
    ) -> Iterator[tuple[int, list[bytes]]]:
        position = -1
        for _, records in nodes:
            for record in records:
                first, low, high = _INDEX.unpack_from(record)
                if first <= position:
                    raise _wrong(inode, "its extent tree is out of order")
                position = first
                yield self._read_node(inode, high << 32 | low, depth)

    def _read_node(self, inode: Inode, block: int, depth: int) -> tuple[int, list[bytes]]:
        content = self._block(inode, block)
        found = _node(inode, content, depth)
        if self._is.checked:
            end = _HEADER_BYTES + _RECORD_BYTES * _HEADER.unpack_from(content)[2]
            said = struct.unpack_from("<I", content, end)[0]
            if crc32c(self._inodes.seed(inode), content[:end]) != said:
                raise _wrong(inode, f"the checksum of the extents in block {block} is wrong")
        return found

    def _list(self, inode: Inode) -> BlockList:
        size = self._is.block_size
        return BlockList(
            _where(inode),
            functools.partial(self._block, inode),
            size,
            -(-inode.size // size),
            self._is.blocks,
        )

    def _block(self, inode: Inode, block: int) -> bytes:
        if not self._is.first_block <= block < self._is.blocks:
            raise _wrong(inode, f"block {block} is none of the file system's")
        size = self._is.block_size
        return self._metadata.read(block * size, size)


def _node(inode: Inode, content: bytes, depth: int | None) -> tuple[int, list[bytes]]:
    """The depth of a node and its records; `depth` as its parent says, None of the root."""
    magic, entries, most, level = _HEADER.unpack_from(content)
    room = (len(content) - _HEADER_BYTES) // _RECORD_BYTES
    if magic != _MAGIC or entries > most or most > room:
        raise _wrong(inode, "its extent tree is not whole")
    if level > _DEEPEST or level != (level if depth is None else depth):
        raise _wrong(inode, "its extent tree has another depth than it says")
    if depth is not None and entries == 0:
        raise _wrong(inode, "its extent tree has an empty node")
    end = _HEADER_BYTES + entries * _RECORD_BYTES
    return level, [
        content[at : at + _RECORD_BYTES] for at in range(_HEADER_BYTES, end, _RECORD_BYTES)
    ]


def _wrong(inode: Inode, what: str) -> ImageError:
    return damaged(_where(inode), what)


def _where(inode: Inode) -> str:
    return f"the block map of inode {inode.number}"
