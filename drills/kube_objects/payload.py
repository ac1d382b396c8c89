"""The payload of the drill of layer `kube-objects`: cluster, Velero, and what to restore."""

from typing import Literal

from drills.backup.payload import BackupPayload


class KubeObjectsPayload(BackupPayload):
    """`custom`: further kinds, `<plural>.<group>`, that are harmless to restore aside."""

    layer: Literal["kube-objects"]
    custom: tuple[str, ...] = ()
