"""Finds and parses xfs inodes: "XFS Algorithms & Data Structures", On-disk Inode."""

import struct
from typing import NamedTuple

from drills.images.checksums import SEED, crc32c
from drills.images.errors import damaged
from drills.images.source import Metadata
from drills.images.volume import UNKNOWN, Inode, device_of, type_of
from drills.images.xfs.superblock import Superblock

_MAGIC = 0x494E
_HEAD = struct.Struct(">HHBBHIII")
_SIZES = struct.Struct(">QQIIHBBIHHI")
_SIZES_AT, _MODIFIED, _CHANGED, _BIG_EXTENTS = 56, 40, 48, 24
_CHECKSUM, _FLAGS2, _NUMBER, _UUID = 100, 120, 152, 160
_OLD_AREA, _AREA = 100, 176
_CHECKED_VERSION = 3
_BIGTIME, _NREXT64 = 1 << 3, 1 << 4
REALTIME = 1
_BIGTIME_ZERO = 2**31 * 10**9
_LARGEST = 1 << 63
DEVICE, LOCAL, EXTENTS, TREE = range(4)
_FORK_UNIT = 8


class Fork(NamedTuple):
    """Where an inode's data or attributes are: `form` says how `area` is to be read."""

    form: int
    area: bytes
    extents: int


class Inodes:
    """The inodes of one file system. Raises ImageError."""

    def __init__(self, superblock: Superblock, metadata: Metadata) -> None:
        self._is = superblock
        self._metadata = metadata

    def read(self, number: int) -> Inode:
        """One that is in use."""
        where = f"inode {number}"
        at = self._is.place(number >> self._is.inodes_log, 1, where)
        index = number & ((1 << self._is.inodes_log) - 1)
        size = self._is.inode_size
        raw = self._metadata.read(at + index * size, size)
        magic, mode, version, *_ = _HEAD.unpack_from(raw)
        if magic != _MAGIC or (version == _CHECKED_VERSION) != self._is.checked:
            raise damaged(where, "there is no inode")
        if self._is.checked:
            self._check(number, raw, where)
        if mode == 0:
            raise damaged(where, "a directory names it, and it was deleted")
        found = _parsed(self._is, number, raw)
        if found.names == 0:
            raise damaged(where, "a directory names it, and it was deleted")
        if found.type == UNKNOWN:
            raise damaged(where, "its type is none there is")
        if found.size >= _LARGEST:
            raise damaged(where, f"its size is {found.size}")
        return found

    def _check(self, number: int, raw: bytes, where: str) -> None:
        bare = raw[:_CHECKSUM] + bytes(4) + raw[_CHECKSUM + 4 :]
        if crc32c(SEED, bare) ^ SEED != struct.unpack_from("<I", raw, _CHECKSUM)[0]:
            raise damaged(where, "its checksum is wrong")
        mine = raw[_UUID : _UUID + 16] == self._is.metadata
        if struct.unpack_from(">Q", raw, _NUMBER)[0] != number or not mine:
            raise damaged(where, "another inode lies in its place")


def data_fork(inode: Inode) -> Fork:
    """Raises ImageError."""
    return _forks(inode)[0]


def attribute_fork(inode: Inode) -> Fork | None:
    """None of an inode that has no room for attributes. Raises ImageError."""
    return _forks(inode)[1]


def _forks(inode: Inode) -> tuple[Fork, Fork | None]:
    raw = inode.raw
    form = raw[5]
    _, _, _, extents, attribute_extents, offset, attribute_form, *_ = _SIZES.unpack_from(
        raw, _SIZES_AT
    )
    start = _AREA if raw[4] == _CHECKED_VERSION else _OLD_AREA
    if _flags2(raw) & _NREXT64:
        attribute_extents = extents
        extents = int(struct.unpack_from(">Q", raw, _BIG_EXTENTS)[0])
    split = start + offset * _FORK_UNIT
    if not offset:
        return Fork(form, raw[start:], extents), None
    if split >= len(raw):
        raise damaged(f"inode {inode.number}", "its attributes begin outside of it")
    return (
        Fork(form, raw[start:split], extents),
        Fork(attribute_form, raw[split:], attribute_extents),
    )


def _parsed(superblock: Superblock, number: int, raw: bytes) -> Inode:
    _, mode, version, form, old_names, uid, gid, names = _HEAD.unpack_from(raw)
    size, blocks, *_, flags, _ = _SIZES.unpack_from(raw, _SIZES_AT)
    flags2 = _flags2(raw)
    kind = type_of(mode)
    device = ""
    if kind == "device":
        # As System V packed them: sysv_major and sysv_minor in include/linux/kdev_t.h.
        area = _AREA if version == _CHECKED_VERSION else _OLD_AREA
        packed = int(struct.unpack_from(">I", raw, area)[0]) if form == DEVICE else 0
        device = device_of(mode, packed >> 18 & 0x3FFF, packed & 0x3FFFF)
    return Inode(
        number,
        kind,
        mode & 0o7777,
        uid,
        gid,
        size,
        old_names if version == 1 else names,
        _time(raw, _MODIFIED, flags2),
        _time(raw, _CHANGED, flags2),
        blocks << superblock.block_log,
        device,
        flags,
        raw,
    )


def _flags2(raw: bytes) -> int:
    return int(struct.unpack_from(">Q", raw, _FLAGS2)[0]) if raw[4] == _CHECKED_VERSION else 0


def _time(raw: bytes, at: int, flags2: int) -> int:
    if flags2 & _BIGTIME:
        return int(struct.unpack_from(">Q", raw, at)[0]) - _BIGTIME_ZERO
    seconds, rest = struct.unpack_from(">iI", raw, at)
    return int(seconds) * 10**9 + int(rest)
