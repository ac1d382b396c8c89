"""What a backup says of each volume: how its data was taken, how much, and with which result.

Velero 1.18 keeps it beside the backup as `<backup>-volumeinfo.json.gz` (the model is in its
internal/volume/volumes_information.go). An entry is missing where a volume was never looked at, and
for a file-system copy also where the pod was gone when the backup ended; the copies themselves are
in `<backup>-podvolumebackups.json.gz`. Of data that is moved it first says nothing, and is written
again before the backup becomes Completed (pkg/backup/backup.go updateVolumeInfos).
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kube.velero.api import Object, moment, phase, status

CLAIM_ANNOTATION = "velero.io/pvc-name"


class Method(StrEnum):
    """How the data of a volume was taken."""

    CSI_SNAPSHOT = "csi-snapshot"
    DATA_MOVER = "data-mover"
    FILE_SYSTEM = "file-system"
    NATIVE_SNAPSHOT = "native-snapshot"


class VolumeInfoError(Exception):
    """The list of volumes cannot be read; the text is one sentence."""


@dataclass(frozen=True)
class VolumeRecord:
    """One volume in one backup.

    `claim` is "" for a volume that only a pod knows (an emptyDir). `method` None: its data was not
    taken; `why` says why, in Velero's words. `size`: bytes of data, for a CSI snapshot that was not
    moved the bytes a restored volume needs, None if Velero does not tell. `handle`: the snapshot's
    id, "" for a copy of an empty volume. `reclaim`: the policy of its PersistentVolume.
    """

    namespace: str
    claim: str
    volume: str
    method: Method | None
    succeeded: bool
    why: str = ""
    size: int | None = None
    handle: str = ""
    at: datetime.datetime | None = None
    pod: str = ""
    pod_volume: str = ""
    driver: str = ""
    reclaim: str = ""

    @property
    def has_data(self) -> bool:
        """Whether the volume can be restored from this backup, empty or not."""
        return self.method is not None and self.succeeded


class _Part(BaseModel):
    """The parts that differ by method; Velero gives some of their fields no JSON name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: int | None = None
    snapshot_handle: str = Field(alias="snapshotHandle", default="")
    driver: str = ""
    ready: bool | None = Field(alias="ReadyToUse", default=None)
    phase: str = Field(alias="Phase", default="")
    pod_name: str = Field(alias="podName", default="")
    pod_namespace: str = Field(alias="podNamespace", default="")
    volume_name: str = Field(alias="volumeName", default="")


class _PersistentVolume(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    reclaim_policy: str = Field(alias="reclaimPolicy", default="")


class _Info(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    claim: str = Field(alias="pvcName", default="")
    namespace: str = Field(alias="pvcNamespace", default="")
    volume: str = Field(alias="pvName", default="")
    method: str = Field(alias="backupMethod", default="")
    moved: bool = Field(alias="snapshotDataMoved", default=False)
    why: str = Field(alias="skippedReason", default="")
    result: str = ""
    started: str | None = Field(alias="startTimestamp", default=None)
    completed: str | None = Field(alias="completionTimestamp", default=None)
    csi: _Part = Field(alias="csiSnapshotInfo", default=_Part())
    movement: _Part = Field(alias="snapshotDataMovementInfo", default=_Part())
    native: _Part = Field(alias="nativeSnapshotInfo", default=_Part())
    copy_: _Part = Field(alias="pvbInfo", default=_Part())
    persistent: _PersistentVolume = Field(alias="pvInfo", default=_PersistentVolume())


_INFOS = TypeAdapter(list[_Info])
_METHODS = {
    "PodVolumeBackup": Method.FILE_SYSTEM,
    "CSISnapshot": Method.CSI_SNAPSHOT,
    "NativeSnapshot": Method.NATIVE_SNAPSHOT,
}


def parse(document: Sequence[Any], backup: str) -> tuple[VolumeRecord, ...]:
    """The records of `<backup>-volumeinfo.json.gz`. Raises VolumeInfoError."""
    try:
        infos = _INFOS.validate_python(list(document))
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise VolumeInfoError(
            f"the list of volumes of backup {backup} is not as Velero writes it, at {place}; is "
            "this Velero newer than 1.18?"
        ) from None
    return tuple(_record(info) for info in infos)


def _record(info: _Info) -> VolumeRecord:
    method = _METHODS.get(info.method)
    if method is Method.CSI_SNAPSHOT and info.moved:
        method = Method.DATA_MOVER
    part = _part(info, method)
    return VolumeRecord(
        namespace=info.namespace or part.pod_namespace,
        claim=info.claim,
        volume=info.volume,
        method=method,
        succeeded=_succeeded(info, method, part),
        why=info.why,
        size=part.size,
        handle=part.snapshot_handle,
        at=moment(info.completed or info.started),
        pod=part.pod_name,
        pod_volume=part.volume_name,
        driver=info.csi.driver,
        reclaim=info.persistent.reclaim_policy,
    )


def _part(info: _Info, method: Method | None) -> _Part:
    match method:
        case Method.FILE_SYSTEM:
            # Velero leaves out a size of nothing.
            return info.copy_.model_copy(update={"size": info.copy_.size or 0})
        case Method.DATA_MOVER:
            return info.movement
        case Method.CSI_SNAPSHOT:
            return info.csi
        case Method.NATIVE_SNAPSHOT:
            return info.native
        case None:
            return _Part()


def _succeeded(info: _Info, method: Method | None, part: _Part) -> bool:
    if info.result:
        return info.result == "succeeded"
    # Without a result only what cannot be misread counts: a snapshot that was ready, a copy or an
    # upload that was complete.
    if method is Method.CSI_SNAPSHOT:
        return part.ready is True and bool(part.snapshot_handle)
    return part.phase == "Completed"


def from_copies(copies: Iterable[Object]) -> tuple[VolumeRecord, ...]:
    """Records of the PodVolumeBackup objects in `<backup>-podvolumebackups.json.gz`.

    Raises AttributeError, TypeError or ValueError for what is no such object.
    """
    found = []
    for one in copies:
        spec, held = one.get("spec") or {}, status(one)
        pod = spec.get("pod") or {}
        annotations = (one.get("metadata") or {}).get("annotations") or {}
        found.append(
            VolumeRecord(
                namespace=str(pod.get("namespace") or ""),
                claim=str(annotations.get(CLAIM_ANNOTATION) or ""),
                volume="",
                method=Method.FILE_SYSTEM,
                succeeded=phase(one) == "Completed",
                size=int((held.get("progress") or {}).get("totalBytes") or 0),
                handle=str(held.get("snapshotID") or ""),
                at=moment(held.get("completionTimestamp")),
                pod=str(pod.get("name") or ""),
                pod_volume=str(spec.get("volume") or ""),
            )
        )
    return tuple(found)


def completed_by(
    records: Iterable[VolumeRecord], copies: Iterable[VolumeRecord]
) -> tuple[VolumeRecord, ...]:
    """`records`, and the copies that they do not tell of."""
    records = tuple(records)
    told = {(one.namespace, one.pod, one.pod_volume) for one in records if one.pod}
    claims = {(one.namespace, one.claim) for one in records if one.has_data and one.claim}
    missing = tuple(
        one
        for one in copies
        if (one.namespace, one.pod, one.pod_volume) not in told
        and (one.namespace, one.claim) not in claims
    )
    silent = {(one.namespace, one.claim) for one in missing if one.claim}
    kept = tuple(one for one in records if (one.namespace, one.claim) not in silent)
    return kept + missing
