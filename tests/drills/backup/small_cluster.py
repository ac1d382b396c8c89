"""A small cluster in memory with a Velero that does as a test tells it, and its two clocks."""

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.backup.payload import CanaryClaims
from drills.backup.recorded import Recording
from drills.backup.truths import Truths
from drills.frame import Clock
from kube.client import Client
from kube.client import Clock as KubeClock
from kube.velero.api import Velero
from kube.writer import Writer
from tests.kube.fakes import AT, Time, ok, status

UID = "uid-of-the-cluster"
NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
CORE = {"namespaces": ("Namespace", False), "configmaps": ("ConfigMap", True),
        "events": ("Event", True),
        "persistentvolumeclaims": ("PersistentVolumeClaim", True)}  # fmt: skip
VELERO = {"schedules": ("Schedule", True), "backups": ("Backup", True)}
TEMPLATE = {"includedNamespaces": ["shop"], "metadata": {"labels": {"template": "t1"}}}


@dataclass
class SmallCluster:
    """`acts`: what happens while somebody waits, one act a pause; then the backup completes.

    `ahead`: seconds by which the API server's clock is ahead, `velero_ahead` the one of Velero's
    node. `silent`: groups whose own server does not answer. `canary`: what a first backup is to
    hold.
    """

    folder: Path
    ahead: float = 0.0
    velero_ahead: float | None = None
    acts: list[Callable[[], object]] = field(default_factory=list)
    silent: tuple[str, ...] = ()
    phase: str = "Completed"
    uid: str = UID
    time: Time = field(default_factory=Time)
    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    versions: int = 0
    runs: float = 0.0
    canary: CanaryClaims | None = None

    def __post_init__(self) -> None:
        for name in ("kube-system", "shop", "velero"):
            self.put("namespaces", "", name)
        self.objects["namespaces", "", "kube-system"]["metadata"]["uid"] = self.uid
        for name in ("one", "two", "three"):
            self.put("configmaps", "shop", name, data={"value": name})
        self.put("events", "shop", "noise")
        self.put("schedules", "velero", "nightly", spec={"template": TEMPLATE})

    def recording(self, uid: str = UID) -> Recording:
        clock = Clock(lambda: self.time.now, self.now)
        velero = Velero(
            self._client(),
            Writer(self._write, AT),
            "velero",
            KubeClock(lambda: self.time.now, self._pause),
        )
        return Recording(
            velero, self.truths(), uid, 60.0, clock, self.said.append, canary=self.canary
        )

    def truths(self) -> Truths:
        return Truths(self.folder)

    def now(self, ahead: float = 0.0) -> datetime.datetime:
        return NOON + datetime.timedelta(seconds=self.time.now + ahead)

    def put(self, plural: str, namespace: str, name: str, **content: Any) -> dict[str, Any]:
        self.versions += 1
        held = self.objects.get((plural, namespace, name), {})
        given = content.pop("metadata", {})
        metadata = {
            "name": name, **({"namespace": namespace} if namespace else {}),
            "uid": f"{plural}-{name}-{self.versions}", "creationTimestamp": shown(self.now()),
            **held.get("metadata", {}), **given, "resourceVersion": str(self.versions),
        }  # fmt: skip
        made = {**held, **content, "metadata": metadata}
        self.objects[plural, namespace, name] = made
        return made

    def remove(self, plural: str, namespace: str, name: str) -> None:
        del self.objects[plural, namespace, name]

    def backups(self) -> list[str]:
        return [name for plural, _, name in self.objects if plural == "backups"]

    def _pause(self, seconds: float) -> None:
        self.time.pass_by(seconds)
        if self.acts:
            self.acts.pop(0)()
            return
        for (plural, _, name), one in list(self.objects.items()):
            if plural == "backups" and "status" not in one:
                self.end(name)

    def end(self, name: str, phase: str = "") -> None:
        """Velero's word on a backup that ends now."""
        ahead = self.ahead if self.velero_ahead is None else self.velero_ahead
        began = self.objects["backups", "velero", name].get("began", self.time.now)
        self.put("backups", "velero", name, status={
            "phase": phase or self.phase, "progress": {"itemsBackedUp": 3, "totalItems": 3},
            "startTimestamp": shown(NOON + datetime.timedelta(seconds=began + ahead)),
            "completionTimestamp": shown(self.now(ahead)),
        })  # fmt: skip

    def _client(self) -> Client:
        return Client(
            lambda path, _query, _accept: self._read(path), AT, clock=self.time.clock(), patience=0
        )

    def _read(self, path: str) -> tuple[int, bytes]:
        parts = path.strip("/").split("/")
        if path == "/api":
            return ok({"versions": ["v1"]})
        if path == "/apis":
            return ok({"groups": [_group(one) for one in ("velero.io", *self.silent)]})
        if parts[:2] == ["api", "v1"]:
            return self._answer(parts[2:], CORE)
        if parts[1] in self.silent:
            return status(503, "the server is currently unable to handle the request")
        return self._answer(parts[3:], VELERO)

    def _answer(self, parts: list[str], kinds: Mapping[str, tuple[str, bool]]) -> tuple[int, bytes]:
        if not parts:
            verbs = ["list", "create", "get", "delete"]
            return ok({"resources": [
                {"name": plural, "kind": kind, "namespaced": inside, "verbs": verbs}
                for plural, (kind, inside) in kinds.items()
            ]})  # fmt: skip
        inside = len(parts) > 2 and parts[0] == "namespaces"
        namespace = parts[1] if inside else ""
        plural, *name = parts[2:] if inside else parts
        if name:
            found = self.objects.get((plural, namespace, name[0]))
            return ok(found) if found else status(404, f"{plural} {name[0]} not found", "NotFound")
        # Objects of a list are as they are when it is asked for.
        listed = [
            one for key, one in self.objects.items()
            if key[0] == plural and namespace in ("", key[1])
        ]  # fmt: skip
        return ok({"items": listed, "metadata": {"resourceVersion": str(self.versions)}})

    def _write(
        self, method: str, path: str, _query: Any, _headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        assert (method, path) == ("POST", "/apis/velero.io/v1/namespaces/velero/backups")
        given = json.loads(body)
        metadata = given["metadata"]
        if ("backups", "velero", metadata["name"]) in self.objects:
            return status(409, "it is there already", "AlreadyExists")
        created = shown(self.now(self.ahead))
        return ok(self.put(
            "backups", "velero", metadata["name"], spec=given["spec"], began=self.time.now,
            metadata={"labels": metadata["labels"], "creationTimestamp": created},
        ))  # fmt: skip


def shown(time: datetime.datetime) -> str:
    """A time as the API server shows it: in whole seconds, cut off."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _group(name: str) -> dict[str, Any]:
    return {"name": name, "preferredVersion": {"version": "v1"}, "versions": [{"version": "v1"}]}
