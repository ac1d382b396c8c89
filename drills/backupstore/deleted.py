"""A backup that retention deletes while it is read: its blocks go after its record."""

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import backup_key
from drills.backupstore.records import BackupRecord


def if_deleted(
    store: BackupStore, backup: BackupRecord, fault: BackupStoreError
) -> BackupStoreError:
    """What a fault of one of its blocks means: RECORD_MISSING if the backup is gone by now.

    Longhorn removes the record first (deltablock.go DeleteDeltaBlockBackup). Raises StoreError.
    """
    key = backup_key(backup.volume, backup.name)
    if fault.fault is not Fault.BLOCK_MISSING or store.objects.head(key) is not None:
        return fault
    return BackupStoreError(
        Fault.RECORD_MISSING, key, "the backup was deleted while it was read; take another one"
    )
