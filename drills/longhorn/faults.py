"""What can be wrong with a backup in the store, planted in a virtual copy of one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drills.backupstore.layout import checksum_of
from drills.backupstore.records import MOST_BLOCK_BYTES, Compression
from drills.longhorn.virtual import MOST_BLOCKS, Victim, Virtual
from drills.verdict import Reason

Plant = Callable[[Virtual, Victim], None]

NOT_THERE = checksum_of(b"a block that no backup store holds")


@dataclass(frozen=True)
class StoreFault:
    """`reads`: it shows only where a block's content is read; then it is planted in the first one
    of the victim's. `blocks`: how many distinct ones the victim needs."""

    name: str
    planted: str
    expected: Reason
    plant: Plant
    reads: bool = False
    blocks: int = 1


def _content(copy: Virtual, victim: Victim, number: int) -> bytes:
    return copy.get(victim.key(victim.checksums[number]), 2 * MOST_BLOCK_BYTES)


def _flip(copy: Virtual, victim: Victim) -> None:
    content = bytearray(_content(copy, victim, 0))
    content[len(content) // 2] ^= 1
    copy.put(victim.key(victim.checksums[0]), bytes(content))


def _truncate(copy: Virtual, victim: Victim) -> None:
    content = _content(copy, victim, 0)
    copy.put(victim.key(victim.checksums[0]), content[: max(1, len(content) // 2)])


def _swap(copy: Virtual, victim: Victim) -> None:
    copy.put(victim.key(victim.checksums[0]), _content(copy, victim, 1))


def _lose_block(copy: Virtual, victim: Victim) -> None:
    copy.drop(victim.key(victim.checksums[0]))


def _expire(copy: Virtual, victim: Victim) -> None:
    """All blocks but those of the last day that anything was written on."""
    keys = [victim.key(checksum) for checksum in victim.checksums]
    newest = max(copy.there[key].modified for key in keys)
    old = [key for key in keys if copy.there[key].modified < newest]
    for key in old or keys:
        copy.drop(key)


def _move(copy: Virtual, victim: Victim) -> None:
    def change(record: dict[str, Any]) -> None:
        record["Blocks"][-1]["Offset"] += victim.volume.size

    copy.edit(victim.backup_key, change)


def _shrink(copy: Virtual, victim: Victim) -> None:
    """As if the volume ended before the last block of the copy."""
    last = victim.backup.blocks[:MOST_BLOCKS][-1].offset
    copy.edit(victim.volume_key, lambda record: record.update(Size=str(max(1, last))))


def _run_ahead(copy: Virtual, victim: Victim) -> None:
    def change(record: dict[str, Any]) -> None:
        record["Blocks"][-1]["BlockChecksum"] = NOT_THERE

    copy.edit(victim.backup_key, change)


def _rename_compression(copy: Virtual, victim: Victim) -> None:
    # Of gzip and lz4 either is taken for the other, by Longhorn too.
    plain = victim.backup.compression is Compression.NONE
    other = Compression.LZ4 if plain else Compression.NONE
    copy.edit(victim.backup_key, lambda record: record.update(CompressionMethod=str(other)))


def _lose_record(copy: Virtual, victim: Victim) -> None:
    copy.drop(victim.volume_key)


FAULTS: tuple[StoreFault, ...] = (
    StoreFault("bit-flip", "one bit of a block is flipped", Reason.RESTORE_POINT_DAMAGED, _flip,
               reads=True),
    StoreFault("truncated-block", "half of a block is cut off", Reason.RESTORE_POINT_DAMAGED,
               _truncate, reads=True),
    StoreFault("swapped-block", "a block holds what another, sound one holds",
               Reason.RESTORE_POINT_DAMAGED, _swap, reads=True, blocks=2),
    StoreFault("wrong-compression", "a record names another compression than its blocks have",
               Reason.RESTORE_POINT_DAMAGED, _rename_compression, reads=True),
    StoreFault("missing-block", "a block is not there", Reason.BLOCK_LOST, _lose_block),
    StoreFault("expired-blocks", "a lifecycle rule has removed all blocks but the newest",
               Reason.BLOCK_LOST, _expire),
    StoreFault("record-before-blocks", "a record lists a block that is not there yet",
               Reason.BLOCK_LOST, _run_ahead),
    StoreFault("edited-offset", "a record puts a block beyond the volume's end",
               Reason.RESTORE_POINT_DAMAGED, _move),
    StoreFault("edited-size", "a volume's record says a size that its blocks do not fit into",
               Reason.RESTORE_POINT_DAMAGED, _shrink),
    StoreFault("lost-volume-record", "a volume's record is gone, its backups are not",
               Reason.RESTORE_POINT_DAMAGED, _lose_record),
)  # fmt: skip
