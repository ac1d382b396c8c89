"""Restores: a Volume with `fromBackup` gets what the backup holds, before anybody may mount it.

Source: longhorn-manager webhook/resources/volume/mutator.go (what a new Volume takes over from the
backup), controller/volume_controller.go (checkAndInitVolumeRestore, checkAndFinishVolumeRestore,
closeVolumeDependentResources), controller/engine_controller.go (restoreBackup).
"""

import logging
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from standins.longhorn import conditions, defaults
from standins.longhorn.compression import UnknownMethodError
from standins.longhorn.kinds import (
    BACKUP,
    TARGET,
    VOLUME,
    Object,
    name,
    spec,
    status,
    text,
)
from standins.longhorn.locks import LockedError
from standins.longhorn.moments import stamp
from standins.longhorn.restoring import Origin, RestoreError, restore_image
from standins.longhorn.site import Site
from standins.longhorn.sizes import volume_size
from standins.longhorn.storage import StorageError
from standins.longhorn.store_errors import StoreError
from standins.longhorn.store_sync import VOLUME_LABEL, of_target
from standins.longhorn.target import CredentialError
from standins.longhorn.unpacking import UnpackError

FAULTED = "faulted"
CONDITION, IN_PROGRESS, FAILURE = "Restore", "RestoreInProgress", "RestoreFailure"
FAILURE_MESSAGE = "All replica restore failed and the volume became Faulted"
# What has to wait, for a lock or a credential, is tried again so much later.
RETRY = timedelta(seconds=10)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")

log = logging.getLogger("longhorn-stand-in")


class RefusedError(Exception):
    """Longhorn's admission would not let such a Volume in; one sentence."""


