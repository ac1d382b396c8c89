"""A small cluster whose every part is protected; tests take away what they need."""

import datetime
from typing import Any

from drills.coverage.live import LastBackup, Live
from drills.coverage.volume_info import Method, VolumeRecord

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def at(hours_ago: float) -> str:
    return (NOW - hours_ago * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


def namespace(name: str = "shop", *, made: float = 100, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": at(made), "labels": labels}
    return {"metadata": metadata, "status": {"phase": "Active"}}


def claim(name: str = "data", *, made: float = 100, phase: str = "Bound", **more: Any) -> Any:
    metadata = {
        "name": name,
        "namespace": more.pop("namespace", "shop"),
        "creationTimestamp": at(made),
        "labels": more.pop("labels", {}),
    }
    spec = {"volumeName": f"pv-{name}", "storageClassName": "fast", **more}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


def volume(name: str = "data", **source: Any) -> dict[str, Any]:
    spec = {"storageClassName": "fast", "capacity": {"storage": "10Gi"}}
    return {"metadata": {"name": f"pv-{name}"}, "spec": spec | (source or {"csi": {"driver": "d"}})}


def pod(name: str = "web-0", *, claims: tuple[str, ...] = ("data",), **more: Any) -> dict[str, Any]:
    """A running pod that mounts each claim under the claim's name."""
    volumes = [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims]
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": more.pop("labels", {}),
            "annotations": more.pop("annotations", {}),
        },
        "spec": {"nodeName": more.pop("node", "cp1"), "volumes": volumes},
        "status": {"phase": more.pop("phase", "Running")},
    }


def schedule(name: str = "daily", *, paused: bool = False, **template: Any) -> dict[str, Any]:
    spec = {"paused": paused, "template": {"includedNamespaces": ["*"], **template}}
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Enabled"}}


def record(name: str = "data", **more: Any) -> VolumeRecord:
    given: dict[str, Any] = {
        "namespace": "shop",
        "claim": name,
        "volume": f"pv-{name}",
        "method": Method.DATA_MOVER,
        "succeeded": True,
        "size": 1000,
        "at": NOW - 2 * HOUR,
    }
    return VolumeRecord(**{**given, **more})


def backup(
    *records: VolumeRecord, name: str = "daily-1", age: float = 2, **more: Any
) -> LastBackup:
    return LastBackup(name, NOW - age * HOUR, records, **more)


def live(**changed: Any) -> Live:
    given: dict[str, Any] = {
        "now": NOW,
        "namespaces": [namespace()],
        "claims": [claim()],
        "volumes": [volume()],
        "pods": [pod()],
        "schedules": [schedule()],
        "backups": {"daily": backup(record())},
    }
    return Live(**{**given, **changed})
