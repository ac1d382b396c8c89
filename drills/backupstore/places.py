"""Where in an image the blocks of a backup go."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from drills.backupstore.block_list import BlockAt
from drills.backupstore.fetch import checksum_of_zeros
from drills.backupstore.one_block import Wanted
from drills.backupstore.records import BackupRecord

Range = tuple[int, int]
"""Start and end, in bytes."""


class Place(NamedTuple):
    """A block, and the offset of every place that it fills."""

    wanted: Wanted
    offsets: "array[int]"


def places(backup: BackupRecord) -> Iterator[Place]:
    """Each distinct block once, in the order of its first offset; none that is all zeros."""
    repeated = _repeated(backup)
    for offset, checksum in filled(backup):
        offsets = repeated.get(checksum) or array("Q", [offset])
        if offsets[0] == offset:
            yield Place(Wanted(checksum, backup.compression, backup.block_size), offsets)


def filled(backup: BackupRecord) -> Iterator[BlockAt]:
    """The blocks that are not all zeros."""
    zeros = checksum_of_zeros(backup.block_size)
    return (block for block in backup.blocks if block.checksum != zeros)


def holes(backup: BackupRecord, size: int) -> Iterator[Range]:
    """What is zeros in an image of `size` bytes."""
    start = 0
    for offset, _ in filled(backup):
        if offset > start:
            yield start, offset
        start = offset + backup.block_size
    if size > start:
        yield start, size


def _repeated(backup: BackupRecord) -> "dict[str, array[int]]":
    """All offsets of the blocks that are listed more than once; most volumes have few of these."""
    seen: set[bytes] = set()
    found: dict[str, array[int]] = {}
    for digest in backup.blocks.digests():
        if digest in seen:
            found[digest.hex()] = array("Q")
        seen.add(digest)
    for offset, checksum in backup.blocks if found else ():
        if checksum in found:
            found[checksum].append(offset)
    return found
