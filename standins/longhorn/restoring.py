"""Restores a backup: its blocks out of the store into a raw image.

Source: longhorn/backupstore deltablock.go (RestoreDeltaBlockBackup), util.go
(DecompressAndVerifyWithFallback).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from standins.longhorn import locks, records
from standins.longhorn.compression import BlockError, decompressed
from standins.longhorn.locks import LockType
from standins.longhorn.records import BackupRecord, VolumeRecord
from standins.longhorn.sizes import quantity
from standins.longhorn.store import Store
from standins.longhorn.store_errors import MissingError, StoreError

# Longhorn tries a block again after 1, 5, 30, 60, 120 and 300 seconds.
RETRY_SECONDS = (1.0, 5.0)
DEFAULT_BLOCK_SIZE = 2 * records.MIB


class RestoreError(Exception):
    """The backup cannot be restored; one sentence."""


@dataclass(frozen=True)
class Origin:
    """A backup in the store: its name, and the volume's that it was made of."""

    backup: str
    volume: str


def restore_image(
    store: Store,
    origin: Origin,
    target: Path,
    *,
    workers: int,
    sleep: Callable[[float], None],
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Writes the volume as it was at that backup into a sparse file. `workers`: blocks at the same
    time. `wanted` is asked before each block.

    Raises LockedError when it has to wait, and for good RestoreError, StoreError,
    UnknownMethodError, OSError.
    """
    with locks.held(store, origin.volume, LockType.BACKUP, sleep):
        volume, backup = _records(store, origin)
        size = _block_size(backup)
        if volume.size <= 0 or volume.size % size:
            raise RestoreError(f"volume size {volume.size} is not a multiple of block size {size}")
        with target.open("wb") as file:
            file.truncate(volume.size)
            one = _Block(store, backup, size, file.fileno(), volume.size, sleep, wanted)
            with ThreadPoolExecutor(workers) as pool:
                running = [pool.submit(one.restore, *block) for block in backup.blocks]
                try:
                    for ended in as_completed(running):
                        ended.result()
                finally:
                    pool.shutdown(cancel_futures=True)


def _records(store: Store, origin: Origin) -> tuple[VolumeRecord, BackupRecord]:
    key = records.volume_key(origin.volume)
    try:
        volume = records.parse_volume(store.get(key))
        key = records.backup_key(origin.volume, origin.backup)
        backup = records.parse_backup(store.get(key))
    except MissingError:
        raise RestoreError(f"cannot find {key} in backupstore") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RestoreError(f"{key} cannot be read: {error}") from None
    if not backup.finished:
        raise RestoreError(f"{key} is of a backup that was never finished")
    return volume, backup


def _block_size(backup: BackupRecord) -> int:
    text = (backup.parameters or {}).get(records.BLOCK_SIZE_PARAMETER, "")
    try:
        return quantity(text or "0") or DEFAULT_BLOCK_SIZE
    except ValueError as error:
        raise RestoreError(f"invalid block size: {error}") from None


@dataclass(frozen=True)
class _Block:
    """Brings one block after the other from the store into the file."""

    store: Store
    backup: BackupRecord
    size: int
    file: int
    end: int
    sleep: Callable[[float], None]
    wanted: Callable[[], bool]

    def restore(self, offset: int, digits: str) -> None:
        if not self.wanted():
            raise RestoreError("backup restoration is cancelled: the volume is gone")
        if offset < 0 or offset % self.size or offset + self.size > self.end:
            raise RestoreError(f"block {digits} lies outside the volume, at {offset}")
        content = self._content(digits)
        if os.pwrite(self.file, content, offset) != len(content):
            raise RestoreError(f"block {digits} could not be written whole; is the disk full?")

    def _content(self, digits: str) -> bytes:
        """Tries again what may be different a moment later; a wrong checksum is not."""
        for pause in (*RETRY_SECONDS, None):
            try:
                return self._verified(digits)
            except (StoreError, BlockError) as error:
                if pause is None:
                    raise RestoreError(
                        f"failed after {len(RETRY_SECONDS) + 1} attempts: "
                        f"failed to read block {self._key(digits)}: {error}"
                    ) from error
                self.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _key(self, digits: str) -> str:
        return records.block_key(self.backup.volume, digits)

    def _verified(self, digits: str) -> bytes:
        stored = self.store.get(self._key(digits))
        content = decompressed(self.backup.compression, stored, self.size)
        if records.checksum(content) != digits:
            raise RestoreError(
                f"checksum verification failed for block {self._key(digits)} "
                f"of backup {self.backup.name}"
            )
        if len(content) != self.size:
            raise RestoreError(f"block {self._key(digits)} holds {len(content)} bytes")
        return content
