"""BackupVolumes: read again when asked to, and removed with all of their data.

Source: longhorn-manager controller/backup_volume_controller.go.
"""

import logging

from standins.longhorn.kinds import (
    BACKUP_VOLUME,
    FINALIZER,
    TARGET,
    Object,
    deleting,
    finalizers,
    labels,
    name,
    spec,
    status,
    text,
)
from standins.longhorn.locks import LockedError
from standins.longhorn.moments import moment
from standins.longhorn.removing import remove_volume
from standins.longhorn.site import Site
from standins.longhorn.store_errors import StoreError
from standins.longhorn.store_sync import ONLY_OBJECT, StoreSync
from standins.longhorn.target import CredentialError

log = logging.getLogger("longhorn-stand-in")


def turn(site: Site) -> None:
    """Starts what is due."""
    for found in site.cluster.all(BACKUP_VOLUME):
        volume = text(spec(found), "volumeName")
        if deleting(found):
            key = f"removal of backup volume {name(found)}"
            site.tasks.start(key, lambda found=found: _remove(site, found), volume)  # type: ignore[misc]
        elif _asked_for(found):
            key = f"backup volume {name(found)}"
            site.tasks.start(key, lambda found=found: _read(site, found))  # type: ignore[misc]


def is_usable(target: Object | None) -> bool:
    """Whether the target can be worked with now (utils.go, isBackupTargetAvailable)."""
    return (
        target is not None
        and not deleting(target)
        and bool(text(spec(target), "backupTargetURL"))
        and bool(status(target).get("available"))
    )


def _asked_for(found: Object) -> bool:
    last = moment(status(found).get("lastSyncedAt"))
    requested = moment(spec(found).get("syncRequestedAt"))
    return last is not None and requested is not None and requested > last


def _read(site: Site, found: Object) -> None:
    target = site.cluster.find(TARGET, text(spec(found), "backupTargetName"))
    if target is None or not is_usable(target):
        return
    try:
        volume = text(spec(found), "volumeName")
        StoreSync(site.cluster, site.store(target), target).volume(volume)
    except (StoreError, CredentialError) as error:
        log.warning("backup volume %s could not be read: %s", name(found), error)


def _remove(site: Site, found: Object) -> None:
    """Removes the data too, unless it is said not to or the target is not there."""
    target = site.cluster.find(TARGET, text(spec(found), "backupTargetName"))
    if target is not None and is_usable(target) and ONLY_OBJECT not in labels(found):
        volume = text(spec(found), "volumeName")
        log.info("volume %s: all of its backups are removed from the store", volume)
        try:
            remove_volume(site.store(target), volume, site.sleep)
        except (StoreError, CredentialError, LockedError) as error:
            log.warning("backup volume %s could not be removed: %s", name(found), error)
            return
    left = [one for one in finalizers(found) if one != FINALIZER]
    site.cluster.change(BACKUP_VOLUME, name(found), {"metadata": {"finalizers": left}})
