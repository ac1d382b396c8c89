"""`verify`: every block that the backups of a volume list, held against its checksum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from drills.backupstore.by_hand.progress import ProgressLine
from drills.backupstore.by_hand.words import counted, sized
from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault, KeyMissing
from drills.backupstore.layout import BLOCK_SUFFIX, volume_key
from drills.backupstore.records import VolumeRecord
from drills.backupstore.verify import Listed, Verified, verify
from drills.longhorn.lines import first_of
from drills.longhorn.mentions import Mentions
from drills.longhorn.shares import Share

_MOST_SHOWN = 20


@dataclass
class Outcome:
    """What was found of one volume.

    backups: those whose blocks were looked at. blocks: how many distinct ones they list, of which
    `read` were read, `bytes` in the store. records: what cannot be read. faulty: lost or damaged
    blocks; `faults` names the first. affected: the backups that list one of those named.
    """

    volume: str
    backups: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    records: list[BackupStoreError] = field(default_factory=list)
    blocks: int = 0
    read: int = 0
    bytes: int = 0
    faulty: int = 0
    faults: Sequence[BackupStoreError] = ()
    affected: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return self.faulty > 0 or any(
            fault.fault is not Fault.UNSUPPORTED for fault in self.records
        )

    @property
    def unproven(self) -> bool:
        """Nothing was found wrong, and not everything was looked at, or there was nothing."""
        return not self.broken and (bool(self.records) or not self.backups)

    def lines(self) -> Iterator[str]:
        yield f"{self.volume}: {self._verdict()}"
        yield from (f"  {fault}" for fault in self.records)
        named = self.faults[:_MOST_SHOWN]
        yield from (f"  {_shown(fault)}" for fault in named)
        if self.faulty > len(named):
            yield f"  and {self.faulty - len(named)} more"
        if self.affected:
            whole = [name for name in self.backups if name not in self.affected]
            yield f"  cannot be restored: {first_of(self.affected)}"
            yield f"  need none of these: {first_of(whole) or 'no backup'}"
        if self.unfinished:
            yield f"  unfinished, not looked at: {first_of(self.unfinished)}"

    def _verdict(self) -> str:
        looked = f"{counted(self.blocks, 'block')} of {counted(len(self.backups), 'backup')}"
        if self.faulty:
            return f"BROKEN: of {looked}, {self.faulty} lost or damaged"
        if self.records:
            word = "BROKEN" if self.broken else "not proven"
            return f"{word}: {counted(len(self.records), 'record')} cannot be read"
        if not self.backups:
            return "not proven: no finished backup"
        size = f"{sized(self.bytes)} in the store"
        if self.read == self.blocks:
            return f"sound: {looked} read, {size}"
        return f"sound so far: {looked} there, {self.read} of them read, {size}"

    def document(self) -> dict[str, Any]:
        return {
            "volume": self.volume,
            "backups": self.backups,
            "unfinished": self.unfinished,
            "blocks": self.blocks,
            "read": self.read,
            "bytes": self.bytes,
            "broken": self.broken,
            "faulty": self.faulty,
            "faults": [_document(fault) for fault in (*self.records, *self.faults)],
            "affected": self.affected,
        }


def of_volume(
    store: BackupStore, name: str, backup: str, share: Share, line: ProgressLine
) -> Outcome:
    """One volume: all of its backups, or the one that is named.

    Raises StoreError, and BackupStoreError for a volume that is not there at all, and for a backup
    that is named and cannot be read.
    """
    try:
        volume = store.volume(name)
    except BackupStoreError as error:
        if error.fault is Fault.RECORD_MISSING and not store.backups(name):
            raise
        return Outcome(name, records=[error])
    looked = _Looked(store, volume, share, Outcome(name))
    mentions = Mentions(store, volume)
    names = [store.backup(volume, backup).name] if backup else store.backups(name)
    found = verify(
        store,
        name,
        looked.blocks(names),
        look_again=mentions.still,
        progress=lambda _blocks, stored: line.show(stored, 0),
    )
    return looked.outcome(found, mentions)


def of_ghost(store: BackupStore, name: str) -> Outcome | None:
    """A folder without a volume's record: a fault if backups lie in it, else nothing."""
    names = store.backups(name)
    if not names:
        return None
    return Outcome(name, records=[KeyMissing(volume_key(name))])


@dataclass
class _Looked:
    """Which blocks are to be read, and what is learned on the way to them."""

    store: BackupStore
    volume: VolumeRecord
    share: Share
    found: Outcome
    _listed: set[bytes] = field(default_factory=set)

    def blocks(self, names: Sequence[str]) -> Iterator[Listed]:
        """Those of today's share, and those that are not in the store: they are asked for too."""
        there = self._there()
        for name in names:
            try:
                record = self.store.backup(self.volume, name)
            except BackupStoreError as error:
                self._unread(name, error)
                continue
            self.found.backups.append(name)
            for digest in record.blocks.digests():
                self._listed.add(digest)
                if self.share.takes(digest) or digest not in there:
                    yield digest.hex(), record.compression, record.block_size

    def outcome(self, verified: Verified, mentions: Mentions) -> Outcome:
        """Raises StoreError."""
        found = self.found
        found.blocks = len(self._listed) - verified.vanished
        found.read = verified.checked - verified.vanished
        found.bytes = verified.bytes
        found.faulty, found.faults = verified.faulty, verified.faults
        if found.faults:
            needed = mentions.of({_digest(fault) for fault in found.faults})
            found.affected = sorted(set().union(*needed.values()).intersection(found.backups))
        return found

    def _there(self) -> set[bytes]:
        if self.share.whole:
            return set()
        return {bytes.fromhex(block.checksum) for block in self.store.blocks(self.volume.name)}

    def _unread(self, name: str, error: BackupStoreError) -> None:
        if error.fault is Fault.UNFINISHED:
            self.found.unfinished.append(name)
        elif error.fault is not Fault.RECORD_MISSING:
            # One that is missing was deleted since the listing.
            self.found.records.append(error)


def _digest(fault: BackupStoreError) -> bytes:
    return bytes.fromhex(fault.object.rpartition("/")[2].removesuffix(BLOCK_SUFFIX))


def _shown(fault: BackupStoreError) -> str:
    """By the block's name: the folders before it are the volume's, and say nothing new."""
    return f"{fault.object.rpartition('/')[2]}: {fault.detail}"


def _document(fault: BackupStoreError) -> dict[str, str]:
    return {"fault": fault.fault, "object": fault.object, "detail": fault.detail}
