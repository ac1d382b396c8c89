"""Reads the records of one volume, and holds them against what lies in the store for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from drills.backupstore.blocks import limit
from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault, shown
from drills.backupstore.parallel import Bounds, each
from drills.backupstore.records import BackupRecord, Compression, VolumeRecord
from drills.longhorn import shelf as shelves
from drills.longhorn.lineage import GHOST, Due, Kept, Lineage, Way
from drills.longhorn.lines import first_of
from drills.longhorn.shares import Share
from drills.longhorn.shelf import Shelf
from drills.verdict import Check, Reason

# What a record takes while it is parsed, for the most usual sizes of volumes.
_RECORD_BYTES = 1 << 20
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Reader:
    """Reads volumes one after the other. `now`: aware, for the locks."""

    store: BackupStore
    share: Share
    now: datetime
    workers: int
    stop: Event

    def read(self, shelf: Shelf) -> Lineage:
        """Every record of a volume. Raises StoreError, StoppedError."""
        try:
            record = self.store.volume(shelf.volume)
        except BackupStoreError as error:
            return self._without_record(shelf, error)
        findings = _Findings(shelf)
        for name, found in zip(shelf.backups, self._backups(record, shelf.backups), strict=True):
            findings.enter(name, found)
        checks = [*findings.checks()]
        if findings.doubtful or _names_another(record, shelf):
            checks += self._second_look(record, shelf, findings)
        return findings.closed(record, checks, self.share, self.now)

    def _backups(
        self, record: VolumeRecord, names: Sequence[str]
    ) -> Iterator[BackupRecord | BackupStoreError]:
        def read(name: str) -> BackupRecord | BackupStoreError:
            try:
                return self.store.backup(record, name)
            except BackupStoreError as error:
                fault = error.with_traceback(None)
            return self._as_it_is_now(record, name, fault)

        bounds = Bounds(self.workers)
        return each(
            names, read, lambda _name: _RECORD_BYTES, bounds=bounds, stop=self.stop, ordered=True
        )

    def _as_it_is_now(
        self, before: VolumeRecord, name: str, fault: BackupStoreError
    ) -> BackupRecord | BackupStoreError:
        """A volume may have grown, and been backed up, since its record was read."""
        if fault.fault is not Fault.RECORD:
            return fault
        try:
            record = self.store.volume(before.name)
            return fault if record.size == before.size else self.store.backup(record, name)
        except BackupStoreError as error:
            return error.with_traceback(None)

    def _without_record(self, shelf: Shelf, error: BackupStoreError) -> Lineage:
        """A volume whose own record cannot be read: no backup of it can be restored."""
        if error.fault is Fault.UNSUPPORTED:
            return Lineage(shelf.volume, None, aside=[(f"volume {shelf.volume}", error.detail)])
        again = shelves.shelf(self.store.objects, shelf.volume)
        if error.fault is Fault.RECORD_MISSING and not (again.backups or again.blocks):
            return Lineage(shelf.volume, None, aside=[(f"volume {shelf.volume}", GHOST)])
        seen = f"{error.detail}; {len(again.backups)} backups of it cannot be restored"
        check = Check(
            shelf.volume, "its record", "whole and readable", seen, Reason.RESTORE_POINT_DAMAGED
        )
        return Lineage(
            shelf.volume, None, checks=[check], foreign=len(shelf.foreign),
            expired_locks=len(shelf.expired(self.now)),
        )  # fmt: skip

    def _second_look(
        self, record: VolumeRecord, shelf: Shelf, findings: "_Findings"
    ) -> Iterator[Check]:
        """What was missing may have been deleted, or have come, since the listing.

        Blocks first: of a backup whose record is there after them, they had to be there as well.
        """
        again = shelves.shelf(self.store.objects, shelf.volume)
        names = self.store.backups(shelf.volume)
        yield from findings.missing(again.blocks, frozenset(names))
        try:
            said = self.store.volume(shelf.volume).last_backup_name
        except BackupStoreError:
            said = ""
        # A deletion removes the backup first, and names another one when it is through.
        if said == record.last_backup_name != "" and said not in names and not again.busy(self.now):
            seen = f"{shown(said)} is not there"
            yield Check(
                shelf.volume, "the last backup its record names", "there", seen,
                Reason.RESTORE_POINT_DAMAGED,
            )  # fmt: skip


class _Findings:
    """What has been found so far of one volume."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept: list[Kept] = []
        self._ways: dict[Way, set[bytes]] = {}
        self._lost: dict[str, set[bytes]] = {}
        self._missing: list[str] = []
        self._vanished = 0
        self._faults: list[tuple[str, BackupStoreError]] = []
        self._unfinished: list[str] = []

    @property
    def doubtful(self) -> bool:
        """Something was not there that was listed a moment ago, or by a record."""
        return bool(self._lost or self._missing)

    def enter(self, name: str, found: BackupRecord | BackupStoreError) -> None:
        if isinstance(found, BackupRecord):
            self._enter_record(found)
        elif found.fault is Fault.UNFINISHED:
            self._unfinished.append(name)
        elif found.fault is Fault.RECORD_MISSING:
            self._missing.append(name)
        else:
            self._faults.append((name, found))

    def _enter_record(self, record: BackupRecord) -> None:
        digests = set(record.blocks.digests())
        lost = digests - self._shelf.blocks.keys()
        if lost:
            self._lost[record.name] = lost
        self._ways.setdefault((record.compression, record.block_size), set()).update(digests)
        data = len(record.blocks) * record.block_size
        self._kept.append(
            Kept(record.name, record.snapshot_created, record.created, len(record.blocks), data)
        )

    def checks(self) -> Iterator[Check]:
        """What one look is enough for."""
        volume = self._shelf.volume
        for name, error in self._faults:
            if error.fault is not Fault.UNSUPPORTED:
                yield Check(
                    volume, f"record of backup {name}", "whole and readable", error.detail,
                    Reason.RESTORE_POINT_DAMAGED,
                )  # fmt: skip
        odd = sorted(self._odd_sizes())
        if odd:
            seen = f"{len(odd)} blocks have another: {_named(odd)}"
            yield Check(
                volume, "sizes of blocks", "such as blocks have", seen,
                Reason.RESTORE_POINT_DAMAGED,
            )  # fmt: skip

    def missing(self, blocks: Mapping[bytes, int], names: frozenset[str]) -> Iterator[Check]:
        """What is still missing now. `blocks`, `names`: as a second look found them."""
        for name in self._missing:
            if name in names:
                yield Check(
                    self._shelf.volume, f"record of backup {name}", "readable",
                    "it is listed, and there is none", Reason.RESTORE_POINT_DAMAGED,
                )  # fmt: skip
            else:
                self._vanished += 1
        for name, digests in sorted(self._lost.items()):
            lost = sorted(digests - blocks.keys())
            if name not in names:
                self._vanish(name)
            elif lost:
                yield Check(
                    self._shelf.volume, f"blocks of backup {name}", "in the store",
                    f"{len(lost)} of them are missing: {_named(lost)}", Reason.BLOCK_LOST,
                )  # fmt: skip

    def _vanish(self, name: str) -> None:
        """Retention took a backup while it was read."""
        self._vanished += 1
        self._kept = [one for one in self._kept if one.name != name]

    def _odd_sizes(self) -> Iterator[bytes]:
        for (compression, block_size), digests in self._ways.items():
            most = limit(block_size)
            for digest in digests:
                size = self._shelf.blocks.get(digest)
                if size is None:
                    continue
                if not 0 < size <= most or (compression is Compression.NONE and size != block_size):
                    yield digest

    def closed(
        self, record: VolumeRecord, checks: Sequence[Check], share: Share, now: datetime
    ) -> Lineage:
        blocks, shelf = self._shelf.blocks, self._shelf
        listed = set().union(*self._ways.values())
        # Lost ones have been told; they are not there to be read.
        there = listed & blocks.keys()
        orphans = blocks.keys() - listed
        return Lineage(
            shelf.volume, record, sorted(self._kept, key=lambda one: (one.taken, one.name)),
            checks, [*self._aside()], len(there), sum(blocks[one] for one in there),
            [*self._due(share)], len(orphans), sum(blocks[one] for one in orphans),
            len(shelf.expired(now)), len(shelf.foreign),
        )  # fmt: skip

    def _due(self, share: Share) -> Iterator[Due]:
        for way, digests in sorted(self._ways.items()):
            due = sorted(one for one in digests if share.takes(one) and one in self._shelf.blocks)
            if due:
                yield Due(way, b"".join(due))

    def _aside(self) -> Iterator[tuple[str, str]]:
        volume = self._shelf.volume
        for name in self._unfinished:
            yield f"backup {name} of {volume}", "it is being made, or was broken off"
        for name, error in self._faults:
            if error.fault is Fault.UNSUPPORTED:
                yield f"backup {name} of {volume}", error.detail
        if self._vanished:
            yield f"{self._vanished} backups of {volume}", "they were deleted while they were read"


def _names_another(record: VolumeRecord, shelf: Shelf) -> bool:
    return bool(record.last_backup_name) and record.last_backup_name not in shelf.backups


def _named(digests: Iterable[bytes]) -> str:
    return first_of([one.hex()[:_SHOWN_DIGITS] for one in digests])
