"""The objects by which Longhorn brings one volume back: a storage class, and a claim of it.

With the class's parameter `fromBackup` Longhorn's CSI driver makes a volume out of a backup. No
snapshot kinds are needed, and nothing that lives is touched. A class cannot be changed, so that
each volume of each run has its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.longhorn.live.trees import ImageTree
from drills.sandbox.marks import Run, shortened
from kube.longhorn.api import DRIVER
from kube.longhorn.jobs import ENABLED, GROUP_PREFIX
from kube.velero.api import EXCLUDE_LABEL

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
PART = "longhorn"
"""Of the name of the run's namespace."""

GROUP = "backstop-drill-none"
"""A group that no job serves. A volume without any label is in `default`, and backed up by it."""
GROUP_LABEL = f"{GROUP_PREFIX}{GROUP}"
_LONGEST = 63


@dataclass(frozen=True)
class Order:
    """One volume to be brought back. `url`: the backup's, as Longhorn says it. `size`: bytes of the
    new volume. `tree`: what the drill read in the same backup itself. `placement`: the parts of a
    pod's specification that say where one may run that uses the volume. `suffix`: what stands
    behind the volume's name in the receipt.
    """

    volume: str
    backup: str
    url: str
    target: str
    size: int
    tree: ImageTree
    placement: Mapping[str, Any]
    suffix: str = ""

    @property
    def told(self) -> str:
        """The volume as the receipt calls it."""
        return f"{self.volume}{self.suffix}"

    @property
    def claim(self) -> str:
        return shortened(self.volume, _LONGEST)


def sandbox(run: Run) -> str:
    """The run's namespace."""
    return run.name(PART)


def class_name(run: Run, order: Order) -> str:
    return run.name(order.volume)


def storage_class(run: Run, order: Order, further: Mapping[str, str]) -> dict[str, Any]:
    """`further`: parameters that say where Longhorn may put the volume."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": class_name(run, order), "labels": run.labels()},
        "provisioner": DRIVER,
        "parameters": {
            **further,
            # It is read once and then removed: a copy would only cost room and time.
            "numberOfReplicas": "1",
            "staleReplicaTimeout": "30",
            "fromBackup": order.url,
            "backupTargetName": order.target,
            "recurringJobSelector": json.dumps([{"name": GROUP, "isGroup": True}]),
            "fsType": order.tree.fs_type,
        },
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def claim(run: Run, order: Order) -> dict[str, Any]:
    """Its size is that of the backup's volume to the byte: Longhorn takes no other one."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": order.claim,
            "namespace": sandbox(run),
            "labels": {**run.labels(), EXCLUDE_LABEL: "true"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class_name(run, order),
            "resources": {"requests": {"storage": str(order.size)}},
        },
    }


def is_copy(labels: Mapping[str, str]) -> bool:
    """Whether a volume of Longhorn bears the label that its class gave it."""
    return labels.get(GROUP_LABEL) == ENABLED
