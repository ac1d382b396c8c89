"""Removes backups from the store, and the blocks that no other backup needs.

Source: longhorn/backupstore deltablock.go (DeleteDeltaBlockBackup, DeleteBackupVolume).
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from standins.longhorn import locks, records
from standins.longhorn.locks import LockType
from standins.longhorn.records import BackupRecord
from standins.longhorn.store import Store, delete_all
from standins.longhorn.store_errors import MissingError, StoreError

log = logging.getLogger("longhorn-stand-in")


def remove_backup(store: Store, volume: str, backup: str, sleep: Callable[[float], None]) -> None:
    """Removes a backup's record and then what nobody needs; one that is not there is removed.

    Blocks stay as long as a record cannot be read or a backup is being made. Raises StoreError,
    LockedError.
    """
    with locks.held(store, volume, LockType.DELETION, sleep):
        store.delete(records.backup_key(volume, backup))
        try:
            record = records.parse_volume(store.get(records.volume_key(volume)))
        except MissingError:
            return
        names = backup_names(store, volume)
        left = _all(store, volume, names)
        if record.last_backup == backup:
            newest = max(left or [], key=lambda one: one.snapshot_created, default=None)
            record = replace(
                record,
                last_backup=newest.name if newest else "",
                last_backup_at=newest.snapshot_created if newest else "",
            )
            store.put(records.volume_key(volume), records.volume_bytes(record))
        if left is None or set(backup_names(store, volume)) != set(names):
            log.info("blocks of volume %s stay: a backup is being made or cannot be read", volume)
            return
        count = _sweep(store, volume, {digits for one in left for _, digits in one.blocks})
        record = replace(record, block_count=count)
        store.put(records.volume_key(volume), records.volume_bytes(record))


def remove_volume(store: Store, volume: str, sleep: Callable[[float], None]) -> None:
    """Removes everything of a volume. Raises StoreError, LockedError."""
    with locks.held(store, volume, LockType.DELETION, sleep):
        delete_all(store, records.backups_folder(volume))
        delete_all(store, records.blocks_folder(volume))
        store.delete(records.volume_key(volume))
    delete_all(store, records.volume_folder(volume))


def backup_names(store: Store, volume: str) -> list[str]:
    """The backups of a volume, those included that are being made."""
    files = store.files(records.backups_folder(volume))
    return [name for name in map(records.backup_of, files) if name]


def _all(store: Store, volume: str, names: list[str]) -> list[BackupRecord] | None:
    """Every backup's record; None if one cannot be read or is not finished."""
    found = []
    for name in names:
        try:
            record = records.parse_backup(store.get(records.backup_key(volume, name)))
        except (StoreError, ValueError, KeyError, TypeError) as error:
            log.warning("backup %s of volume %s cannot be read: %s", name, volume, error)
            return None
        if not record.finished:
            return None
        found.append(record)
    return found


def _sweep(store: Store, volume: str, needed: set[str]) -> int:
    """Removes the blocks that are not needed; how many are left that are."""
    kept = 0
    for one in list(store.every(records.blocks_folder(volume))):
        digits = one.key.rpartition("/")[2].removesuffix(".blk")
        if digits in needed:
            kept += 1
        else:
            store.delete(one.key)
    return kept
