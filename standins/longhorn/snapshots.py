"""Snapshots: taken when their object appears, removed with it.

Source: longhorn-manager controller/snapshot_controller.go, webhook/resources/snapshot/mutator.go.
"""

import logging

from standins.longhorn.copying import CopyError
from standins.longhorn.image import ImageError
from standins.longhorn.kinds import (
    BACKUP,
    FINALIZER,
    SNAPSHOT,
    VOLUME,
    Object,
    deleting,
    finalizers,
    name,
    number,
    owner,
    spec,
    status,
    text,
)
from standins.longhorn.moments import stamp
from standins.longhorn.site import Site

log = logging.getLogger("longhorn-stand-in")


def turn(site: Site) -> None:
    """Starts what is due, and removes the images that belong to no object any more."""
    found = site.cluster.all(SNAPSHOT)
    for one in found:
        if deleting(one):
            _remove(site, one)
        else:
            _take(site, one)
    known = {name(one) for one in found}
    for left in site.snapshots.names() - known:
        if not site.tasks.runs(_key(left)):
            site.snapshots.remove(left)


def _key(snapshot: str) -> str:
    return f"snapshot {snapshot}"


def _take(site: Site, found: Object) -> None:
    volume = site.cluster.find(VOLUME, text(spec(found), "volume"))
    _claim(site, found, volume)
    said = status(found)
    if said.get("creationTime"):
        if said.get("readyToUse") and not site.snapshots.has(name(found)):
            _fail(site, found, "lost: the node does not have this snapshot any more")
        return
    if said.get("error"):
        return
    if volume is None:
        _fail(site, found, f"failed to get the volume {text(spec(found), 'volume')}: not found")
    elif not spec(found).get("createSnapshot"):
        _fail(site, found, "lost: cannot find the snapshot in the engine, and none is asked for")
    else:
        size = number(spec(volume), "size")
        site.tasks.start(_key(name(found)), lambda: _taken(site, found, size))


def _claim(site: Site, found: Object, volume: Object | None) -> None:
    """What the admission webhook adds."""
    changes: Object = {}
    if FINALIZER not in finalizers(found):
        changes["finalizers"] = [*finalizers(found), FINALIZER]
    if volume is not None and not found["metadata"].get("ownerReferences"):
        changes["ownerReferences"] = [owner(volume)]
    changes["labels"] = {"longhornvolume": text(spec(found), "volume")}
    site.cluster.change(SNAPSHOT, name(found), {"metadata": changes})


def _taken(site: Site, found: Object, size: int) -> None:
    volume = text(spec(found), "volume")
    log.info("snapshot %s of volume %s is taken", name(found), volume)
    try:
        moment = site.snapshots.make(name(found), volume, size)
        taken = site.snapshots.size(name(found))
    except (CopyError, ImageError, OSError) as error:
        _fail(site, found, str(error))
        return
    changes = {
        "ownerID": site.cluster.node,
        "creationTime": stamp(moment),
        "requestedTime": stamp(moment),
        "readyToUse": True,
        "userCreated": True,
        "markRemoved": False,
        "size": taken,
        "restoreSize": size,
        "labels": dict(spec(found).get("labels") or {}),
        "error": "",
    }
    site.cluster.change_status(SNAPSHOT, name(found), changes)


def _fail(site: Site, found: Object, message: str) -> None:
    log.warning("snapshot %s: %s", name(found), message)
    changes = {"ownerID": site.cluster.node, "readyToUse": False, "error": message}
    site.cluster.change_status(SNAPSHOT, name(found), changes)


def _remove(site: Site, found: Object) -> None:
    used = any(
        text(spec(one), "snapshotName") == name(found)
        and text(status(one), "state") == "InProgress"
        for one in site.cluster.all(BACKUP)
    )
    if used or site.tasks.runs(_key(name(found))):
        return
    site.snapshots.remove(name(found))
    left = [one for one in finalizers(found) if one != FINALIZER]
    site.cluster.change(SNAPSHOT, name(found), {"metadata": {"finalizers": left}})
