"""A cluster and a store of answers written down: what the look at a site reads from."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from drills.coverage.live import Live
from drills.coverage.look import look
from drills.frame import Clock
from kube.client import Client
from kube.velero.api import Velero
from s3.errors import Cause, StoreError
from tests.drills.coverage.clusters import NOW, at, claim, namespace, pod, schedule, volume
from tests.kube.fakes import AT, Server, Time, items, ok, status

VELERO = "/apis/velero.io/v1/namespaces/velero"
COPIED = {
    "pvcName": "data", "pvcNamespace": "shop", "pvName": "pv-data",
    "backupMethod": "PodVolumeBackup", "result": "succeeded",
    "pvbInfo": {"size": 7, "volumeName": "data", "podName": "web-0", "podNamespace": "shop",
                "Phase": "Completed"},
}  # fmt: skip
MOVED = {
    "pvcName": "data", "pvcNamespace": "shop", "pvName": "pv-data", "backupMethod": "CSISnapshot",
    "snapshotDataMoved": True, "result": "succeeded",
    "snapshotDataMovementInfo": {"snapshotHandle": "beef", "size": 9, "Phase": "Completed"},
}  # fmt: skip
COPY = {
    "metadata": {"annotations": {"velero.io/pvc-name": "data"}},
    "spec": {"pod": {"namespace": "shop", "name": "web-0"}, "volume": "data"},
    "status": {"phase": "Completed", "progress": {"totalBytes": 7}},
}
RESOURCES = {"v1/Namespace": ["shop"], "v1/Pod": ["shop/web-0"]}


def packed(content: object) -> bytes:
    return gzip.compress(json.dumps(content).encode(), mtime=0)


def files(
    backup: str, *, volumes: object = (), copies: object = (), resources: object = None
) -> dict[str, bytes]:
    """The files of a backup in the store; copies None: there is no such file."""
    beside = f"backups/{backup}/{backup}"
    found = {
        f"{beside}-volumeinfo.json.gz": packed(volumes),
        f"{beside}-resource-list.json.gz": packed(RESOURCES if resources is None else resources),
    }
    if copies is not None:
        found[f"{beside}-podvolumebackups.json.gz"] = packed(copies)
    return found


def made(
    called: str, age: float, *, of: str = "daily", phase: str = "Completed", **more: Any
) -> dict[str, Any]:
    """A Backup that began `age` hours ago."""
    return {
        "metadata": {"name": called, "labels": {"velero.io/schedule-name": of}},
        "spec": {"storageLocation": more.pop("location", "default")},
        "status": {"phase": phase, "startTimestamp": at(age), "completionTimestamp": at(age),
                   **more},
    }  # fmt: skip


@dataclass
class Store:
    """Files by path; `fault`: what every reading raises. `read`: the paths that were asked for."""

    held: dict[str, bytes] = field(default_factory=dict)
    fault: StoreError | None = None
    read: list[str] = field(default_factory=list)

    def pieces(self, path: str) -> Iterator[bytes]:
        self.read.append(path)
        if self.fault is not None:
            raise self.fault
        if path not in self.held:
            raise StoreError(Cause.OBJECT_MISSING, f"no object {path}")
        content = self.held[path]
        for start in range(0, len(content), 16):
            yield content[start : start + 16]


@dataclass
class Site:
    """Collections by path, and single objects by theirs; every part of the cluster is protected.

    `too_old`: collections whose second page the cluster has forgotten, once.
    """

    store: Store = field(default_factory=lambda: Store(files("daily-1", volumes=[MOVED])))
    schedules: list[Any] = field(default_factory=lambda: [schedule()])
    backups: list[Any] = field(default_factory=lambda: [made("daily-1", 2)])
    deleting: list[Any] = field(default_factory=list)
    namespaces: list[Any] = field(default_factory=lambda: [namespace()])
    claims: list[Any] = field(default_factory=lambda: [claim()])
    volumes: list[Any] = field(default_factory=lambda: [volume()])
    pods: list[Any] = field(default_factory=lambda: [pod()])
    objects: dict[str, Any] = field(default_factory=dict)
    too_old: set[str] = field(default_factory=set)

    def live(self, **more: Any) -> Live:
        return look(self.velero(), self.store, Clock(now=lambda: NOW), location="default", **more)

    def velero(self) -> Velero:
        client = Client(self._answer, AT, clock=Time().clock(), patience=0.0)
        return Velero(client, Server().writer(), "velero", Time().clock())

    def _answer(self, path: str, query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        collections = {
            f"{VELERO}/schedules": self.schedules,
            f"{VELERO}/backups": self.backups,
            f"{VELERO}/deletebackuprequests": self.deleting,
            "/api/v1/namespaces": self.namespaces,
            "/api/v1/persistentvolumeclaims": self.claims,
            "/api/v1/persistentvolumes": self.volumes,
            "/api/v1/pods": self.pods,
        }
        if path in collections:
            # Two pages, for a cluster has more than one.
            second = bool(query.get("continue"))
            if second and path in self.too_old:
                self.too_old.remove(path)
                return status(410, "that state is too old", "Expired")
            part = collections[path][1:] if second else collections[path][:1]
            return items(*part, following="" if second else "more")
        if path in self.objects:
            return ok(self.objects[path])
        return status(404, f"nothing at {path}", "NotFound")
