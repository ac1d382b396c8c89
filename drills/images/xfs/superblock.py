"""The superblock of xfs: "XFS Algorithms & Data Structures", Superblocks; libxfs/xfs_format.h."""

import struct
import uuid
from dataclasses import dataclass

from drills.images.checksums import SEED, crc32c
from drills.images.errors import damaged, unsupported

MAGIC = b"XFSB"
WHERE = "the xfs superblock"
SECTOR = 512
"""What block numbers inside metadata, and in the log, count."""
LARGEST_SECTOR = 32 << 10
_LEAST_BYTES = 264
_HEAD = struct.Struct(">4sIQQQ16sQQ")
_GROUPS = struct.Struct(">II")
_VERSION = struct.Struct(">HHHH12sBBBBB")
_LOG = struct.Struct(">BBHII")
_CHECKSUM, _META_UUID = 224, 248
_VERSIONS, _VERSION_BITS = (4, 5), 0xF
_DIRECTORIES_2 = 0x2000
_FILE_TYPES_V4 = 0x200
_FTYPE, _SPINODES, _META_UUID_USED, BIGTIME, _NEEDS_REPAIR, _NREXT64 = 1, 2, 4, 8, 0x10, 0x20
_EXCHANGE, _PARENTS = 0x40, 0x80
_READ = _FTYPE | _SPINODES | _META_UUID_USED | BIGTIME | _NREXT64 | _EXCHANGE | _PARENTS
_REFLINK = 4
_BLOCK_LOGS, _INODE_LOGS, _SECTOR_LOGS = range(9, 17), range(8, 12), range(9, 16)
_GROUP_LOGS = range(32)
_LARGEST_DIRECTORY_BLOCK_LOG = 16


@dataclass(frozen=True)
class Superblock:
    """Sizes in bytes, `blocks`, `group_blocks`, `log_blocks` in numbers of blocks.

    `log_start` is a number as `place` takes it, 0 of a log in another device. `metadata`: the uuid
    that every block of metadata bears. `shares`: files may share blocks.
    """

    version: int
    block_size: int
    block_log: int
    blocks: int
    group_blocks: int
    group_log: int
    groups: int
    sector_size: int
    inode_size: int
    inodes_log: int
    directory_block: int
    root: int
    log_start: int
    log_blocks: int
    uuid: str
    metadata: bytes
    label: str
    typed: bool
    shares: bool

    @property
    def checked(self) -> bool:
        """Whether metadata have checksums."""
        return self.version == max(_VERSIONS)

    def place(self, number: int, count: int, where: str) -> int:
        """Where blocks lie in the image, of which the first has a number with its group in the
        upper bits. Raises ImageError for one that there is not."""
        group, block = number >> self.group_log, number & ((1 << self.group_log) - 1)
        first = group * self.group_blocks + block
        if group >= self.groups or block + count > self.group_blocks or first + count > self.blocks:
            raise damaged(where, f"block {number} is none of the file system's")
        return first << self.block_log


def parse(raw: bytes) -> Superblock:
    """The superblock in the first sector, or more. Raises ImageError."""
    if len(raw) < _LEAST_BYTES or raw[:4] != MAGIC:
        raise damaged(WHERE, "its magic number is missing")
    version, sector, inode_size, _, label, block_log, sector_log, inode_log, _, group_log = (
        _VERSION.unpack_from(raw, 100)
    )
    logs = (block_log in _BLOCK_LOGS, sector_log in _SECTOR_LOGS, inode_log in _INODE_LOGS)
    if not all(logs) or 1 << sector_log != sector or 1 << inode_log != inode_size:
        raise damaged(WHERE, "the sizes that it names contradict each other")
    checked = version & _VERSION_BITS == max(_VERSIONS)
    _check_version(raw, version)
    if checked:
        _check_sum(raw[:sector], sector)
    _, block_size, blocks, _, _, own_uuid, log_start, root = _HEAD.unpack_from(raw)
    group_blocks, groups = _GROUPS.unpack_from(raw, 84)
    directory_log, _, _, _, features2 = _LOG.unpack_from(raw, 192)
    incompatible = _u32(raw, 216) if checked else 0
    found = Superblock(
        version=version & _VERSION_BITS,
        block_size=block_size,
        block_log=block_log,
        blocks=blocks,
        group_blocks=group_blocks,
        group_log=group_log,
        groups=groups,
        sector_size=sector,
        inode_size=inode_size,
        inodes_log=block_log - inode_log,
        directory_block=block_size << min(directory_log, _LARGEST_DIRECTORY_BLOCK_LOG),
        root=root,
        log_start=log_start,
        log_blocks=_u32(raw, 96),
        uuid=str(uuid.UUID(bytes=own_uuid)),
        metadata=raw[_META_UUID : _META_UUID + 16] if incompatible & _META_UUID_USED else own_uuid,
        label=label.split(b"\0")[0].decode("utf-8", "backslashreplace"),
        typed=bool(incompatible & _FTYPE if checked else features2 & _FILE_TYPES_V4),
        shares=checked and bool(_u32(raw, 212) & _REFLINK),
    )
    _check_sizes(found)
    return found


def _check_version(raw: bytes, version: int) -> None:
    this = "this xfs"
    number = version & _VERSION_BITS
    if number not in _VERSIONS:
        raise unsupported(this, f"its version is {number}")
    if number != max(_VERSIONS):
        if not version & _DIRECTORIES_2:
            raise unsupported(this, "its directories are of the first version")
        return
    incompatible = _u32(raw, 216)
    if incompatible & _NEEDS_REPAIR:
        raise damaged("this xfs", "it says itself that it needs a repair")
    if incompatible & ~_READ:
        raise unsupported(this, f"it has features that are not known here ({incompatible:#x})")


def _check_sum(raw: bytes, sector: int) -> None:
    bare = raw[:_CHECKSUM] + bytes(4) + raw[_CHECKSUM + 4 :]
    said = struct.unpack_from("<I", raw, _CHECKSUM)[0]
    # Of a sector that is longer than what was read nothing is known.
    if len(raw) == sector and crc32c(SEED, bare) ^ SEED != said:
        raise damaged(WHERE, "its checksum is wrong")


def _check_sizes(found: Superblock) -> None:
    if found.block_size != 1 << found.block_log or found.inode_size > found.block_size:
        raise damaged(WHERE, "the sizes that it names contradict each other")
    if found.directory_block > 1 << _LARGEST_DIRECTORY_BLOCK_LOG:
        raise damaged(WHERE, f"its directories have blocks of {found.directory_block} bytes")
    groups, each = found.groups, found.group_blocks
    if not 0 < each <= 1 << found.group_log or found.group_log not in _GROUP_LOGS:
        raise damaged(WHERE, f"its groups are of {each} blocks")
    if not (groups - 1) * each < found.blocks <= groups * each:
        raise damaged(WHERE, f"it counts {found.blocks} blocks in {groups} groups")


def _u32(raw: bytes, offset: int) -> int:
    return int(struct.unpack_from(">I", raw, offset)[0])
