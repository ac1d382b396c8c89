"""What xfs directories hold: "XFS Algorithms & Data Structures", Directories.

The hashed index behind the entries is not needed by whoever reads all of them.
"""

import struct
from collections.abc import Iterable

from drills.images.errors import damaged
from drills.images.names import Names
from drills.images.volume import Directory, Inode
from drills.images.xfs.blocks import DIRECTORY, check_block
from drills.images.xfs.superblock import Superblock

INDEX_OFFSET = 1 << 35
"""From here on a directory holds its index."""
_SINGLE, _DATA = (b"XD2B", b"XDB3"), (b"XD2D", b"XDD3")
_HEAD_BYTES, _CHECKED_HEAD_BYTES = 16, 64
_TAIL, _LEAF_BYTES = struct.Struct(">II"), 8
_FREE = 0xFFFF
_UNUSED = struct.Struct(">HH")
_ENTRY, _TAG = struct.Struct(">QB"), struct.Struct(">H")
_UNIT = 8
_SMALL, _WIDE_SMALL = struct.Struct(">BBI"), struct.Struct(">BBQ")
_SMALL_ENTRY_HEAD = 3


def in_inode(inode: Inode, area: bytes, typed: bool) -> Directory:
    """The names in a directory that lies in its inode. Raises ImageError."""
    names = Names(inode.number, typed)
    if inode.size > len(area) or inode.size < _SMALL.size:
        raise damaged(names.where, f"its size is {inode.size}")
    area = area[: inode.size]
    head = _WIDE_SMALL if area[1] else _SMALL
    width = head.size - 2
    if len(area) < head.size:
        raise damaged(names.where, "its beginning is cut off")
    count, _, names.parent = head.unpack_from(area)
    at = head.size
    for _ in range(area[1] or count):
        end = at + _SMALL_ENTRY_HEAD + (area[at] if at < len(area) else 0)
        stop = end + typed + width
        if stop > len(area):
            raise damaged(names.where, "an entry is cut off")
        name = area[at + _SMALL_ENTRY_HEAD : end]
        number = int.from_bytes(area[end + typed : stop])
        names.add(name, number, area[end] if typed else 0)
        at = stop
    return names.finished()


def in_blocks(
    superblock: Superblock, inode: Inode, blocks: Iterable[tuple[int, bytes]]
) -> Directory:
    """The names in a directory that has `blocks` (place in the image, content) of its own, without
    those of its index. Raises ImageError."""
    names = Names(inode.number, superblock.typed)
    for at, content in blocks:
        magic = content[:4]
        if magic not in (_SINGLE[superblock.checked], _DATA[superblock.checked]):
            raise damaged(names.where, f"the block at byte {at} holds something else")
        check_block(superblock, DIRECTORY, content, at=at, owner=inode.number, where=names.where)
        end = len(content)
        if magic in _SINGLE:
            end -= _TAIL.size
            end -= _LEAF_BYTES * int(_TAIL.unpack_from(content, end)[0])
        _take(content, _CHECKED_HEAD_BYTES if superblock.checked else _HEAD_BYTES, end, names)
    return names.finished()


def _take(content: bytes, at: int, end: int, names: Names) -> None:
    typed = names.typed
    while at < end:
        if end - at < _UNIT:
            raise damaged(names.where, "an entry is cut off")
        mark, length = _UNUSED.unpack_from(content, at)
        if mark != _FREE:
            inode, name_length = _ENTRY.unpack_from(content, at)
            name_end = at + _ENTRY.size + name_length
            length = -(-(name_end + typed + _TAG.size - at) // _UNIT) * _UNIT
        if length < _UNIT or length % _UNIT or at + length > end:
            raise damaged(names.where, "an entry has no sound length")
        if _TAG.unpack_from(content, at + length - _TAG.size)[0] != at:
            raise damaged(names.where, "an entry lies where it does not belong")
        if mark != _FREE:
            name = content[at + _ENTRY.size : name_end]
            names.add(name, inode, content[name_end] if typed else 0)
        at += length
