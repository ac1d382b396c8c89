"""Finds and parses inodes: Linux Documentation/filesystems/ext4/{group_descr,inodes}.rst."""

import struct

from drills.images.checksums import crc32c
from drills.images.errors import damaged, unsupported
from drills.images.ext.superblock import BIT64, HUGE_FILE, LARGEDIR, META_BG, OFFSET, Superblock
from drills.images.source import Metadata
from drills.images.volume import UNKNOWN, Inode, device_of, type_of
from drills.volumes.entry import DIRECTORY, FILE

ROOT = 2
ENCRYPTED, HUGE, INDEXED, MAPPED = 0x800, 0x40000, 0x1000, 0x80000
ATTRIBUTE_VALUE, INLINE = 0x200000, 0x10000000
BLOCK_AREA, BLOCK_AREA_BYTES = 0x28, 60
OLD_SIZE = 128
_SECTOR = 512
_HEAD = struct.Struct("<HHIiiiiHHII")
_TAIL_AT, _TAIL = 0x68, struct.Struct("<IIIHHHH")
_CHECKSUM_LOW, _CHECKSUM_HIGH, _EXTRA_SIZE = 0x7C, 0x82, 0x80
_HAS_CHECKSUM_HIGH = 4
_CHANGED_EXTRA, _MODIFIED_EXTRA = 0x84, 0x88
_LARGEST = 1 << 63


