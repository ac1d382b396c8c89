"""What ext directories hold: Linux Documentation/filesystems/ext4/directory.rst.

The index of a large directory is not needed: its nodes look like entries of no inode to whoever
reads on from block to block.
"""

import struct
from collections.abc import Iterable

from drills.images.checksums import crc32c
from drills.images.errors import damaged
from drills.images.ext.inodes import BLOCK_AREA_BYTES, INDEXED
from drills.images.names import Names
from drills.images.volume import Directory, Inode

_ENTRY = struct.Struct("<IHBB")
_HEAD = _ENTRY.size
_TAIL_BYTES, _TAIL = 12, (0, 12, 0, 0xDE)
# Lengths have 16 bits: a block of this size is said otherwise.
_LARGE_BLOCK, _WHOLE_BLOCK = 65536, (0, 0xFFFF)
# Of an index: struct dx_root, dx_node, dx_tail in fs/ext4/namei.c.
_ROOT_COUNT, _NODE_COUNT, _RECORD_BYTES = 32, 8, 8
_SECOND = 12  # where the entry after `.` begins
_INLINE_HEAD = 4


class Listing:
    """The names in one directory, `seed` being that of its blocks' checksums. Raises ImageError."""

    def __init__(self, inode: Inode, typed: bool, seed: int | None) -> None:
        self._names = Names(inode.number, typed)
        self._indexed = bool(inode.flags & INDEXED)
        self._seed = seed

    def blocks(self, blocks: Iterable[bytes]) -> Directory:
        """Of a directory in blocks of its own."""
        for number, block in enumerate(blocks):
            self._check(number, block)
            self._take(block)
        return self._names.finished()

    def inline(self, content: bytes) -> Directory:
        """Of one that lies in its inode: first the parent's number, then entries."""
        self._names.parent = int(struct.unpack_from("<I", content)[0])
        self._take(content[_INLINE_HEAD:BLOCK_AREA_BYTES])
        self._take(content[BLOCK_AREA_BYTES:])
        return self._names.finished()

    def _check(self, number: int, block: bytes) -> None:
        if self._seed is None:
            return
        if self._indexed and _is_index(number, block):
            found = _index_checksum(self._seed, _ROOT_COUNT if number == 0 else _NODE_COUNT, block)
        else:
            found = _leaf_checksum(self._seed, block)
        if not found:
            raise damaged(self._names.where, f"the checksum of its block {number} is wrong")

    def _take(self, block: bytes) -> None:
        at, size = 0, len(block)
        while at < size:
            if at + _HEAD > size:
                raise damaged(self._names.where, "an entry is cut off")
            inode, length, name_length, kind = _ENTRY.unpack_from(block, at)
            if size == _LARGE_BLOCK and length in _WHOLE_BLOCK:
                length = size
            if length < _HEAD + name_length or length % 4 or at + length > size:
                raise damaged(self._names.where, "an entry has no sound length")
            if inode:
                name = block[at + _HEAD : at + _HEAD + name_length]
                self._names.add(name, inode, kind)
            at += length


def _is_index(number: int, block: bytes) -> bool:
    """The root of an index holds `.` and `..`, of which the second fills the block; a node of it
    begins with an entry of no inode that fills it."""
    if number == 0:
        return int(_ENTRY.unpack_from(block, _SECOND)[1]) == len(block) - _SECOND
    inode, length, _, _ = _ENTRY.unpack_from(block)
    return inode == 0 and length in (len(block), *_WHOLE_BLOCK)


def _leaf_checksum(seed: int, block: bytes) -> bool:
    end = len(block) - _TAIL_BYTES
    said = int(struct.unpack_from("<I", block, end + _HEAD)[0])
    return _ENTRY.unpack_from(block, end) == _TAIL and crc32c(seed, block[:end]) == said


def _index_checksum(seed: int, at: int, block: bytes) -> bool:
    """`at`: where it says how many records can follow and do; the checksum comes after the last
    that can, and is of those that do."""
    most, count = struct.unpack_from("<HH", block, at)
    tail = at + most * _RECORD_BYTES
    if count > most or tail + _RECORD_BYTES > len(block):
        return False
    reserved, said = struct.unpack_from("<4sI", block, tail)
    covered = block[: at + count * _RECORD_BYTES] + reserved + bytes(4)
    return crc32c(seed, covered) == int(said)
