"""Brings the cluster's BackupVolumes and Backups in line with what a target holds.

Source: longhorn-manager controller/backup_target_controller.go (syncBackupVolume),
controller/backup_volume_controller.go (reconcile).
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta

from standins.longhorn import defaults, records
from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import (
    BACKUP,
    BACKUP_VOLUME,
    FINALIZER,
    Kind,
    Object,
    deleting,
    labels,
    name,
    owner,
    spec,
    status,
    text,
)
from standins.longhorn.moments import moment, stamp
from standins.longhorn.records import BackupRecord, VolumeRecord
from standins.longhorn.removing import backup_names
from standins.longhorn.store import Store
from standins.longhorn.store_errors import MissingError, StoreError
from standins.longhorn.target import backup_url

VOLUME_LABEL, TARGET_LABEL = "backup-volume", "backup-target"
ONLY_OBJECT = "longhorn.io/delete-custom-resource-only"
ACCESS_MODE = "longhorn.io/volume-access-mode"
COMPLETED, FAILED = "Completed", frozenset({"Error", "Unknown"})
NAME_DIGITS = 8

log = logging.getLogger("longhorn-stand-in")


def object_name(volume: str, target: str) -> str:
    """The name of a BackupVolume (types.go, GetBackupVolumeNameFromVolumeName)."""
    digits = hashlib.sha256(f"{volume}-{target}".encode()).hexdigest()
    return f"{volume}-{digits[:NAME_DIGITS]}"


def of_target(cluster: Cluster, target: str) -> dict[str, Object]:
    """The BackupVolumes of a target, by the volume."""
    return {
        text(spec(one), "volumeName"): one
        for one in cluster.all(BACKUP_VOLUME)
        if text(spec(one), "backupTargetName") == target
    }


@dataclass(frozen=True)
class StoreSync:
    """What one target holds, brought into the cluster."""

    cluster: Cluster
    store: Store
    target: Object

    def everything(self) -> None:
        """Raises StoreError."""
        # In this order: what is made meanwhile is found, and what is found is there.
        known = of_target(self.cluster, name(self.target))
        held = volume_names(self.store)
        for volume, found in known.items():
            if volume not in held:
                log.info("backup volume %s is not in the store any more", name(found))
                for one in backups_of(self.cluster, name(self.target), volume):
                    if text(status(one), "state") == COMPLETED:
                        remove_only(self.cluster, BACKUP, one)
                remove_only(self.cluster, BACKUP_VOLUME, found)
        for volume in held:
            self.volume(volume)

    def volume(self, volume: str) -> None:
        """One volume and its backups. Raises StoreError."""
        now = stamp(self.cluster.clock())
        found = of_target(self.cluster, name(self.target)).get(volume) or self._made(volume)
        if found is None or deleting(found):
            return
        key = records.volume_key(volume)
        try:
            record = records.parse_volume(self.store.get(key))
        except (MissingError, ValueError, KeyError, TypeError) as error:
            missing = isinstance(error, MissingError)
            said = f"cannot find {key} in backupstore" if missing else f"{key}: {error}"
            changes = {"messages": {"error": said}, "lastSyncedAt": now}
            self.cluster.change_status(BACKUP_VOLUME, name(found), changes)
            return
        self._backups(found, record)
        changes = {
            "ownerID": self.cluster.node,
            "lastModificationTime": stamp(self.store.modified(key)),
            "lastSyncedAt": now,
            **volume_status(record),
        }
        self.cluster.change_status(BACKUP_VOLUME, name(found), changes)

    def _made(self, volume: str) -> Object | None:
        target = name(self.target)
        metadata = {
            "name": object_name(volume, target),
            "labels": {TARGET_LABEL: target, VOLUME_LABEL: volume},
            "finalizers": [FINALIZER],
            "ownerReferences": [owner(self.target)],
        }
        wanted = {"backupTargetName": target, "volumeName": volume}
        return self.cluster.create(BACKUP_VOLUME, {"metadata": metadata, "spec": wanted})

    def _backups(self, found: Object, volume: VolumeRecord) -> None:
        target = name(self.target)
        known = {name(one): one for one in backups_of(self.cluster, target, volume.name)}
        held = set(backup_names(self.store, volume.name))
        for backup in sorted(held - set(known)):
            self._pull(found, volume, backup)
        for backup, one in known.items():
            if not one["metadata"].get("ownerReferences"):
                owned = {"metadata": {"ownerReferences": [owner(found)]}}
                self.cluster.change(BACKUP, backup, owned)
            if text(status(one), "state") == COMPLETED and backup not in held and not deleting(one):
                log.info("backup %s is not in the store any more", backup)
                remove_only(self.cluster, BACKUP, one)
            if _is_stale(self.cluster, one):
                self.cluster.delete(BACKUP, backup)

    def _pull(self, found: Object, volume: VolumeRecord, backup: str) -> None:
        """The object of a backup that somebody else made, or this cluster before it was lost."""
        key = records.backup_key(volume.name, backup)
        try:
            record = records.parse_backup(self.store.get(key))
        except (StoreError, ValueError, KeyError, TypeError) as error:
            log.warning("backup %s of volume %s cannot be read: %s", backup, volume.name, error)
            return
        if not record.finished:
            return
        said, parameters = record.labels or {}, record.parameters or {}
        metadata = {
            "name": backup,
            "labels": {TARGET_LABEL: name(self.target), VOLUME_LABEL: volume.name},
            "finalizers": [FINALIZER],
            "ownerReferences": [owner(found)],
        }
        wanted = {
            "labels": {ACCESS_MODE: said[ACCESS_MODE]} if ACCESS_MODE in said else {},
            "backupBlockSize": parameters.get(records.BLOCK_SIZE_PARAMETER) or str(2 * records.MIB),
        }
        if self.cluster.create(BACKUP, {"metadata": metadata, "spec": wanted}) is not None:
            changes = backup_status(self.cluster, self.target, record, volume)
            self.cluster.change_status(BACKUP, backup, changes)


def volume_names(store: Store) -> list[str]:
    """Every volume that has a folder in the store, with or without a record."""
    found = []
    for first in store.folders(records.VOLUMES):
        for second in store.folders(f"{records.VOLUMES}{first}/"):
            found += store.folders(f"{records.VOLUMES}{first}/{second}/")
    return sorted(found)


def volume_status(record: VolumeRecord) -> Object:
    return {
        "createdAt": record.created,
        "lastBackupName": record.last_backup,
        "lastBackupAt": record.last_backup_at,
        "dataStored": str(record.block_count * 2 * records.MIB),
        "size": str(record.size),
        "labels": dict(record.labels),
        "messages": None,
        "backingImageName": record.backing_image,
        "backingImageChecksum": record.backing_image_checksum,
        "storageClassName": record.storage_class,
    }


def backups_of(cluster: Cluster, target: str, volume: str) -> list[Object]:
    """The Backups of a volume in a target, by name."""
    wanted = {VOLUME_LABEL: volume, TARGET_LABEL: target}
    return [one for one in cluster.all(BACKUP) if wanted.items() <= labels(one).items()]


def _is_stale(cluster: Cluster, backup: Object) -> bool:
    """Whether it failed so long ago that Longhorn takes it away (failed-backup-ttl)."""
    ended = moment(status(backup).get("lastSyncedAt"))
    minutes = defaults.number(cluster, "failed-backup-ttl")
    failed = text(status(backup), "state") in FAILED and not deleting(backup)
    return (
        failed
        and ended is not None
        and minutes > 0
        and cluster.clock() > ended + timedelta(minutes=minutes)
    )


def backup_status(
    cluster: Cluster, target: Object, record: BackupRecord, volume: VolumeRecord
) -> Object:
    """What a Backup says when its record is in the store."""
    said = {
        key: one for key, one in (record.labels or {}).items() if key != "VolumeRecurringJobInfo"
    }
    return {
        "ownerID": cluster.node,
        "backupTargetName": name(target),
        "state": COMPLETED,
        "progress": 100,
        "url": backup_url(text(spec(target), "backupTargetURL"), record.volume, record.name),
        "error": "",
        "messages": None,
        "snapshotName": record.snapshot,
        "snapshotCreatedAt": record.snapshot_created,
        "backupCreatedAt": record.created,
        "size": str(record.size),
        "labels": said,
        "volumeName": volume.name,
        "volumeSize": str(volume.size),
        "volumeCreated": volume.created,
        "volumeBackingImageName": volume.backing_image,
        "compressionMethod": record.compression,
        "newlyUploadDataSize": str(record.newly_uploaded),
        "reUploadedDataSize": str(record.re_uploaded),
        "lastSyncedAt": stamp(cluster.clock()),
    }


def remove_only(cluster: Cluster, kind: Kind, found: Object) -> None:
    """Removes an object whose data stay where they are."""
    cluster.change(kind, name(found), {"metadata": {"labels": {ONLY_OBJECT: "true"}}})
    cluster.delete(kind, name(found))