@dataclass
class Restores:
    """All restores."""

    site: Site
    _failed: set[str] = field(default_factory=set)
    _retries: dict[str, datetime] = field(default_factory=dict)

    def admitted(self, url: str) -> Object:
        """What a new Volume of this backup has, as its `metadata.labels` and its `spec`.

        Its size and its target are the backup's, whatever was asked for. Raises RefusedError.
        """
        cluster, origin = self.site.cluster, decoded(url)
        backup = cluster.find(BACKUP, origin.backup)
        if backup is None:
            raise RefusedError(
                f'cannot get backup {origin.backup}: backups.longhorn.io "{origin.backup}" '
                "not found"
            )
        target = text(status(backup), "backupTargetName")
        behind = of_target(cluster, target).get(origin.volume)
        if behind is None:
            raise RefusedError(
                f"cannot get backup volume for backup target {target} and volume "
                f"{origin.volume}: not found"
            )
        image = text(status(backup), "volumeBackingImageName")
        if image:
            raise RefusedError(f"failed to get backing image {image}: the stand-in has none")
        size = text(status(behind), "size") or text(status(backup), "volumeSize")
        try:
            wanted = {"fromBackup": url, "backupTargetName": target, "size": str(volume_size(size))}
        except ValueError:
            raise RefusedError(f"get invalid size for volume {size}") from None
        return {"metadata": {"labels": {VOLUME_LABEL: origin.volume}}, "spec": wanted}

    def status(self, volume: Object, usual: Object) -> Object:
        """The status of a Volume: the usual one, but for what has to do with a restore."""
        if not text(spec(volume), "fromBackup"):
            return {**usual, "restoreRequired": False}
        said = {**usual, "restoreRequired": True, "restoreInitiated": True}
        if self._ended(volume):
            return {**said, "restoreRequired": False, **self._condition(volume, "False")}
        if self._has_failed(volume):
            ended = {"state": "detached", "robustness": FAULTED, "currentNodeID": ""}
            return {**said, **ended, **self._condition(volume, "False", FAILURE, FAILURE_MESSAGE)}
        node = self.site.cluster.node
        # Attached to be written to, and to nobody else.
        running = {"state": "attached", "robustness": "healthy", "currentNodeID": node}
        return {**said, **running, **self._condition(volume, "True", IN_PROGRESS)}

    def turn(self) -> datetime | None:
        """Starts what is due; when to look again at what had to wait."""
        wanted = [one for one in self.site.cluster.all(VOLUME) if self._is_due(one)]
        most = defaults.number(self.site.cluster, "concurrent-volume-backup-restore-per-node-limit")
        running = sum(self.site.tasks.runs(_key(one)) for one in wanted)
        due: list[datetime] = []
        for one in wanted:
            again = self._retries.get(_key(one))
            if again is not None and again > self.site.cluster.clock():
                due.append(again)
            elif running < most and not self.site.tasks.runs(_key(one)):
                running += 1
                self.site.tasks.start(_key(one), lambda volume=one: self._restore(volume))  # type: ignore[misc]
        self.site.storage.sweep()
        return min(due, default=None)

    def _is_due(self, volume: Object) -> bool:
        return (
            bool(text(spec(volume), "fromBackup"))
            and bool(status(volume).get("restoreRequired"))
            and not self._ended(volume)
            and not self._has_failed(volume)
        )

    def _ended(self, volume: Object) -> bool:
        said = status(volume)
        before = bool(said.get("restoreInitiated")) and not said.get("restoreRequired")
        return before or self.site.storage.has_content(name(volume))

    def _has_failed(self, volume: Object) -> bool:
        return _key(volume) in self._failed or text(status(volume), "robustness") == FAULTED

    def _condition(self, volume: Object, state: str, reason: str = "", message: str = "") -> Object:
        held, now = status(volume).get("conditions") or (), stamp(self.site.cluster.clock())
        made = conditions.changed(held, CONDITION, state, now, reason=reason, message=message)
        return {"conditions": made}

    def _restore(self, volume: Object) -> None:
        cluster, site = self.site.cluster, self.site
        url = text(spec(volume), "fromBackup")
        log.info("volume %s is restored from %s", name(volume), url)
        try:
            origin = decoded(url)
            target = cluster.find(TARGET, text(spec(volume), "backupTargetName"))
            if target is None:
                raise CredentialError(f"no target {text(spec(volume), 'backupTargetName')}")
            store = site.store(target)
            site.storage.fill(
                name(volume),
                lambda image: restore_image(
                    store,
                    origin,
                    image,
                    workers=max(defaults.number(cluster, "restore-concurrent-limit"), 1),
                    sleep=site.sleep,
                    wanted=lambda: site.storage.awaits(name(volume)),
                ),
            )
        except (LockedError, CredentialError) as error:
            log.warning("volume %s has to wait for its backup: %s", name(volume), error)
            self._retries[_key(volume)] = cluster.clock() + RETRY
        except (
            RefusedError, RestoreError, StoreError, StorageError, UnpackError,
            UnknownMethodError, OSError,
        ) as error:  # fmt: skip
            self._fail(volume, str(error))
        else:
            log.info("volume %s is restored", name(volume))

    def _fail(self, volume: Object, why: str) -> None:
        if self.site.cluster.find(VOLUME, name(volume)) is None:
            log.info("volume %s is gone, and was not restored: %s", name(volume), why)
            return
        log.warning("volume %s could not be restored: %s", name(volume), why)
        self.site.cluster.tell(
            volume, "FailedRestore", f"the stand-in's replica failed the restore: {why}"
        )
        self.site.storage.tell_fault(name(volume))
        # The next turn says so in the Volume, which is written in one place alone.
        self._failed.add(_key(volume))


def decoded(url: str) -> Origin:
    """The names in a backup's URL (backupstore.go, DecodeBackupURL). Raises RefusedError."""
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        query = {}
    found = [query.get(key, [""])[0] for key in ("backup", "volume")]
    if not all(_NAME.fullmatch(one) for one in found):
        raise RefusedError(f"cannot get backup and volume name from backup URL {url}")
    return Origin(*found)


def _key(volume: Object) -> str:
    """By its identity, for another one of its name is restored anew."""
    return f"restore {name(volume)} {volume['metadata']['uid']}"
