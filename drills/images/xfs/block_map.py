"""Where the blocks of an xfs fork lie: a list of extents in the inode, or a tree of them.

Source: "XFS Algorithms & Data Structures", Data Extents.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from drills.images.errors import ImageError, damaged, unsupported
from drills.images.source import Metadata
from drills.images.volume import Inode, Run
from drills.images.xfs.blocks import TREE as TREE_LAYOUT
from drills.images.xfs.blocks import check_block
from drills.images.xfs.inodes import EXTENTS, REALTIME, TREE, Fork
from drills.images.xfs.superblock import Superblock

_RECORD = struct.Struct(">QQ")
_ROOT_HEAD, _HEAD = struct.Struct(">HH"), struct.Struct(">4sHH")
_NODE_BYTES, _CHECKED_NODE_BYTES = 24, 72
_MAGIC, _CHECKED_MAGIC = b"BMAP", b"BMA3"
_KEY_BYTES, _PAIR_BYTES = 8, 16
_DEEPEST = 16


class _Extent(NamedTuple):
    first: int
    blocks: int
    at: int
    written: bool


class BlockMap:
    """Of every fork of one file system. Raises ImageError."""

    def __init__(self, superblock: Superblock, metadata: Metadata) -> None:
        self._is = superblock
        self._metadata = metadata

    def runs(self, inode: Inode, fork: Fork) -> Iterator[Run]:
        """Rising, and none over another; what is not written yet is as a hole."""
        where = f"the block map of inode {inode.number}"
        if inode.flags & REALTIME:
            raise unsupported(where, "its data lie in the realtime device")
        position = total = 0
        log = self._is.block_log
        for extent in self._extents(inode, fork, where):
            if extent.first < position or extent.blocks == 0:
                raise damaged(where, "its extents are out of order")
            position = extent.first + extent.blocks
            total += extent.blocks
            if total > self._is.blocks and not self._is.shares:
                raise damaged(where, "it has more blocks than there are")
            at = self._is.place(extent.at, extent.blocks, where)
            if extent.written:
                yield Run(extent.first << log, extent.blocks << log, at)

    def _extents(self, inode: Inode, fork: Fork, where: str) -> Iterator[_Extent]:
        if fork.form == EXTENTS:
            if fork.extents * _RECORD.size > len(fork.area):
                raise damaged(where, f"its {fork.extents} extents have no room")
            yield from _records(fork.area[: fork.extents * _RECORD.size])
            return
        if fork.form != TREE:
            raise damaged(where, "it is of a form that such an inode cannot have")
        level, count = _ROOT_HEAD.unpack_from(fork.area)
        if not 0 < level < _DEEPEST:
            raise damaged(where, f"its tree has {level} levels")
        room = (len(fork.area) - _ROOT_HEAD.size) // _PAIR_BYTES
        children = _children(fork.area, _ROOT_HEAD.size, count, room, where)
        for below in range(level - 1, 0, -1):
            children = self._descended(inode, children, below, where)
        for block in children:
            content, count = self._node(inode, block, 0, where)
            yield from _records(content[: count * _RECORD.size])

    def _descended(
        self, inode: Inode, blocks: Iterator[int], level: int, where: str
    ) -> Iterator[int]:
        for block in blocks:
            content, count = self._node(inode, block, level, where)
            yield from _children(content, 0, count, len(content) // _PAIR_BYTES, where)

    def _node(self, inode: Inode, block: int, level: int, where: str) -> tuple[bytes, int]:
        """What follows the header of a node, and how many records there are in it."""
        at = self._is.place(block, 1, where)
        content = self._metadata.read(at, self._is.block_size)
        magic, said, count = _HEAD.unpack_from(content)
        head = _CHECKED_NODE_BYTES if self._is.checked else _NODE_BYTES
        if magic != (_CHECKED_MAGIC if self._is.checked else _MAGIC) or said != level:
            raise damaged(where, f"block {block} holds something else")
        check_block(self._is, TREE_LAYOUT, content, at=at, owner=inode.number, where=where)
        # An empty node, met again and again, would be a walk without end.
        if not 0 < count <= (len(content) - head) // _PAIR_BYTES:
            raise damaged(where, f"block {block} holds {count} records")
        return content[head:], count


def _records(area: bytes) -> Iterator[_Extent]:
    """Of 128 bits: not written 1, first block of the file 54, first of the image 52, blocks 21."""
    for high, low in _RECORD.iter_unpack(area):
        yield _Extent(
            high >> 9 & (1 << 54) - 1,
            low & (1 << 21) - 1,
            (high & (1 << 9) - 1) << 43 | low >> 21,
            not high >> 63,
        )


def _children(area: bytes, head: int, count: int, room: int, where: str) -> Iterator[int]:
    """The pointers behind the room for keys; the keys have to rise."""
    if not 0 < count <= room:
        raise _odd(where, count)
    last = -1
    for index in range(count):
        key = int(struct.unpack_from(">Q", area, head + index * _KEY_BYTES)[0])
        if key <= last:
            raise damaged(where, "its tree is out of order")
        last = key
        yield int(struct.unpack_from(">Q", area, head + (room + index) * _KEY_BYTES)[0])


def _odd(where: str, count: int) -> ImageError:
    return damaged(where, f"a node of its tree has {count} records")
