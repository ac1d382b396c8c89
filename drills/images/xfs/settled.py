"""Makes a copy of an xfs image what it would be after a mount: replayed, with an empty log."""

import struct
from pathlib import Path

from drills.images.xfs.log_records import Log
from drills.images.xfs.log_replay import Replayed
from drills.images.xfs.seal import sealed
from drills.images.xfs.superblock import Superblock

_COUNTS, _COUNTS_AT = struct.Struct(">QQQ"), 128
_FREE, _FREE_AT = struct.Struct(">II4xI"), 48
_INODES, _INODES_AT = struct.Struct(">I8xI"), 16
_PIECE_BYTES = 1 << 20


def settle(image: Path, superblock: Superblock, log: Log, replayed: Replayed) -> int:
    """Writes the changes into the image and zeros over its log; gives the number of rounds that a
    new log has to begin after, so that nothing in the image seems newer than it. Raises OSError."""
    rounds = max(record.lsn for record in log.active()) >> 32
    size = superblock.sector_size
    with image.open("r+b") as file:
        for offset, content in replayed.changes.pieces():
            file.seek(offset)
            file.write(content)
        file.seek(0)
        head = bytearray(file.read(size))
        _COUNTS.pack_into(head, _COUNTS_AT, *_counts(superblock, replayed))
        file.seek(0)
        file.write(sealed(bytes(head)) if superblock.checked else head)
        file.seek(log.start)
        for begin in range(0, log.length, _PIECE_BYTES):
            file.write(bytes(min(_PIECE_BYTES, log.length - begin)))
    return rounds + 2


def _counts(superblock: Superblock, replayed: Replayed) -> tuple[int, int, int]:
    """Inodes, free inodes and free blocks, which a mount sums up out of the groups
    (libxfs/xfs_sb.c)."""
    inodes = free_inodes = blocks = 0
    size = superblock.sector_size
    for group in range(superblock.groups):
        at = group * superblock.group_blocks << superblock.block_log
        listed, free, in_trees = _FREE.unpack_from(replayed.source.read(at + size, size), _FREE_AT)
        made, unused = _INODES.unpack_from(replayed.source.read(at + 2 * size, size), _INODES_AT)
        inodes, free_inodes = inodes + made, free_inodes + unused
        blocks += listed + free + in_trees
    return inodes, free_inodes, blocks
