"""The superblock of ext2, ext3 and ext4: Linux Documentation/filesystems/ext4/super.rst."""

import struct
import uuid
from dataclasses import dataclass

from drills.images.checksums import SEED, crc32c
from drills.images.errors import ImageError, damaged, unsupported

OFFSET, SIZE = 1024, 1024
MAGIC = 0xEF53
WHERE = "the ext superblock"


# Features that nobody may read past without knowing them.
FILETYPE, RECOVER, META_BG, EXTENTS, BIT64 = 0x2, 0x4, 0x10, 0x40, 0x80
_MMP, _FLEX_BG, _EA_INODE, _CSUM_SEED, LARGEDIR = 0x100, 0x200, 0x400, 0x2000, 0x4000
_INLINE_DATA, _ENCRYPT, _CASEFOLD = 0x8000, 0x10000, 0x20000
_READ = (FILETYPE | RECOVER | META_BG | EXTENTS | BIT64 | _MMP | _FLEX_BG | _EA_INODE) | (
    _CSUM_SEED | LARGEDIR | _INLINE_DATA | _ENCRYPT | _CASEFOLD
)
_HAS_JOURNAL = 0x4
HUGE_FILE, BIGALLOC, METADATA_CSUM = 0x8, 0x200, 0x400
_SPARSE_SUPER, _SPARSE_SUPER2 = 0x1, 0x200
# What ext3 knew; anything beyond makes it an ext4 (util-linux tells them apart the same way).
_EXT3_INCOMPATIBLE = FILETYPE | RECOVER | META_BG
_EXT3_READ_ONLY = 0x7
_ERRORS_SEEN = 0x2
_LARGEST_LOG_BLOCK = 6
_BITS = 8
_OLD_INODE, _OLD_DESCRIPTOR, _NEW_DESCRIPTOR = 128, 32, 64
_CRC32C = 1
_CHECKSUM = 0x3FC


