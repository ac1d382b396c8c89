"""Backups: made of a snapshot when their object appears, removed from the store with it.

Source: longhorn-manager controller/backup_controller.go, webhook/resources/backup/mutator.go.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from standins.longhorn import defaults
from standins.longhorn.backup_volumes import is_usable
from standins.longhorn.compression import UnknownMethodError
from standins.longhorn.kinds import (
    BACKUP,
    CLAIM,
    DEFAULT_TARGET,
    FINALIZER,
    JOB,
    SNAPSHOT,
    TARGET,
    VOLUME,
    Object,
    deleting,
    finalizers,
    labels,
    name,
    number,
    spec,
    status,
    text,
)
from standins.longhorn.locks import LockedError
from standins.longhorn.making import Wanted, make_backup
from standins.longhorn.moments import moment, stamp
from standins.longhorn.records import MIB, go_json
from standins.longhorn.removing import remove_backup
from standins.longhorn.selection import GROUP_PREFIX, JOB_PREFIX
from standins.longhorn.site import Site
from standins.longhorn.store_errors import StoreError
from standins.longhorn.store_sync import (
    ACCESS_MODE,
    COMPLETED,
    ONLY_OBJECT,
    TARGET_LABEL,
    VOLUME_LABEL,
    StoreSync,
    backup_status,
    backups_of,
    of_target,
)
from standins.longhorn.target import CredentialError

ENDED = frozenset({COMPLETED, "Error", "Unknown"})
JOBS_OF_VOLUME = "VolumeRecurringJobInfo"
# A removal that failed, for instance because a restore holds a lock, is tried again so much later.
RETRY = timedelta(seconds=30)
# So long a backup may come before its snapshot.
PATIENCE = timedelta(seconds=60)

log = logging.getLogger("longhorn-stand-in")


@dataclass
class Backups:
    """All backups. `done` is called with each that this process has completed."""

    site: Site
    done: Callable[[Object], None]
    _retries: dict[str, datetime] = field(default_factory=dict)

    def turn(self) -> datetime | None:
        """Starts what is due; when to look again at what has failed."""
        due: list[datetime] = []
        for found in self.site.cluster.all(BACKUP):
            if deleting(found):
                due += self._removal(found)
            else:
                due += self._creation(found)
        return min(due, default=None)

    # Creation

    def _creation(self, found: Object) -> list[datetime]:
        snapshot = self.site.cluster.find(SNAPSHOT, text(spec(found), "snapshotName"))
        found = self._admitted(found, snapshot)
        said = status(found)
        if not spec(found).get("snapshotName") or text(said, "state") in ENDED:
            return []
        volume = self.site.cluster.find(VOLUME, labels(found).get(VOLUME_LABEL, ""))
        target = self.site.cluster.find(TARGET, labels(found).get(TARGET_LABEL, ""))
        fault = self._fault(found, volume, target, snapshot)
        if fault:
            self._failed(found, fault)
        elif snapshot is None or not status(snapshot).get("readyToUse"):
            return self._wait(
                found, f"Waiting for the snapshot {spec(found)['snapshotName']} ready"
            )
        elif busy := self._being_removed(found):
            return self._wait(found, f"Waiting for the backup {busy} to be deleted")
        else:
            key, alone = f"backup {name(found)}", labels(found)[VOLUME_LABEL]
            self.site.tasks.start(key, lambda: self._make(name(found)), alone)
        return []

    def _admitted(self, found: Object, snapshot: Object | None) -> Object:
        """The backup with what the admission webhook adds to one."""
        volume_name = labels(found).get(VOLUME_LABEL) or text(spec(snapshot or {}), "volume")
        volume = self.site.cluster.find(VOLUME, volume_name) or {}
        target = labels(found).get(TARGET_LABEL) or text(spec(volume), "backupTargetName")
        metadata: Object = {"labels": {TARGET_LABEL: target or DEFAULT_TARGET}}
        if volume_name:
            metadata["labels"][VOLUME_LABEL] = volume_name
        if FINALIZER not in finalizers(found):
            metadata["finalizers"] = [*finalizers(found), FINALIZER]
        wanted: Object = {}
        if spec(found).get("snapshotName"):
            mode = text(spec(volume), "accessMode") or "rwo"
            wanted = {
                "labels": {ACCESS_MODE: mode, **(spec(found).get("labels") or {})},
                "backupMode": text(spec(found), "backupMode") or "incremental",
                "backupBlockSize": text(spec(volume), "backupBlockSize") or str(2 * MIB),
            }
        changes = {"metadata": metadata, "spec": wanted} if wanted else {"metadata": metadata}
        self.site.cluster.change(BACKUP, name(found), changes)
        return self.site.cluster.find(BACKUP, name(found)) or found

    def _fault(
        self,
        found: Object,
        volume: Object | None,
        target: Object | None,
        snapshot: Object | None,
    ) -> str:
        """Why the backup cannot be made, "" if nothing speaks against it."""
        wanted = text(spec(found), "snapshotName")
        if snapshot is None:
            created = moment(found["metadata"].get("creationTimestamp"))
            late = created is not None and self.site.cluster.clock() - created > PATIENCE
            return f"failed to get the snapshot {wanted} before enabling backup monitor" * late
        if text(status(snapshot), "error"):
            return f"the snapshot {wanted} has failed: {text(status(snapshot), 'error')}"
        if volume is None:
            wanted = labels(found).get(VOLUME_LABEL, "")
            return f'cannot find the corresponding volume: volumes.longhorn.io "{wanted}" not found'
        if text(spec(snapshot), "volume") != name(volume):
            return f"the snapshot {wanted} is of another volume than {name(volume)}"
        if not is_usable(target):
            return f"backup target {labels(found)[TARGET_LABEL]} is not available"
        return ""

    def _being_removed(self, found: Object) -> str:
        where = labels(found)
        for one in backups_of(self.site.cluster, where[TARGET_LABEL], where[VOLUME_LABEL]):
            if deleting(one) and text(status(one), "state") == "Deleting":
                return name(one)
        return ""

    def _wait(self, found: Object, why: str) -> list[datetime]:
        changes = {"state": "Pending", "messages": {"info": why}}
        self.site.cluster.change_status(BACKUP, name(found), changes)
        return [self.site.cluster.clock() + RETRY]

    def _failed(self, found: Object, message: str) -> None:
        log.warning("backup %s has failed: %s", name(found), message)
        now = stamp(self.site.cluster.clock())
        changes = {"state": "Error", "error": message, "lastSyncedAt": now, "messages": None}
        self.site.cluster.change_status(BACKUP, name(found), changes)

    def _make(self, backup: str) -> None:
        cluster = self.site.cluster
        found = cluster.find(BACKUP, backup)
        if found is None or deleting(found) or text(status(found), "state") in ENDED:
            return
        volume = cluster.find(VOLUME, labels(found)[VOLUME_LABEL])
        target = cluster.find(TARGET, labels(found)[TARGET_LABEL])
        snapshot = cluster.find(SNAPSHOT, text(spec(found), "snapshotName"))
        if volume is None or target is None or snapshot is None:
            return
        log.info("backup %s of volume %s is made", backup, name(volume))
        wanted = self._wanted(found, volume, snapshot)
        changes = {
            "ownerID": cluster.node,
            "state": "InProgress",
            "progress": 0,
            "messages": None,
            "snapshotName": wanted.snapshot,
            "snapshotCreatedAt": wanted.snapshot_created,
            "volumeSize": str(wanted.size),
        }
        cluster.change_status(BACKUP, backup, changes)
        try:
            store = self.site.store(target)
            made = make_backup(
                store,
                wanted,
                self.site.snapshots.image(wanted.snapshot),
                has_snapshot=self.site.snapshots.has,
                workers=max(defaults.number(cluster, "backup-concurrent-limit"), 1),
                sleep=self.site.sleep,
            )
            StoreSync(cluster, store, target).volume(name(volume))
        except (StoreError, CredentialError, LockedError, UnknownMethodError, OSError) as error:
            self._failed(found, str(error))
            return
        changes = backup_status(cluster, target, made.backup, made.volume)
        cluster.change_status(BACKUP, backup, changes)
        log.info("backup %s is complete: %d bytes sent", backup, made.backup.newly_uploaded)
        self.done(found)

    def _wanted(self, found: Object, volume: Object, snapshot: Object) -> Wanted:
        said = {**(spec(found).get("labels") or {}), JOBS_OF_VOLUME: self._jobs_of(volume)}
        return Wanted(
            backup=name(found),
            volume=name(volume),
            size=number(spec(volume), "size"),
            snapshot=name(snapshot),
            snapshot_created=text(status(snapshot), "creationTime"),
            compression=text(spec(volume), "backupCompressionMethod") or "lz4",
            storage_class=self._storage_class(volume),
            labels=said,
            mode=text(spec(found), "backupMode") or "incremental",
            block_size=max(number(spec(found), "backupBlockSize", 2 * MIB), MIB),
        )

    def _storage_class(self, volume: Object) -> str:
        known = status(volume).get("kubernetesStatus") or {}
        claim = self.site.cluster.find(CLAIM, text(known, "pvcName"), text(known, "namespace"))
        return text(spec(claim), "storageClassName") if claim else ""

    def _jobs_of(self, volume: Object) -> str:
        return jobs_of(labels(volume), self.site.cluster.all(JOB))

    # Removal

    def _removal(self, found: Object) -> list[datetime]:
        again = self._retries.get(name(found))
        if again is not None and again > self.site.cluster.clock():
            return [again]
        target = self.site.cluster.find(TARGET, labels(found).get(TARGET_LABEL, ""))
        volume = labels(found).get(VOLUME_LABEL, "")
        if not self._data_too(found, target, volume):
            self._release(found)
            return []
        key = f"removal of backup {name(found)}"
        self.site.tasks.start(key, lambda: self._remove(found, volume), volume)
        return []

    def _data_too(self, found: Object, target: Object | None, volume: str) -> bool:
        """Whether the backup goes from the store as well.

        Not when its BackupVolume goes or is gone: that takes its own data with it, or leaves them.
        """
        if target is None or not is_usable(target) or ONLY_OBJECT in labels(found):
            return False
        behind = of_target(self.site.cluster, name(target)).get(volume)
        return behind is not None and not deleting(behind)

    def _remove(self, found: Object, volume: str) -> None:
        cluster = self.site.cluster
        target = cluster.find(TARGET, labels(found)[TARGET_LABEL])
        if target is None:
            return
        log.info("backup %s of volume %s is removed from the store", name(found), volume)
        cluster.change_status(BACKUP, name(found), {"state": "Deleting", "messages": None})
        try:
            store = self.site.store(target)
            remove_backup(store, volume, name(found), self.site.sleep)
            self._release(found)
            StoreSync(cluster, store, target).volume(volume)
        except (StoreError, CredentialError, LockedError) as error:
            log.warning("backup %s could not be removed: %s", name(found), error)
            self._retries[name(found)] = cluster.clock() + RETRY
            changes = {"state": "Error", "messages": {"error": f"failed to delete backup: {error}"}}
            cluster.change_status(BACKUP, name(found), changes)

    def _release(self, found: Object) -> None:
        self._retries.pop(name(found), None)
        left = [one for one in finalizers(found) if one != FINALIZER]
        self.site.cluster.change(BACKUP, name(found), {"metadata": {"finalizers": left}})


def jobs_of(volume: Mapping[str, str], jobs: list[Object]) -> str:
    """The jobs that work on a volume, as a backup bears them (engineapi/backup_monitor.go)."""
    found: dict[str, Object] = {}
    for job in jobs:
        groups = [
            group for group in spec(job).get("groups") or () if f"{GROUP_PREFIX}/{group}" in volume
        ]
        named = f"{JOB_PREFIX}/{name(job)}" in volume
        if groups or named:
            about = {"jobSpec": spec(job), "fromGroup": groups, "fromJob": named}
            found[name(job)] = about
    return go_json(found)
