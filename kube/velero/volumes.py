"""What Velero did for the volumes of one restore: file-system restores and data downloads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kube.velero.api import Object, Velero, moment, name, phase, status

RESTORE_UID_LABEL = "velero.io/restore-uid"
_DATA_GROUP = "velero.io/v2alpha1"
# Every other phase goes on by itself, or waits for a node agent.
_ENDED = frozenset({"Completed", "Failed", "Canceled"})


class Method(StrEnum):
    """How the data of a volume came back. A plain CSI snapshot leaves no record of this kind."""

    FILE_SYSTEM = "file-system"
    DATA_MOVER = "data-mover"


KINDS = {
    Method.FILE_SYSTEM: ("podvolumerestores", "velero.io/v1"),
    Method.DATA_MOVER: ("datadownloads", _DATA_GROUP),
}


@dataclass(frozen=True)
class VolumeRestore:
    """One volume. `namespace`: where it was restored to.

    `volume`: the claim's name for the data mover, "pod/volume" for a file-system restore. `source`:
    the namespace it was backed up from. `message`: whole, for its end says most (volume_faults.py).
    `bytes_done`, `bytes_total`: None before Velero knows.
    `seconds`: from its start to its end on Velero's clock, in whole seconds; None if it has not
    ended. `version`: the API server's, another one after each change.
    """

    name: str
    method: Method
    namespace: str
    volume: str
    source: str
    snapshot: str
    phase: str
    message: str
    node: str
    bytes_done: int | None
    bytes_total: int | None
    seconds: float | None
    version: str = ""

    @property
    def ended(self) -> bool:
        return self.phase in _ENDED


def volume_restores(velero: Velero, restore_uid: str) -> list[VolumeRestore]:
    """What belongs to the restore of that uid, by method and name. Raises ClusterError."""
    found = [
        _volume(method, one)
        for method, (plural, group) in KINDS.items()
        for one in velero.client.list(
            velero.collection(plural, group), labels={RESTORE_UID_LABEL: restore_uid}
        )
    ]
    return sorted(found, key=lambda one: (one.method, one.name))


def _volume(method: Method, found: Object) -> VolumeRestore:
    spec: dict[str, Any] = found.get("spec") or {}
    held = status(found)
    progress = held.get("progress") or {}
    pod, target = spec.get("pod") or {}, spec.get("targetVolume") or {}
    by_files = method is Method.FILE_SYSTEM
    return VolumeRestore(
        name=name(found),
        method=method,
        namespace=str((pod if by_files else target).get("namespace") or ""),
        volume=f"{pod.get('name', '')}/{spec.get('volume', '')}"
        if by_files
        else str(target.get("pvc") or ""),
        source=str(spec.get("sourceNamespace") or ""),
        snapshot=str(spec.get("snapshotID") or ""),
        phase=phase(found) or "New",
        message=str(held.get("message") or ""),
        node=str(held.get("node") or ""),
        bytes_done=_count(progress.get("bytesDone")),
        bytes_total=_count(progress.get("totalBytes")),
        seconds=_lasted(held),
        version=str((found.get("metadata") or {}).get("resourceVersion") or ""),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _lasted(held: Object) -> float | None:
    began, ended = moment(held.get("startTimestamp")), moment(held.get("completionTimestamp"))
    return (ended - began).total_seconds() if began and ended else None
