"""Which backups of a volume list a block now: asked again before a block is called lost."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError
from drills.backupstore.records import BackupRecord, VolumeRecord


@dataclass
class Mentions:
    """Reads a volume's records anew, once for each question. Raises StoreError."""

    store: BackupStore
    volume: VolumeRecord

    def still(self, checksum: str) -> bool:
        """Whether any finished backup lists the block by now."""
        return bytes.fromhex(checksum) in self._all

    def of(self, digests: Collection[bytes]) -> Mapping[bytes, list[str]]:
        """The finished backups that list each of these blocks."""
        found: dict[bytes, list[str]] = defaultdict(list)
        wanted = frozenset(digests)
        for record in self._records():
            for digest in wanted.intersection(record.blocks.digests()):
                found[digest].append(record.name)
        return found

    @cached_property
    def _all(self) -> set[bytes]:
        return {digest for record in self._records() for digest in record.blocks.digests()}

    def _records(self) -> Iterator[BackupRecord]:
        for name in self.store.backups(self.volume.name):
            try:
                yield self.store.backup(self.volume, name)
            except BackupStoreError:
                # One that cannot be read was told when all were read, and lists nothing.
                continue
