"""One Volume for each PersistentVolume of the driver, and what Longhorn knows of its claim.

Source: longhorn-manager controller/kubernetes_pv_controller.go, controller/volume_controller.go,
webhook/resources/volume/mutator.go.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from standins.longhorn import defaults, selection
from standins.longhorn.cluster import Cluster
from standins.longhorn.compression import METHODS
from standins.longhorn.kinds import (
    BACKUP_VOLUME,
    CLAIM,
    CLASS,
    DEFAULT_TARGET,
    DRIVER,
    PERSISTENT_VOLUME,
    POD,
    SNAPSHOT,
    VOLUME,
    Object,
    labels,
    name,
    namespace,
    spec,
    status,
    text,
)
from standins.longhorn.moments import stamp
from standins.longhorn.records import MIB
from standins.longhorn.restores import RefusedError, Restores
from standins.longhorn.sizes import volume_size

ATTACHED, DETACHED = "attached", "detached"
TARGET_LABEL = "backup-target"
ENDED = frozenset({"Succeeded", "Failed"})

log = logging.getLogger("longhorn-stand-in")

Status = dict[str, Any]


@dataclass
class Volumes:
    """All Volumes. `_refused`: why one has none, as it was told last."""

    cluster: Cluster
    restores: Restores
    _refused: dict[str, str] = field(default_factory=dict)

    def turn(self) -> datetime | None:
        """Makes, updates and removes Volumes until they are what the PersistentVolumes are.

        When to look again.
        """
        behind = {
            text(spec(one).get("csi") or {}, "volumeHandle"): one
            for one in self.cluster.all(PERSISTENT_VOLUME)
            if (spec(one).get("csi") or {}).get("driver") == DRIVER
        }
        pods = _pods_by_claim(self.cluster.all(POD))
        for handle, found in sorted(behind.items()):
            if handle:
                self._volume(handle, found, pods)
        for volume in self.cluster.all(VOLUME):
            if name(volume) not in behind:
                _remove(self.cluster, volume)
        self._refused = {one: why for one, why in self._refused.items() if one in behind}
        return self.restores.turn()

    def _volume(
        self, handle: str, found: Object, pods: dict[tuple[str, str], list[Object]]
    ) -> None:
        cluster = self.cluster
        reference = spec(found).get("claimRef") or {}
        place = (text(reference, "namespace"), text(reference, "name"))
        claim = cluster.find(CLAIM, place[1], place[0])
        volume = cluster.find(VOLUME, handle)
        if volume is None:
            volume = self._made(handle, found, claim)
        if volume is None:
            return
        wanted = selection.wanted_labels(labels(volume), labels(claim) if claim else {})
        gone = {key: None for key in selection.job_labels(labels(volume)) if key not in wanted}
        cluster.change(VOLUME, handle, {"metadata": {"labels": {**wanted, **gone}}})
        users = pods.get(place, []) if text(status(found), "phase") == "Bound" else []
        known = kubernetes_status(
            status(volume).get("kubernetesStatus") or {}, found, users, stamp(cluster.clock())
        )
        usual = _status(cluster, volume, known, users)
        cluster.change_status(VOLUME, handle, self.restores.status(volume, usual))

    def _made(self, handle: str, found: Object, claim: Object | None) -> Object | None:
        """A new Volume; None when it cannot be made, or another one was faster."""
        try:
            body = self._body(handle, found, claim)
        except (ValueError, RefusedError) as error:
            self._tell(handle, found, str(error))
            return None
        log.info("volume %s: there is a PersistentVolume for it", handle)
        return self.cluster.create(VOLUME, body)

    def _tell(self, handle: str, found: Object, why: str) -> None:
        if self._refused.get(handle) == why:
            return
        self._refused[handle] = why
        log.warning("PersistentVolume %s has no Volume: %s", name(found), why)
        # An object out of a listing does not say what it is.
        about = {"apiVersion": PERSISTENT_VOLUME.version, "kind": PERSISTENT_VOLUME.name, **found}
        self.cluster.tell(about, "ProvisioningFailed", f"there is no Longhorn volume for it: {why}")

    def _body(self, handle: str, found: Object, claim: Object | None) -> Object:
        """Raises ValueError, RefusedError."""
        cluster, parameters = self.cluster, self._parameters(found)
        target = parameters.get("backupTargetName") or DEFAULT_TARGET
        method = defaults.setting(cluster, "backup-compression-method")
        chosen = selection.wanted_labels(
            selection.class_labels(parameters.get("recurringJobSelector", "")),
            labels(claim) if claim else {},
        )
        wanted = {
            "size": str(volume_size(text(spec(found).get("capacity") or {}, "storage"))),
            "frontend": "blockdev",
            "dataEngine": "v1",
            "accessMode": "rwo",
            "numberOfReplicas": 1,
            "backupTargetName": target,
            "backupCompressionMethod": method if method in METHODS else "lz4",
            "backupBlockSize": str(block_size(cluster)),
        }
        url = parameters.get("fromBackup")
        origin = self.restores.admitted(url) if url else {}
        wanted |= spec(origin)
        marks = {**chosen, TARGET_LABEL: wanted["backupTargetName"]}
        if origin:
            marks |= labels(origin)
        return {"metadata": {"name": handle, "labels": marks}, "spec": wanted}

    def _parameters(self, found: Object) -> dict[str, str]:
        """The class's, which the driver writes into the PersistentVolume, as Longhorn's does."""
        storage_class = self.cluster.find(CLASS, text(spec(found), "storageClassName")) or {}
        held = (spec(found).get("csi") or {}).get("volumeAttributes") or {}
        return {**(storage_class.get("parameters") or {}), **held}


def block_size(cluster: Cluster) -> int:
    """Bytes of volume that a block of a backup covers, for new volumes."""
    return defaults.number(cluster, "default-backup-block-size") * MIB


def _status(cluster: Cluster, volume: Object, known: Status, users: list[Object]) -> Status:
    nodes = [text(spec(pod), "nodeName") for pod in users if is_running(pod)]
    last = _last_backup(cluster, volume)
    return {
        "ownerID": cluster.node,
        "state": ATTACHED if nodes else DETACHED,
        # What no engine runs for, Longhorn does not know.
        "robustness": "healthy" if nodes else "unknown",
        "currentNodeID": nodes[0] if nodes else "",
        "kubernetesStatus": known,
        "lastBackup": text(status(last), "lastBackupName") if last else "",
        "lastBackupAt": text(status(last), "lastBackupAt") if last else "",
    }


def is_running(pod: Object) -> bool:
    """Whether it is on a node and may use its volumes."""
    return bool(spec(pod).get("nodeName")) and text(status(pod), "phase") not in ENDED


def _last_backup(cluster: Cluster, volume: Object) -> Object | None:
    wanted = (name(volume), text(spec(volume), "backupTargetName"))
    for one in cluster.all(BACKUP_VOLUME):
        if (text(spec(one), "volumeName"), text(spec(one), "backupTargetName")) == wanted:
            return one
    return None


def _remove(cluster: Cluster, volume: Object) -> None:
    log.info("volume %s: its PersistentVolume is gone", name(volume))
    for one in cluster.all(SNAPSHOT):
        if text(spec(one), "volume") == name(volume):
            cluster.delete(SNAPSHOT, name(one))
    cluster.delete(VOLUME, name(volume))


def _pods_by_claim(pods: Iterable[Object]) -> dict[tuple[str, str], list[Object]]:
    found: dict[tuple[str, str], list[Object]] = {}
    for pod in pods:
        for volume in spec(pod).get("volumes") or ():
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim is None and "ephemeral" in volume:
                claim = f"{name(pod)}-{volume['name']}"
            if claim:
                found.setdefault((namespace(pod), claim), []).append(pod)
    return found


def kubernetes_status(held: Status, found: Object, users: list[Object], now: str) -> Status:
    """What Longhorn tells of a volume's claim and pods, from what it told before.

    The order of the keys is Go's, for backups bear all of it as text.
    """
    before = held if held.get("pvName") == name(found) else {}
    phase = text(status(found), "phase")
    claim = spec(found).get("claimRef") or {}
    bound = phase == "Bound"
    known = bound and bool(claim)
    lost = bool(before.get("pvcName")) and not known
    workloads = [_workload(pod) for pod in users] or list(before.get("workloadsStatus") or ())
    return {
        "pvName": name(found),
        "pvStatus": phase,
        "namespace": text(claim, "namespace") if known else text(before, "namespace"),
        "pvcName": text(claim, "name") if known else text(before, "pvcName"),
        "lastPVCRefAt": (text(before, "lastPVCRefAt") or now) if lost else "",
        "workloadsStatus": workloads,
        "lastPodRefAt": (text(before, "lastPodRefAt") or now) if workloads and not users else "",
    }


def _workload(pod: Object) -> Status:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return {
        "podName": name(pod),
        "podStatus": text(status(pod), "phase"),
        "workloadName": text(owners[0], "name"),
        "workloadType": text(owners[0], "kind"),
    }
