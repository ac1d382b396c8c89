"""A copy of one backup that exists in memory only, to plant faults in: nothing is ever written.

It has the names and sizes of a few objects. What was not changed is read from the original.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from drills.backupstore import layout
from drills.backupstore.errors import BackupStoreError, Fault, KeyMissing
from drills.backupstore.objects import Found, Objects
from drills.backupstore.records import MOST_RECORD_BYTES, BackupRecord, VolumeRecord

MOST_BLOCKS = 16
"""Of a backup's blocks, what a copy has that is not rebuilt: a control costs the same in any store.
"""


@dataclass
class Virtual:
    """`Objects` over a few of the original's. `changed`: content instead of the original's."""

    original: Objects
    there: dict[str, Found] = field(default_factory=dict)
    changed: dict[str, bytes] = field(default_factory=dict)

    def list(self, folder: str) -> Iterator[Found]:
        for key in sorted(self.there):
            if key.startswith(folder):
                yield self.there[key]

    def folders(self, folder: str) -> Iterator[str]:
        below = (key.removeprefix(folder) for key in self.there if key.startswith(folder))
        yield from sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def get(self, key: str, limit: int) -> bytes:
        if key not in self.there:
            raise KeyMissing(key)
        if key not in self.changed:
            return self.original.get(key, limit)
        if len(self.changed[key]) > limit:
            raise BackupStoreError(Fault.TOO_LARGE, key, f"it has more than {limit} bytes")
        return self.changed[key]

    def head(self, key: str) -> Found | None:
        return self.there.get(key)

    def take(self, found: Found | None) -> None:
        """Has an object of the original, if it is there."""
        if found is not None:
            self.there[found.key] = found

    def put(self, key: str, content: bytes) -> None:
        """Answers with this content from now on."""
        known = self.there.get(key) or next(iter(self.there.values()))
        self.there[key] = replace(known, key=key, size=len(content))
        self.changed[key] = content

    def drop(self, key: str) -> None:
        """Answers that there is no such object from now on."""
        self.there.pop(key, None)

    def edit(self, key: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes a record's JSON."""
        record = json.loads(self.get(key, MOST_RECORD_BYTES))
        change(record)
        self.put(key, json.dumps(record).encode())


@dataclass(frozen=True)
class Victim:
    """One backup of one volume, of which a copy can be made."""

    volume: VolumeRecord
    backup: BackupRecord

    @property
    def volume_key(self) -> str:
        return layout.volume_key(self.volume.name)

    @property
    def backup_key(self) -> str:
        return layout.backup_key(self.volume.name, self.backup.name)

    @property
    def checksums(self) -> list[str]:
        """Distinct ones, the first that a copy has."""
        found = dict.fromkeys(block.checksum for block in self.backup.blocks[:MOST_BLOCKS])
        return list(found)

    def key(self, checksum: str) -> str:
        return layout.block_key(self.volume.name, checksum)


def whole(original: Objects, victim: Victim) -> Virtual:
    """The volume with this backup alone, and every block of it. Raises StoreError."""
    copy = _with_records(original, victim)
    listed = {victim.key(block.checksum) for block in victim.backup.blocks}
    for found in original.list(layout.blocks_folder(victim.volume.name)):
        if found.key in listed:
            copy.take(found)
    return copy


def reduced(original: Objects, victim: Victim) -> Virtual:
    """The same with the first few blocks alone, in its record too. Raises StoreError."""
    copy = _with_records(original, victim)
    for checksum in victim.checksums:
        copy.take(original.head(victim.key(checksum)))
    if len(victim.backup.blocks) > MOST_BLOCKS:
        copy.edit(victim.backup_key, lambda record: _cut(record, victim.backup.block_size))
    return copy


def _cut(record: dict[str, Any], block_size: int) -> None:
    record["Blocks"] = record["Blocks"][:MOST_BLOCKS]
    record["Size"] = str(MOST_BLOCKS * block_size)


def _with_records(original: Objects, victim: Victim) -> Virtual:
    copy = Virtual(original)
    copy.take(original.head(victim.volume_key))
    copy.take(original.head(victim.backup_key))
    if victim.volume.last_backup_name not in ("", victim.backup.name):
        # The one that is copied is the last one of this copy.
        last = {"LastBackupName": victim.backup.name}
        copy.edit(victim.volume_key, lambda record: record.update(last))
    return copy
