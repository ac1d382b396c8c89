"""The content of blocks: those that are due are read, and held against their checksums."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import BLOCK_SUFFIX
from drills.backupstore.records import VolumeRecord
from drills.backupstore.verify import Verified, verify
from drills.frame import Compared, NotCompared, Record
from drills.longhorn.lineage import Lineage
from drills.longhorn.lines import bounded, first_of, sized
from drills.longhorn.mentions import Mentions
from drills.longhorn.shares import Share
from drills.verdict import Check, Reason

_HOW = "each was read and decompressed, and the SHA-512 of its content is the checksum listed"


@dataclass
class Content:
    """`checked`: blocks that were read, which take `bytes` in the store, of `listed` ones.

    `vanished`: were deleted meanwhile, with every backup that listed them.
    """

    listed: int = 0
    checked: int = 0
    bytes: int = 0
    vanished: int = 0
    checks: list[Check] = field(default_factory=list)

    @property
    def told_bytes(self) -> str:
        return sized(self.bytes)

    def add(self, found: Verified, checks: Sequence[Check]) -> None:
        self.checked += found.checked - found.vanished
        self.bytes += found.bytes
        self.vanished += found.vanished
        self.checks += checks

    def tell(self, record: Record, share: Share) -> None:
        """What was read, and what was not, for the receipt."""
        record.checks += bounded(self.checks, "further blocks")
        if self.checked and not self.checks:
            record.checks.append(
                Check("store", "content of blocks", "as listed", f"{self.checked} blocks are")
            )
        if self.checked:
            record.compared.append(Compared("content of blocks", self.checked, self.bytes, _HOW))
        left = self.listed - self.checked - self.vanished
        if left > 0:
            record.not_compared.append(NotCompared("content of blocks", left, share.told()))
        if self.vanished:
            why = "they were deleted meanwhile, with every backup that listed them"
            record.not_compared.append(NotCompared("content of blocks", self.vanished, why))


def read(
    store: BackupStore, lineages: Sequence[Lineage], workers: int, stop: threading.Event
) -> Content:
    """Reads what is due of every volume, each block once. Raises StoreError, StoppedError."""
    found = Content(sum(one.listed for one in lineages))
    for one in lineages:
        if one.record is not None and one.due:
            found.add(*_of_volume(store, one, one.record, workers, stop))
    return found


def _of_volume(
    store: BackupStore, one: Lineage, record: VolumeRecord, workers: int, stop: threading.Event
) -> tuple[Verified, list[Check]]:
    mentions = Mentions(store, record)
    blocks = chain.from_iterable(due.listed() for due in one.due)
    found = verify(store, one.volume, blocks, workers=workers, look_again=mentions.still, stop=stop)
    return found, [*_checks(one.volume, found, mentions)] if found.faulty else []


def _checks(volume: str, found: Verified, mentions: Mentions) -> Iterator[Check]:
    """One for each block that is named, with the backups that cannot be restored without it."""
    digests = {fault.object: _digest(fault) for fault in found.faults}
    backups = mentions.of(set(digests.values()))
    for fault in found.faults:
        listing = backups.get(digests[fault.object], [])
        if not listing:
            # Deleted meanwhile, with every backup that listed it.
            continue
        seen = f"{fault.detail}; listed by {first_of(listing)}"
        label = f"block {digests[fault.object].hex()[:12]}"
        yield Check(volume, label, "there, and as its checksum says", seen, reason_of(fault))
    more = found.faulty - len(found.faults)
    if more > 0:
        seen = f"{more} more are not"
        yield Check(volume, "further blocks", "as listed", seen, Reason.RESTORE_POINT_DAMAGED)


def reason_of(fault: BackupStoreError) -> Reason:
    """What a faulty block comes to: something removed it, or damaged it."""
    if fault.fault is Fault.BLOCK_MISSING:
        return Reason.BLOCK_LOST
    return Reason.RESTORE_POINT_DAMAGED


def _digest(fault: BackupStoreError) -> bytes:
    return bytes.fromhex(fault.object.rpartition("/")[2].removesuffix(BLOCK_SUFFIX))