@dataclass(frozen=True)
class Superblock:
    """Sizes in bytes, but `blocks` and `inodes` are numbers. `seed`: of every checksum.

    `checked`: metadata have checksums. `faulty`: the kernel noted that it met errors.
    """

    block_size: int
    blocks: int
    inodes: int
    first_block: int
    blocks_per_group: int
    inodes_per_group: int
    inode_size: int
    first_inode: int
    descriptor_size: int
    incompatible: int
    read_only: int
    version: str
    uuid: str
    label: str
    journal_inode: int
    first_meta_group: int
    sparse_super: bool
    backup_groups: tuple[int, int]
    seed: int
    checked: bool
    faulty: bool

    @property
    def groups(self) -> int:
        return -(-(self.blocks - self.first_block) // self.blocks_per_group)


def parse(raw: bytes) -> Superblock:
    """The superblock in its 1024 bytes. Raises ImageError."""
    if len(raw) != SIZE or _u16(raw, 0x38) != MAGIC:
        raise damaged(WHERE, "its magic number is missing")
    incompatible = _u32(raw, 0x60)
    _check_features(incompatible, _u32(raw, 0x4C))
    read_only = _u32(raw, 0x64)
    seed = _seed(raw, incompatible)
    checked = bool(read_only & METADATA_CSUM)
    if checked:
        _check_sum(raw)
    found = _parsed(raw, incompatible, read_only, seed, checked)
    _check_sizes(found)
    return found


def _parsed(raw: bytes, incompatible: int, read_only: int, seed: int, checked: bool) -> Superblock:
    if _u32(raw, 0x18) > _LARGEST_LOG_BLOCK:
        raise damaged(WHERE, f"its block size is 2 to the {_u32(raw, 0x18) + 10}")
    dynamic = _u32(raw, 0x4C) > 0
    wide = bool(incompatible & BIT64)
    compatible = _u32(raw, 0x5C)
    return Superblock(
        block_size=1024 << _u32(raw, 0x18),
        blocks=_u32(raw, 0x4) | (_u32(raw, 0x150) << 32 if wide else 0),
        inodes=_u32(raw, 0x0),
        first_block=_u32(raw, 0x14),
        blocks_per_group=_u32(raw, 0x20),
        inodes_per_group=_u32(raw, 0x28),
        inode_size=_u16(raw, 0x58) if dynamic else _OLD_INODE,
        first_inode=_u32(raw, 0x54) if dynamic else 11,
        descriptor_size=_u16(raw, 0xFE) if wide else _OLD_DESCRIPTOR,
        incompatible=incompatible,
        read_only=read_only,
        version=_version(compatible, incompatible, read_only),
        uuid=str(uuid.UUID(bytes=raw[0x68:0x78])),
        label=raw[0x78:0x88].split(b"\0")[0].decode("utf-8", "backslashreplace"),
        journal_inode=_u32(raw, 0xE0),
        first_meta_group=_u32(raw, 0x104),
        sparse_super=bool(read_only & _SPARSE_SUPER),
        backup_groups=(
            (_u32(raw, 0x24C), _u32(raw, 0x250)) if compatible & _SPARSE_SUPER2 else (0, 0)
        ),
        seed=seed,
        checked=checked,
        faulty=bool(_u16(raw, 0x3A) & _ERRORS_SEEN),
    )


def _check_features(incompatible: int, revision: int) -> None:
    strange = incompatible & ~_READ
    if strange:
        raise unsupported(
            "this ext file system", f"it has features that are not known here ({strange:#x})"
        )
    if revision > 1:
        raise unsupported("this ext file system", f"its revision is {revision}")


def _check_sizes(found: Superblock) -> None:
    """What a kernel refuses to mount (fs/ext4/super.c)."""
    block, inode = found.block_size, found.inode_size
    if inode < _OLD_INODE or inode > block or inode & (inode - 1):
        raise damaged(WHERE, f"its inodes are of {inode} bytes")
    size = found.descriptor_size
    least = _NEW_DESCRIPTOR if found.incompatible & BIT64 else _OLD_DESCRIPTOR
    if not least <= size <= block or size & (size - 1):
        raise damaged(WHERE, f"its group descriptors are of {size} bytes")
    if not 0 < found.inodes_per_group <= block * _BITS:
        raise damaged(WHERE, f"it has {found.inodes_per_group} inodes a group")
    # In clusters of at most 2 to the 15 blocks, with bigalloc; else of one.
    most = block * _BITS << (15 if found.read_only & BIGALLOC else 0)
    if not 0 < found.blocks_per_group <= most:
        raise damaged(WHERE, f"it has {found.blocks_per_group} blocks a group")
    if found.first_block > 1 or found.first_block >= found.blocks:
        raise damaged(WHERE, f"its first block is {found.first_block} of {found.blocks}")
    if found.inodes != found.groups * found.inodes_per_group:
        raise damaged(WHERE, f"it counts {found.inodes} inodes in {found.groups} groups")


def _seed(raw: bytes, incompatible: int) -> int:
    if incompatible & _CSUM_SEED:
        return _u32(raw, 0x270)
    return crc32c(SEED, raw[0x68:0x78])


def _check_sum(raw: bytes) -> None:
    if raw[0x175] != _CRC32C:
        raise _odd_checksum(raw[0x175])
    if crc32c(SEED, raw[:_CHECKSUM]) != _u32(raw, _CHECKSUM):
        raise damaged(WHERE, "its checksum is wrong")


def _odd_checksum(kind: int) -> ImageError:
    return unsupported("this ext file system", f"its checksums are of a kind not known ({kind})")


def _version(compatible: int, incompatible: int, read_only: int) -> str:
    if incompatible & ~_EXT3_INCOMPATIBLE or read_only & ~_EXT3_READ_ONLY:
        return "ext4"
    return "ext3" if compatible & _HAS_JOURNAL else "ext2"


def _u16(raw: bytes, offset: int) -> int:
    return int(struct.unpack_from("<H", raw, offset)[0])


def _u32(raw: bytes, offset: int) -> int:
    return int(struct.unpack_from("<I", raw, offset)[0])
