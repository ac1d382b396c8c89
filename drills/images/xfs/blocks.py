"""Blocks of xfs metadata, each of which says what it is, where it lies and whose it is.

Sources: libxfs/xfs_format.h, libxfs/xfs_da_format.h. Up to version 4 they have a magic number only.
"""

import struct
from typing import NamedTuple

from drills.images.checksums import SEED, crc32c
from drills.images.errors import damaged
from drills.images.xfs.superblock import SECTOR, Superblock


class Layout(NamedTuple):
    """Offsets in the header: checksum, number of the block in sectors, uuid, inode it is of."""

    checksum: int
    place: int
    uuid: int
    owner: int


TREE = Layout(64, 24, 40, 56)
DIRECTORY = Layout(4, 8, 24, 40)
ATTRIBUTES = Layout(12, 16, 32, 48)
REMOTE = Layout(12, 40, 16, 32)


def check_block(
    superblock: Superblock, layout: Layout, content: bytes, *, at: int, owner: int, where: str
) -> None:
    """Raises ImageError unless this is the block of the inode `owner` that belongs `at` a place."""
    if not superblock.checked:
        return
    end = layout.checksum + 4
    bare = content[: layout.checksum] + bytes(4) + content[end:]
    if crc32c(SEED, bare) ^ SEED != struct.unpack_from("<I", content, layout.checksum)[0]:
        raise damaged(where, f"the checksum of the block at byte {at} is wrong")
    place, of = (struct.unpack_from(">Q", content, one)[0] for one in (layout.place, layout.owner))
    mine = content[layout.uuid : layout.uuid + 16] == superblock.metadata
    if place != at // SECTOR or of != owner or not mine:
        raise damaged(where, f"the block at byte {at} belongs elsewhere")
