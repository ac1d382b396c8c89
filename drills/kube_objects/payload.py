"""The payload of the drill of layer `kube-objects`: cluster, Velero, and what to restore."""

from typing import Annotated, Literal

from pydantic import Field

from drills.backup.payload import BackupLimits, BackupPayload


class ObjectLimits(BackupLimits):
    """`backup_seconds`: how long a backup may take that is made by hand, with its truth."""

    backup_seconds: Annotated[int, Field(gt=0, alias="backupSeconds")] = 3600


class KubeObjectsPayload(BackupPayload):
    """`custom`: further kinds, `<plural>.<group>`, that are harmless to restore aside."""

    layer: Literal["kube-objects"]
    limits: ObjectLimits
    custom: tuple[str, ...] = ()
