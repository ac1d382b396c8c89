"""Makes a backup of a raw image: the blocks that the store lacks, then the records.

Source: longhorn/backupstore deltablock.go (CreateDeltaBlockBackup, performBackup, backupBlock).
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from standins.longhorn import locks, records
from standins.longhorn.compression import compressed
from standins.longhorn.locks import LockType
from standins.longhorn.moments import stamp
from standins.longhorn.records import BackupRecord, VolumeRecord
from standins.longhorn.store import Store
from standins.longhorn.store_errors import MissingError, StoreError

FULL = "full"


@dataclass(frozen=True)
class Wanted:
    """What is to be backed up, and as what. Sizes in bytes; `snapshot_created` in RFC 3339.

    `compression` and `storage_class` are those of a volume that the store does not know yet; later
    backups of it are compressed as the first one was.
    """

    backup: str
    volume: str
    size: int
    snapshot: str
    snapshot_created: str
    compression: str
    storage_class: str
    labels: Mapping[str, str]
    mode: str = "incremental"
    block_size: int = 2 * records.MIB

    @property
    def parameters(self) -> dict[str, str]:
        return {
            records.BACKUP_MODE_PARAMETER: self.mode,
            records.BLOCK_SIZE_PARAMETER: str(self.block_size),
        }


@dataclass(frozen=True)
class Made:
    """The records as they are in the store now."""

    backup: BackupRecord
    volume: VolumeRecord


def make_backup(
    store: Store,
    wanted: Wanted,
    image: Path,
    *,
    has_snapshot: Callable[[str], bool],
    workers: int,
    sleep: Callable[[float], None],
) -> Made:
    """Makes the backup. `has_snapshot`: whether a snapshot of that name is still there, without
    which a backup begins anew, as Longhorn's does. `workers`: blocks at the same time.

    Raises StoreError, LockedError, UnknownMethodError, and OSError for the image.
    """
    if wanted.size % wanted.block_size:
        raise StoreError(
            f"the volume's size {wanted.size} is no multiple of the block size {wanted.block_size}"
        )
    with locks.held(store, wanted.volume, LockType.BACKUP, sleep):
        volume = _volume(store, wanted)
        last = _last(store, volume, wanted, has_snapshot)
        begun = BackupRecord(wanted.backup, wanted.volume, volume.compression)
        key = records.backup_key(wanted.volume, wanted.backup)
        store.put(key, records.backup_bytes(begun))
        sent = _Sending(store, wanted, volume.compression, dict(last.blocks) if last else {})
        blocks = sent.all_of(image, workers)
        done = replace(
            begun,
            snapshot=wanted.snapshot,
            snapshot_created=wanted.snapshot_created,
            created=stamp(store.clock()),
            size=len(blocks) * wanted.block_size,
            labels=wanted.labels,
            parameters=wanted.parameters,
            incremental=last is not None,
            newly_uploaded=sent.new_bytes,
            re_uploaded=sent.again_bytes,
            blocks=blocks,
        )
        store.put(key, records.backup_bytes(done))
        return Made(done, _note(store, wanted, sent.new_blocks))


def _volume(store: Store, wanted: Wanted) -> VolumeRecord:
    """The volume's record, made if the store has none."""
    key = records.volume_key(wanted.volume)
    try:
        return records.parse_volume(store.get(key))
    except MissingError:
        made = VolumeRecord(
            name=wanted.volume,
            size=wanted.size,
            created=wanted.snapshot_created,
            compression=wanted.compression,
            storage_class=wanted.storage_class,
            labels=wanted.labels,
        )
        store.put(key, records.volume_bytes(made))
        return made


def _last(
    store: Store, volume: VolumeRecord, wanted: Wanted, has_snapshot: Callable[[str], bool]
) -> BackupRecord | None:
    """The backup that this one adds to; None if it has to begin anew."""
    if not volume.last_backup or wanted.mode == FULL:
        return None
    try:
        last = records.parse_backup(store.get(records.backup_key(volume.name, volume.last_backup)))
    except (StoreError, ValueError, KeyError, TypeError):
        return None
    another = last.snapshot != wanted.snapshot and has_snapshot(last.snapshot)
    return last if another and last.finished else None


def _note(store: Store, wanted: Wanted, new_blocks: int) -> VolumeRecord:
    """Writes into the volume's record what this backup changed of it."""
    key = records.volume_key(wanted.volume)
    volume = replace(
        records.parse_volume(store.get(key)),
        size=wanted.size,
        labels=wanted.labels,
        last_backup=wanted.backup,
        last_backup_at=wanted.snapshot_created,
        storage_class=wanted.storage_class,
    )
    volume = replace(volume, block_count=volume.block_count + new_blocks)
    store.put(key, records.volume_bytes(volume))
    return volume


@dataclass
class _Sending:
    """Sends what the store lacks, and counts it."""

    store: Store
    wanted: Wanted
    compression: str
    last: Mapping[int, str]
    new_blocks: int = 0
    new_bytes: int = 0
    again_bytes: int = 0
    _seen: set[str] = field(default_factory=set)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def all_of(self, image: Path, workers: int) -> list[tuple[int, str]]:
        """Offset and checksum of every block that is not zero, ascending."""
        found: list[tuple[int, str]] = []
        descriptor = os.open(image, os.O_RDONLY)
        try:
            with ThreadPoolExecutor(workers) as pool:
                # As many under way as can be worked on, for each holds a block in memory.
                running: set[Future[tuple[int, str] | None]] = set()
                for offset in touched(descriptor, self.wanted.size, self.wanted.block_size):
                    running.add(pool.submit(self._one, descriptor, offset))
                    if len(running) > workers:
                        ended, running = wait(running, return_when=FIRST_COMPLETED)
                        found += [one for each in ended if (one := each.result()) is not None]
                found += [one for each in running if (one := each.result()) is not None]
        finally:
            os.close(descriptor)
        return sorted(found)

    def _one(self, descriptor: int, offset: int) -> tuple[int, str] | None:
        content = os.pread(descriptor, self.wanted.block_size, offset)
        content += bytes(self.wanted.block_size - len(content))
        if content.count(0) == len(content):
            return None
        digits = records.checksum(content)
        if self.last.get(offset) != digits and self._first(digits):
            self._send(digits, content)
        return offset, digits

    def _first(self, digits: str) -> bool:
        """Whether no other block of this backup has the same content."""
        with self._mutex:
            first = digits not in self._seen
            self._seen.add(digits)
            return first

    def _send(self, digits: str, content: bytes) -> None:
        key = records.block_key(self.wanted.volume, digits)
        there = self.store.exists(key)
        if there and self.wanted.mode != FULL:
            return
        sent = compressed(self.compression, content)
        self.store.put(key, sent)
        with self._mutex:
            self.new_blocks += not there
            self.new_bytes += 0 if there else len(sent)
            self.again_bytes += len(sent) if there else 0


def touched(descriptor: int, size: int, block: int) -> Iterator[int]:
    """Offsets of the blocks of a sparse file that may hold something, ascending."""
    at = 0
    while at < size:
        try:
            data = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        hole = os.lseek(descriptor, data, os.SEEK_HOLE)
        first = max(data // block * block, at)
        for offset in range(first, min(hole, size), block):
            yield offset
            at = offset + block
