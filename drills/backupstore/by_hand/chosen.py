"""The volume and the backup that a command is about, however they are named."""

from collections.abc import Iterator

from drills.backupstore.catalog import BackupStore
from drills.backupstore.environment import SettingError
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import backups_folder
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.longhorn.lines import first_of
from drills.longhorn.origin import claim_of

_NOT_YET = frozenset({Fault.UNFINISHED, Fault.RECORD_MISSING})


def volume_of(store: BackupStore, name: str) -> VolumeRecord:
    """The volume of this name, or of this claim (NAMESPACE/NAME); without one the only one.

    Raises BackupStoreError, StoreError, and SettingError where the name fits none or several.
    """
    if name and "/" not in name:
        return store.volume(name)
    names = store.volumes()
    if name:
        found = [one for one in _readable(store, names) if _is_of(one, name)]
        fitting = [one.name for one in found]
        fits = f"{len(found)} volumes of claim {name}"
    else:
        found = [store.volume(names[0])] if len(names) == 1 else []
        fitting = names
        fits = f"{len(names)} volumes"
    if len(found) == 1:
        return found[0]
    listed = f": {first_of(fitting)}" if fitting else ""
    raise SettingError(f"the target holds {fits}{listed}; name one with --volume, as ls lists it")


def backup_of(store: BackupStore, volume: VolumeRecord, name: str) -> BackupRecord:
    """The backup of this name; without one the finished backup with the newest data.

    Raises BackupStoreError (RECORD_MISSING where there is none), StoreError.
    """
    if name:
        return store.backup(volume, name)
    names = store.backups(volume.name)
    if volume.last_backup_name in names:
        return store.backup(volume, volume.last_backup_name)
    newest = None
    for record in _finished(store, volume, names):
        if newest is None or record.snapshot_created > newest.snapshot_created:
            newest = record
    if newest is None:
        raise BackupStoreError(
            Fault.RECORD_MISSING, backups_folder(volume.name), "the volume has no finished backup"
        )
    return newest


def _readable(store: BackupStore, names: list[str]) -> Iterator[VolumeRecord]:
    for name in names:
        try:
            yield store.volume(name)
        except BackupStoreError:
            # What ls tells of it; another one may still be the one that is looked for.
            continue


def _is_of(volume: VolumeRecord, claim: str) -> bool:
    found = claim_of(volume.labels)
    return found is not None and "/".join(found) == claim


def _finished(store: BackupStore, volume: VolumeRecord, names: list[str]) -> Iterator[BackupRecord]:
    for name in names:
        try:
            yield store.backup(volume, name)
        except BackupStoreError as error:
            if error.fault not in _NOT_YET:
                raise
