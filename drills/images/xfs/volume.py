"""An xfs file system as the walk needs it."""

from collections.abc import Iterator, Mapping

from drills.images.errors import damaged, unsupported
from drills.images.recognise import Kind
from drills.images.source import Metadata, Source
from drills.images.volume import Directory, Inode, Run
from drills.images.xfs.attributes import Attributes
from drills.images.xfs.block_map import BlockMap
from drills.images.xfs.blocks import REMOTE, check_block
from drills.images.xfs.directories import INDEX_OFFSET, in_blocks, in_inode
from drills.images.xfs.inodes import LOCAL, Inodes, data_fork
from drills.images.xfs.log_replay import replay
from drills.images.xfs.superblock import LARGEST_SECTOR, Superblock, parse

_LONGEST_RUN = 64 << 10
_LONGEST_TARGET = 1024  # XFS_SYMLINK_MAXLEN
_TARGET_HEAD, _TARGET_MAGIC = 56, b"XSLM"


class XfsVolume:
    """Raises ImageError, and what the source raises."""

    kind = Kind.XFS

    def __init__(self, source: Source) -> None:
        superblock = _superblock(source)
        source, count, *_ = replay(source, superblock)
        superblock = _superblock(source)
        self.unfinished = f"{count} transactions of its log" if count else ""
        self.version = f"xfs {superblock.version}"
        self.uuid, self.label = superblock.uuid, superblock.label
        self.source = source
        self.root = superblock.root
        self.shares = superblock.shares
        self._is = superblock
        self._metadata = Metadata(source)
        self._inodes = Inodes(superblock, self._metadata)
        self._map = BlockMap(superblock, self._metadata)
        self._attributes = Attributes(superblock, self._metadata, self._map)

    def inode(self, number: int) -> Inode:
        return self._inodes.read(number)

    def directory(self, inode: Inode) -> Directory:
        fork = data_fork(inode)
        if fork.form == LOCAL:
            return in_inode(inode, fork.area, self._is.typed)
        return in_blocks(self._is, inode, self._blocks(inode))

    def held(self, inode: Inode) -> bytes | None:
        del inode
        return None  # only directories, symlinks and attributes ever lie in their inode

    def runs(self, inode: Inode) -> Iterator[Run]:
        return self._map.runs(inode, data_fork(inode))

    def target(self, inode: Inode) -> bytes:
        where = f"symlink inode {inode.number}"
        if not 0 < inode.size <= _LONGEST_TARGET:
            raise damaged(where, f"its target is of {inode.size} bytes")
        fork = data_fork(inode)
        target = fork.area[: inode.size] if fork.form == LOCAL else self._target(inode, where)
        if len(target) != inode.size or b"\0" in target:
            raise damaged(where, "its target is not whole")
        return target

    def attributes(self, inode: Inode) -> Mapping[bytes, bytes]:
        return self._attributes.told(inode)

    def _target(self, inode: Inode, where: str) -> bytes:
        """One in blocks, each run of which has a header since version 5."""
        found = b""
        for run in self.runs(inode):
            if len(found) >= inode.size or run.length > _LONGEST_RUN:
                break
            content = self._metadata.read(run.at, run.length)
            if self._is.checked:
                if content[:4] != _TARGET_MAGIC:
                    raise damaged(where, "its target is not whole")
                check_block(self._is, REMOTE, content, at=run.at, owner=inode.number, where=where)
                content = content[_TARGET_HEAD:]
            found += content[: inode.size - len(found)]
        return found

    def _blocks(self, inode: Inode) -> Iterator[tuple[int, bytes]]:
        """Those of a directory that hold entries; one may lie in several places."""
        size, where = self._is.directory_block, f"directory inode {inode.number}"
        if inode.size > INDEX_OFFSET:
            raise unsupported(where, f"its size is {inode.size}")
        first, content = 0, b""
        for run in self.runs(inode):
            if run.offset >= INDEX_OFFSET:
                break
            for offset in range(0, run.length, self._is.block_size):
                if not content:
                    first = run.at + offset
                if (run.offset + offset) % size != len(content):
                    raise damaged(where, "one of its blocks is not whole")
                content += self._metadata.read(run.at + offset, self._is.block_size)
                if len(content) == size:
                    yield first, content
                    content = b""
        if content:
            raise damaged(where, "one of its blocks is not whole")


def _superblock(source: Source) -> Superblock:
    found = parse(source.read(0, LARGEST_SECTOR))
    needed = found.blocks << found.block_log
    if needed > source.size:
        raise damaged(
            "the image", f"its file system is of {needed} bytes, and the image of {source.size}"
        )
    return found
