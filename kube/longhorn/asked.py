"""The Snapshot and the Backup that one asks of Longhorn, as its recurring jobs make them.

A Backup names its snapshot; the labels of both objects name the volume and its target, which
Longhorn's webhook holds against each other. What `spec.labels` says goes into the store with the
backup: by its key RecurringJob the job's retention finds it again, and by KubernetesStatus one
learns on the worst day whose volume it was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.longhorn.api import GROUP
from kube.longhorn.backups import CLAIM_LABEL, TARGET_LABEL, VOLUME_LABEL
from kube.longhorn.jobs import JOB_LABEL, Job
from kube.longhorn.volumes import Volume

_VOLUME_OF_SNAPSHOT_LABEL = "longhornvolume"
_LONGEST_LABEL = 63


@dataclass(frozen=True)
class Asked:
    """What is asked for one volume on behalf of one job. `marks`: labels of the objects besides."""

    namespace: str
    volume: Volume
    job: Job
    marks: Mapping[str, str]

    def snapshot(self, name: str) -> dict[str, Any]:
        """A Snapshot to be taken now. A detached volume is attached for it by Longhorn."""
        labels = {_VOLUME_OF_SNAPSHOT_LABEL: self.volume.name}
        wanted = {"volume": self.volume.name, "createSnapshot": True, "labels": self._noted()}
        return self._object("Snapshot", name, labels, wanted)

    def backup(self, name: str, snapshot: str) -> dict[str, Any]:
        """A Backup of a snapshot of the volume, into the volume's target."""
        labels = {VOLUME_LABEL: self.volume.name, TARGET_LABEL: self.volume.backup_target}
        noted = self._noted()
        if any(self.volume.known.values()):
            noted[CLAIM_LABEL] = json.dumps(self.volume.known)
        wanted = {"snapshotName": snapshot, "backupMode": "incremental", "labels": noted}
        return self._object("Backup", name, labels, wanted)

    def _object(
        self, kind: str, name: str, labels: Mapping[str, str], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        marked = {**labels, **self.marks}
        return {
            "apiVersion": GROUP,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace, "labels": marked},
            "spec": dict(wanted),
        }

    def _noted(self) -> dict[str, str]:
        return {**self.job.labels, JOB_LABEL: self.job.name}


def label_value(volume: str) -> str:
    """A volume's name as the value of a label of ours."""
    return volume[:_LONGEST_LABEL].rstrip("-_.")
