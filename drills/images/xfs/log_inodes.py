"""Inodes out of an xfs log: kept there in the order of bytes of the host that wrote them.

Sources: libxfs/xfs_log_format.h, fs/xfs/xfs_inode_item_recover.c, fs/xfs/xfs_icreate_item.c.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from drills.images.errors import ImageError, damaged, unsupported
from drills.images.xfs.log_records import WHERE
from drills.images.xfs.log_transactions import Item
from drills.images.xfs.superblock import SECTOR, Superblock

MAGIC = b"IN"
CHECKSUM_AT = 100
_NEXT_UNLINKED, _NOWHERE = 96, 0xFFFFFFFF
_FORMAT, _FORMAT_32 = "HHIHHIQI12xqii", "HHIHHQI12xqii"
_DATA, _DATA_TREE, _DEVICE = 0x2 | 0x4, 0x8, 0x10
_ATTRIBUTES, _ATTRIBUTE_TREE = 0x40 | 0x80, 0x100
_OWNERS = 0x200 | 0x400
_DATA_FORK = _DATA | _DATA_TREE
_FORK_AT, _FLAGS2_AT, _BIGTIME = 82, 120, 8
_CHANGES_AT, _REST_AT = 104, 120
_AREA, _OLD_AREA, _OLD_VERSION = 176, 100, 2
_TREE_HEAD, _OLD_TREE_HEAD, _ROOT_HEAD = 72, 24, 4
_KEY, _PAIR = 8, 16


class Place(NamedTuple):
    """Of an inode: the buffer it lies in, in sectors, and where in the image, in bytes."""

    buffer: int
    sectors: int
    offset: int


class Logged:
    """One inode item. Raises ImageError."""

    def __init__(self, item: Item) -> None:
        first = item.regions[0]
        # Some 32-bit hosts do not pad the number to eight bytes.
        form = item.order + (
            _FORMAT if len(first) >= struct.calcsize("<" + _FORMAT) else _FORMAT_32
        )
        try:
            _, _, self._fields, *_, self._device, buffer, sectors, at = struct.unpack_from(
                form, first
            )
            self._core = item.regions[1]
        except (struct.error, IndexError):
            raise _odd() from None
        self._item = item
        self.place = Place(buffer, sectors, buffer * SECTOR + at)

    def applied(self, superblock: Superblock, raw: bytes) -> bytes:
        """The inode as it will be; `raw`: as it is."""
        if raw[:2] != MAGIC or len(self._core) < _NEXT_UNLINKED:
            raise _odd()
        if self._fields & _OWNERS:
            raise unsupported(WHERE, "an exchange of contents is under way")
        found = bytearray(raw)
        old = self._core[4] <= _OLD_VERSION
        self._put_core(found, old)
        start = _OLD_AREA if old else _AREA
        split = start + found[_FORK_AT] * 8 if found[_FORK_AT] else len(found)
        if split > len(found):
            raise _odd()
        if self._fields & _DEVICE:
            found[start : start + 4] = struct.pack(">I", self._device)
        regions = iter(self._item.regions[2:])
        head = _OLD_TREE_HEAD if superblock.version == 4 else _TREE_HEAD  # noqa: PLR2004
        if self._fields & _DATA_FORK:
            tree = bool(self._fields & _DATA_TREE)
            _put_fork(found, start, split, _fork(next(regions, b""), head, split - start, tree))
        if self._fields & (_ATTRIBUTES | _ATTRIBUTE_TREE):
            tree, end = bool(self._fields & _ATTRIBUTE_TREE), len(found)
            _put_fork(found, split, end, _fork(next(regions, b""), head, end - split, tree))
        return bytes(found)

    def _put_core(self, found: bytearray, old: bool) -> None:
        order, core = self._item.order, self._core
        if not old and len(core) < _AREA:
            raise _odd()
        flags2 = 0 if old else int(struct.unpack_from(f"{order}Q", core, _FLAGS2_AT)[0])
        time = "Q" if flags2 & _BIGTIME else "iI"
        form = f"HHBBHIIIHHQ{time}{time}{time}QQIIHBBIHHI"
        found[:_NEXT_UNLINKED] = struct.pack(f">{form}", *struct.unpack_from(order + form, core))
        if old:
            # How often it was written home, which a replay begins anew.
            found[24:32] = bytes(8)
            return
        # Neither the next unlinked one, nor the checksum and the time of writing between these.
        for at, form in ((_CHANGES_AT, "Q"), (_REST_AT, f"QI12s{time}Q16s")):
            values = struct.unpack_from(order + form, core, at)
            found[at : at + struct.calcsize("<" + form)] = struct.pack(f">{form}", *values)


def _fork(region: bytes, head: int, room: int, tree: bool) -> bytes:
    """What is to stand in a fork: of a tree the root, which is shorter there than in memory."""
    if not tree:
        return region
    if len(region) < head:
        raise _odd()
    level, count = struct.unpack_from(">HH", region, 4)
    here, there = (len(region) - head) // _PAIR, (room - _ROOT_HEAD) // _PAIR
    if count > min(here, there):
        raise _odd()
    keys = region[head : head + count * _KEY]
    pointers = region[head + here * _KEY :][: count * _KEY]
    return (struct.pack(">HH", level, count) + keys).ljust(
        _ROOT_HEAD + there * _KEY, b"\0"
    ) + pointers


def _put_fork(found: bytearray, start: int, end: int, content: bytes) -> None:
    if len(content) > end - start:
        raise _odd()
    found[start : start + len(content)] = content


class NewInodes(NamedTuple):
    """Inodes that were made and not used yet: where they lie in the image, and their content."""

    offset: int
    length: int
    inodes: Iterator[bytes]


def new_inodes(superblock: Superblock, item: Item) -> NewInodes:
    """Raises ImageError."""
    try:
        _, _, group, block, count, size, length, generation = struct.unpack_from(
            ">HHIIIIII", item.regions[0]
        )
    except struct.error:
        raise _odd() from None
    if size != superblock.inode_size or count * size != length << superblock.block_log:
        raise _odd()
    number = group << superblock.group_log | block
    offset = superblock.place(number, length, WHERE)
    first = number << superblock.inodes_log
    inodes = (_empty(superblock, first + index, generation) for index in range(count))
    return NewInodes(offset, count * size, inodes)


def _empty(superblock: Superblock, number: int, generation: int) -> bytes:
    raw = bytearray(superblock.inode_size)
    raw[:2], raw[4] = MAGIC, 3
    struct.pack_into(">II", raw, 92, generation, _NOWHERE)
    struct.pack_into(">Q", raw, 152, number)
    raw[160:176] = superblock.metadata
    return bytes(raw)


def _odd() -> ImageError:
    return damaged(WHERE, "an inode in it is not whole")