class Inodes:
    """The inodes of one file system. Every method raises ImageError."""

    def __init__(self, superblock: Superblock, metadata: Metadata) -> None:
        self._is = superblock
        self._metadata = metadata
        self._per_block = superblock.block_size // superblock.descriptor_size

    def read(self, number: int) -> Inode:
        """One that is in use."""
        raw = self._raw(number)
        found = _parsed(self._is, number, raw)
        where = f"inode {number}"
        if self._is.checked:
            self._check(number, raw)
        if found.names == 0:
            raise damaged(where, "a directory names it, and it was deleted")
        if found.type == UNKNOWN:
            raise damaged(where, "its type is none there is")
        if not 0 <= found.size < _LARGEST:
            raise damaged(where, f"its size is {found.size}")
        return found

    def seed(self, inode: Inode) -> int:
        """Of the checksums of what belongs to it."""
        return self._seed(inode.number, inode.raw)

    def _seed(self, number: int, raw: bytes) -> int:
        return crc32c(self._is.seed, struct.pack("<I", number) + raw[0x64:0x68])

    def _raw(self, number: int) -> bytes:
        if not 0 < number <= self._is.inodes:
            raise damaged(f"inode {number}", f"the file system has {self._is.inodes}")
        group, index = divmod(number - 1, self._is.inodes_per_group)
        table = self._table(group)
        size = self._is.inode_size
        return self._metadata.read(table * self._is.block_size + index * size, size)

    def _table(self, group: int) -> int:
        """The first block of a group's inodes."""
        raw = self._metadata.read(self._descriptor_at(group), self._is.descriptor_size)
        if self._is.checked:
            bare = raw[:0x1E] + bytes(2) + raw[0x20:]
            found = crc32c(crc32c(self._is.seed, struct.pack("<I", group)), bare) & 0xFFFF
            if found != struct.unpack_from("<H", raw, 0x1E)[0]:
                raise damaged(f"the descriptor of block group {group}", "its checksum is wrong")
        table = int(struct.unpack_from("<I", raw, 0x8)[0])
        if self._is.incompatible & BIT64:
            table |= int(struct.unpack_from("<I", raw, 0x28)[0]) << 32
        if not self._is.first_block <= table < self._is.blocks:
            raise damaged(
                f"the descriptor of block group {group}", f"its inodes begin at block {table}"
            )
        return table

    def _descriptor_at(self, group: int) -> int:
        """Where a descriptor lies; with META_BG each block of them in the groups it is about."""
        block, index = divmod(group, self._per_block)
        at = OFFSET // self._is.block_size + 1 + block
        if self._is.incompatible & META_BG and block >= self._is.first_meta_group:
            home = block * self._per_block
            at = self._is.first_block + home * self._is.blocks_per_group + self._has_super(home)
            # With clusters of blocks of 1 KiB the superblock of the first group is in block 1.
            at = max(at, OFFSET // self._is.block_size + 1)
        return at * self._is.block_size + index * self._is.descriptor_size

    def _has_super(self, group: int) -> bool:
        if group == 0 or group in self._is.backup_groups:
            return True
        if any(self._is.backup_groups):
            return False
        return (
            not self._is.sparse_super or group == 1 or any(_is_power(group, n) for n in (3, 5, 7))
        )

    def _check(self, number: int, raw: bytes) -> None:
        high = _extra_size(raw) >= _HAS_CHECKSUM_HIGH
        bare = raw[:_CHECKSUM_LOW] + bytes(2) + raw[_CHECKSUM_LOW + 2 :]
        said = struct.unpack_from("<H", raw, _CHECKSUM_LOW)[0]
        if high:
            bare = bare[:_CHECKSUM_HIGH] + bytes(2) + bare[_CHECKSUM_HIGH + 2 :]
            said |= struct.unpack_from("<H", raw, _CHECKSUM_HIGH)[0] << 16
        found = crc32c(self._seed(number, raw), bare)
        if said != (found if high else found & 0xFFFF):
            raise damaged(f"inode {number}", "its checksum is wrong")


def refuse_encrypted(inode: Inode) -> None:
    """Raises ImageError."""
    if inode.flags & ENCRYPTED:
        raise unsupported(f"inode {inode.number}", "it is encrypted by the file system")


def _parsed(superblock: Superblock, number: int, raw: bytes) -> Inode:
    mode, uid, size, _, changed, modified, _, gid, names, blocks, flags = _HEAD.unpack_from(raw)
    _, size_high, _, blocks_high, _, uid_high, gid_high = _TAIL.unpack_from(raw, _TAIL_AT)
    kind = type_of(mode)
    if kind == FILE or (kind == DIRECTORY and superblock.incompatible & LARGEDIR):
        size |= size_high << 32
    unit = _SECTOR
    if superblock.read_only & HUGE_FILE:
        blocks |= blocks_high << 32
        unit = superblock.block_size if flags & HUGE else _SECTOR
    allocated = blocks * unit
    if flags & INLINE:
        # fs/ext4/inode.c ext4_getattr, so that nobody takes such a file for a hole.
        allocated += -(-size // _SECTOR) * _SECTOR
    return Inode(
        number,
        kind,
        mode & 0o7777,
        uid | uid_high << 16,
        gid | gid_high << 16,
        size,
        names,
        _time(modified, raw, _MODIFIED_EXTRA),
        _time(changed, raw, _CHANGED_EXTRA),
        allocated,
        _device(mode, raw) if kind == "device" else "",
        flags,
        raw,
    )


def _time(seconds: int, raw: bytes, at: int) -> int:
    """Two bits more of seconds, and nanoseconds, where the inode has room for them `at`."""
    extra = 0
    if OLD_SIZE + _extra_size(raw) >= at + 4:
        extra = int(struct.unpack_from("<I", raw, at)[0])
    return (seconds + ((extra & 3) << 32)) * 10**9 + (extra >> 2)


def _device(mode: int, raw: bytes) -> str:
    """In the old form, or in the new one behind it (include/linux/kdev_t.h)."""
    old, new = struct.unpack_from("<II", raw, BLOCK_AREA)
    if old:
        return device_of(mode, old >> 8 & 0xFF, old & 0xFF)
    return device_of(mode, (new & 0xFFF00) >> 8, new & 0xFF | new >> 12 & 0xFFF00)


def _extra_size(raw: bytes) -> int:
    if len(raw) <= OLD_SIZE:
        return 0
    return int(struct.unpack_from("<H", raw, _EXTRA_SIZE)[0])


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1
