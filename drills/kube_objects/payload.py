"""The payload of the drill of layer `kube-objects`: cluster, Velero, and what to restore."""

from typing import Annotated, Literal

from pydantic import Field

from drills.backup.payload import BackupLimits, BackupPayload
from drills.volumes.digests_order import DigestsOrder


class ObjectLimits(BackupLimits):
    """`backup_seconds`: how long a backup may take that is made by hand, with its truth."""

    backup_seconds: Annotated[int, Field(gt=0, alias="backupSeconds")] = 3600


class KubeObjectsPayload(BackupPayload):
    """`custom`: further kinds, `<plural>.<group>`, that are harmless to restore aside.

    `digests`: the volumes that are read around a backup made by hand.
    """

    layer: Literal["kube-objects"]
    limits: ObjectLimits
    custom: tuple[str, ...] = ()
    digests: DigestsOrder | None = None
