"""A whole site for the drill: a cluster in memory, a store of files, volumes of this machine.

What Velero would do is done at once; volumes are read for real, by the reader that pods get.
"""

import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from drills.aside import Aside
from drills.backup.archive import Reader
from drills.backup.course import Course
from drills.backup.kept_files import KeptFiles
from drills.backup.truths import Truths as RecordedTruths
from drills.canary.truth import Truth, TruthError
from drills.coverage import volume_info
from drills.coverage.volume_info import VolumeRecord
from drills.frame import Clock, Record, run_phases
from drills.lease import Lease
from drills.objects.keys import ObjectKey
from drills.sandbox.hold import Idle
from drills.sandbox.marks import Run
from drills.usable.edges import Edges as CheckEdges
from drills.volumes.digest_index import KeptDigests
from drills.volumes.drill import Edges, Lens, VolumesDrill
from drills.volumes.payload import VolumesPayload
from drills.volumes.readers import Edges as ReaderEdges
from drills.volumes.readers import Readers
from kube.client import Client
from kube.velero.api import Velero
from kube.velero.volumes import RESTORE_UID_LABEL
from kube.writer import Writer
from s3.errors import Cause, StoreError
from tests.drills.canary.canaries import FEW, VOLUME, Memory, keeper
from tests.drills.canary.canaries import SITE as SITE_NAME
from tests.drills.canary.canaries import Clock as Ticks
from tests.drills.coverage.sites import files, made, packed
from tests.drills.objects import archives
from tests.drills.sandbox.runs import NOW
from tests.drills.volumes.reader_cluster import READY, Message, Shell
from tests.kube import kubeconfigs
from tests.kube.fakes import AT, Time, items, ok, status

UID = "uid-of-the-cluster"
VELERO = "/apis/velero.io/v1/namespaces/velero"
DOWNLOADS = "/apis/velero.io/v2alpha1/namespaces/velero/datadownloads"
CANARY, CLAIM = "backstop-canary", "beats"
HOUR = datetime.timedelta(hours=1)


def payload_fields(**changes: Any) -> dict[str, Any]:
    """The payload as JSON holds it; the canary and a closed list of namespaces are in it."""
    return {
        "schema": 1, "layer": "volumes", "site": SITE_NAME, "endpoint": "https://store:1",
        "region": "r", "caPem": "", "onRed": "fail", "control": "none",
        "clients": [{"name": "drill", "accessKey": "SENTINEL-A", "secretKey": "SENTINEL-B"}],
        "limits": {"rtoSeconds": 600, "rpoSeconds": 86400, "readSeconds": 60},
        "evidence": None, "receiptsDir": None, "restorePoint": "latest",
        "cluster": {"kubeconfig": kubeconfigs.text(), "uid": UID},
        "velero": {"namespace": "velero", "location": "default", "bucket": "dev-velero"},
        "reader": {"image": "python:1"},
        "canary": {
            "namespace": CANARY, "bucket": "dev-evidence", "prefix": "canary/",
            "volumes": [{"name": VOLUME, "claim": CLAIM}],
        },
        **changes,
    }  # fmt: skip


def payload_of(**changes: Any) -> VolumesPayload:
    return VolumesPayload.model_validate(payload_fields(**changes))


@dataclass
class Files:
    """The location's files in memory; a restore's results are `results`, None for none."""

    held: dict[str, bytes]
    results: bytes | None = field(default_factory=lambda: packed({}))

    def pieces(self, path: str) -> Iterator[bytes]:
        content = self.results if path.startswith("restores/") else self.held.get(path)
        if content is None:
            raise StoreError(Cause.OBJECT_MISSING, f"no object {path}")
        yield content


@dataclass
class Truths:
    """Truths in memory. `fault`: what every question is answered with."""

    memory: Memory = field(default_factory=Memory)
    fault: TruthError | StoreError | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)

    def truth(self, volume: str, generation: int) -> Truth | None:
        self.asked.append((volume, generation))
        if self.fault is not None:
            raise self.fault
        return self.memory.truth(generation)

    def numbers(self, volume: str, after: int = 0) -> Iterator[int]:
        raise AssertionError(f"a drill asks for what {volume} holds, not for all after {after}")


class ShellByClaim(Shell):
    """Finds the volumes by the names of their claims: every reader pod has its own mount."""

    def _run(self, query: Sequence[tuple[str, str]]) -> list[Message]:
        *others, (key, last) = query
        named = last.partition("=")[0]
        assert key == "command"
        return super()._run([*others, (key, f"{named}={named}")])


def claim_of(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace,
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                 "volumeName": f"pv-{name}", **spec},
        "status": {"phase": "Bound"},
    }  # fmt: skip


def moved(namespace: str, name: str, size: int = 1, **more: Any) -> dict[str, Any]:
    """What the backup's list says of a volume that the data mover took."""
    return {
        "pvcName": name, "pvcNamespace": namespace, "pvName": f"pv-{name}",
        "backupMethod": "CSISnapshot", "snapshotDataMoved": True, "result": "succeeded",
        "snapshotDataMovementInfo": {"snapshotHandle": "h", "size": size, "Phase": "Completed"},
        **more,
    }  # fmt: skip


def size_of(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


Place = tuple[str, str, str, str]
"""Group and version, namespace ("" for none), plural, name."""


def place_of(path: str) -> Place:
    """Name "" for a collection."""
    parts = path.strip("/").split("/")
    count = 2 if parts[0] == "api" else 3
    prefix, rest = "/".join(parts[:count]), parts[count:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return prefix, namespace, rest[0], rest[1] if len(rest) > 1 else ""


def merged(held: Any, patch: Any) -> Any:
    """JSON merge patch, RFC 7386."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(held) if isinstance(held, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


@dataclass
class Cluster:
    """`changes`: (method, path) of every write. `fates`: a pod's status by a part of its name.

    `restore_status`: of a new Restore, at once; `downloads`: its volumes' records by their paths;
    `on_restore`: what else comes of it. `broken`: what every reading raises. `refused`: paths that
    may not be read. `staying`: what is not let go.
    """

    objects: dict[Place, dict[str, Any]] = field(default_factory=dict)
    fates: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    restore_status: dict[str, Any] = field(default_factory=lambda: {"phase": "Completed"})
    on_restore: Callable[[dict[str, Any]], None] = lambda _restore: None
    downloads: Callable[[dict[str, Any]], Mapping[str, dict[str, Any]]] = lambda _restore: {}
    staying: set[str] = field(default_factory=set)
    broken: Exception | None = None
    refused: set[str] = field(default_factory=set)
    time: Time = field(default_factory=Time)
    versions: int = 0

    def put(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        prefix, namespace, plural, name = place_of(path)
        metadata = {**(content.get("metadata") or {}), "name": name}
        metadata.setdefault("uid", f"uid-{name}")
        self.versions += 1
        metadata["resourceVersion"] = str(self.versions)
        if namespace:
            metadata["namespace"] = namespace
        held = {**content, "metadata": metadata}
        self.objects[prefix, namespace, plural, name] = held
        return held

    def velero(self) -> Velero:
        clock = self.time.clock()
        return Velero(
            Client(self._read, AT, clock=clock, patience=0.0),
            Writer(self._write, AT, clock=clock), "velero", clock,
        )  # fmt: skip

    def drilled(self) -> list[str]:
        """Names of what a drill made and is still there."""
        return [key[3] for key in self.objects if "backstop-drill-" in f"{key[1]}/{key[3]}"]

    def _has_namespace(self, called: str) -> bool:
        return ("api/v1", "", "namespaces", called) in self.objects

    def _other_version(self, path: str, asked: Mapping[str, Any]) -> tuple[int, bytes] | None:
        """What a Lease answers to a change of another state of it."""
        held = self.objects.get(place_of(path))
        if held is None:
            return status(404, "there is no such Lease", "NotFound")
        given = asked.get("preconditions") or asked.get("metadata") or {}
        if given.get("resourceVersion") != held["metadata"]["resourceVersion"]:
            return status(409, "the object has been modified", "Conflict")
        return None

    def _read(self, path: str, query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        if self.broken is not None:
            raise self.broken
        if path in self.refused:
            return status(403, "no", "Forbidden")
        prefix, namespace, plural, name = place_of(path)
        if name:
            found = self.objects.get((prefix, namespace, plural, name))
            return ok(found) if found else status(404, f"{path} not found", "NotFound")
        fields, labels = (
            dict(part.split("=", 1) for part in query.get(key, "").split(",") if part)
            for key in ("fieldSelector", "labelSelector")
        )
        return items(
            *(
                one
                for (other, inside, kind, called), one in self.objects.items()
                if (other, kind) == (prefix, plural)
                and namespace in ("", inside)
                and fields.get("metadata.name", called) == called
                and labels.items() <= (one["metadata"].get("labels") or {}).items()
            )
        )

    def _write(
        self, method: str, path: str, _query: Any, _headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        self.changes.append((method, path))
        name = place_of(path)[3]
        if method == "DELETE" and name in self.staying:
            return ok({})
        content = json.loads(body)
        if "/leases/" in path and (refused := self._other_version(path, content)) is not None:
            return refused
        if method == "DELETE":
            return self._delete(path)
        if method == "PATCH":
            assert "/leases/" in path, "the drill has nothing to PATCH"
            return ok(self.put(path, merged(self.objects[place_of(path)], content)))
        return self._create(path, content)

    def _delete(self, path: str) -> tuple[int, bytes]:
        _, _, plural, name = place = place_of(path)
        if self.objects.pop(place, None) is None:
            return status(404, f"{path} not found", "NotFound")
        if plural == "namespaces":
            self.objects = {key: one for key, one in self.objects.items() if key[1] != name}
        return ok({})

    def _create(self, path: str, content: dict[str, Any]) -> tuple[int, bytes]:
        prefix, namespace, plural, _ = place_of(path)
        called = content["metadata"]["name"]
        if (prefix, namespace, plural, called) in self.objects:
            return status(409, f"{called} already exists", "AlreadyExists")
        if namespace.startswith("backstop-drill-") and not self._has_namespace(namespace):
            return status(404, f'namespaces "{namespace}" not found', "NotFound")
        made = self.put(f"{path}/{called}", content)
        if plural == "pods":
            made["status"] = next(
                (one for part, one in self.fates.items() if part in called), READY
            )
        if plural == "restores":
            made["status"] = self.restore_status
            for place, one in self.downloads(made).items():
                self.put(place, one)
            self.on_restore(made)
        return ok(made)


def no_heartbeat(_work: Callable[[], None]) -> Callable[[], None]:
    """A test that wants one beats by itself."""
    return lambda: None


def run_through(drill: VolumesDrill) -> Record:
    return run_phases(drill.layer, drill.phases(), drill.closing(), drill.clock, lambda _line: None)


@dataclass
class DrillSite:
    """A canary with two generations and a volume of the user's, both moved by Velero.

    `volumes`: folders by claim. `listed`: what the backup says of its volumes. `archived`: what is
    in its archive beside claims; `claims`: the claims there, which live as well. `age`: of the
    backup, in hours; `beat_hours`: how long before it the canary began to write. `damaged`: what
    lies in the store instead. `acts`: what becomes of the readings on their way, in order.
    """

    folder: Path
    cluster: Cluster = field(default_factory=Cluster)
    truths: Truths = field(default_factory=Truths)
    claims: list[dict[str, Any]] = field(default_factory=list)
    archived: list[tuple[ObjectKey, dict[str, Any]]] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    volumes: dict[str, Path] = field(default_factory=dict)
    results: bytes | None = field(default_factory=lambda: packed({}))
    schedule: dict[str, Any] = field(default_factory=lambda: {"includedNamespaces": ["*"]})
    age: float = 2.0
    beat_hours: float = 1 / 6
    damaged: dict[str, bytes] = field(default_factory=dict)
    archived_uid: str | None = UID
    acts: list[Any] = field(default_factory=list)
    forgotten: int = 0
    runs: int = 0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add_volume("shop", "stock", {"a": b"one", "b": b"three"})
        canary = self.volumes[CLAIM] = self.folder / "volumes" / CLAIM
        began = NOW.timestamp() - (self.age + self.beat_hours) * 3600
        one = keeper(canary, clock=Ticks(began), files=FEW)
        for _ in range(2):
            assert one.write(self.truths.memory.put).error == ""
        self.claims.append(claim_of(CANARY, CLAIM))
        self.listed.append(moved(CANARY, CLAIM, size_of(canary)))

    def add_volume(
        self, namespace: str, claim: str, content: Mapping[str, bytes], **spec: Any
    ) -> None:
        """A claim with data, in the cluster, the backup and on this machine."""
        root = self.volumes[claim] = self.folder / "volumes" / claim
        root.mkdir(parents=True)
        for name, data in content.items():
            (root / name).write_bytes(data)
        self.claims.append(claim_of(namespace, claim, **spec))
        self.listed.append(moved(namespace, claim, size_of(root)))

    def lose(self, *claims: str, listed: Sequence[dict[str, Any]] = ()) -> None:
        """Takes what the backup says of claims out of its list; `listed` is said instead."""
        self.listed = [one for one in self.listed if one["pvcName"] not in claims] + [*listed]

    def build(self) -> None:
        """The cluster as it is before the drill."""
        put = self.cluster.put
        put("/api/v1/namespaces/kube-system", {"metadata": {"uid": UID}})
        for name in sorted({one["metadata"]["namespace"] for one in self.claims} | {"velero"}):
            put(f"/api/v1/namespaces/{name}", {
                "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
                "status": {"phase": "Active"}})  # fmt: skip
        for one in self.claims:
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            put(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}", one)
            put(f"/api/v1/persistentvolumes/pv-{name}", {
                "spec": {"storageClassName": "fast", "csi": {"driver": "d"},
                         "claimRef": {"namespace": namespace, "name": name}}})  # fmt: skip
        put("/apis/storage.k8s.io/v1/storageclasses/fast", {"provisioner": "d"})
        put(f"{VELERO}/backupstoragelocations/default", {"status": {"phase": "Available"}})
        put(f"{VELERO}/backups/daily-1", made("daily-1", self.age))
        template = {"spec": {"template": self.schedule}, "status": {"phase": "Enabled"}}
        put(f"{VELERO}/schedules/daily", template)
        put("/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node", {})
        put("/api/v1/nodes/cp1", {"status": {"nodeInfo": {"kubeletVersion": "v1.31.0"}}})

    def store(self) -> dict[str, bytes]:
        namespaces = sorted({one["metadata"]["namespace"] for one in self.claims} | {"velero"})
        kept = files("daily-1", volumes=self.listed, copies=[],
                     resources={"v1/Namespace": ["kube-system", *namespaces]})  # fmt: skip
        system = (ObjectKey("namespaces", "", "kube-system"),
                  {"apiVersion": "v1", "kind": "Namespace",
                   "metadata": {"name": "kube-system", "uid": self.archived_uid}})  # fmt: skip
        saved = [
            (ObjectKey("persistentvolumeclaims", one["metadata"]["namespace"],
                       one["metadata"]["name"]), one)
            for one in self.claims
        ]  # fmt: skip
        others = [system] if self.archived_uid else []
        tarball = archives.backup([*others, *saved, *self.archived])
        return {**kept, "backups/daily-1/daily-1.tar.gz": tarball, **self.damaged}

    def records(self) -> tuple[VolumeRecord, ...]:
        return volume_info.parse(self.listed, "daily-1")

    def drill(self, lens: Lens | None = None, **changes: Any) -> VolumesDrill:
        """A fresh drill of the site. `changes`: of its payload."""
        return self.made(payload_of(**changes), lens)

    def made(self, payload: VolumesPayload, lens: Lens | None = None) -> VolumesDrill:
        self.runs += 1
        self.cluster.downloads = self.downloads
        time = self.cluster.time
        clock = Clock(lambda: time.now, lambda: NOW)
        run = Run(SITE_NAME, "volumes", f"{self.runs:012x}", NOW, NOW + HOUR)
        velero = self.cluster.velero()
        store = cast("Reader", Files(self.store(), self.results))
        aside, recorded = Aside(velero, run, clock, self.say), RecordedTruths(self.folder)
        lease = Lease(velero, velero, run, clock, self.say, start=no_heartbeat)
        course = Course(payload, clock, run, velero, store, aside, lease, recorded)
        folder = self.folder / f"spool-{self.runs}"
        folder.mkdir()
        shell = ShellByClaim(self.volumes, time, acts=self.acts)
        readers = Readers(
            run, ReaderEdges(velero.client, velero.writer, shell, time.clock()),
            Idle("python:1"), folder, self.say,
        )  # fmt: skip
        checks = CheckEdges(velero.client, velero.writer, shell, time.clock(), clock, self.say)

        def forget() -> None:
            for one in folder.iterdir():
                one.unlink()
            folder.rmdir()
            self.forgotten += 1

        truths = None if payload.canary is None else self.truths
        digests = KeptDigests(KeptFiles(recorded), UID, folder)
        return VolumesDrill(course, Edges(readers, checks, truths, forget, digests), lens)

    def downloads(self, restore: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What Velero notes of every volume that it moved or copied back, all of them well."""
        mapping = restore["spec"]["namespaceMapping"]
        labels = {RESTORE_UID_LABEL: restore["metadata"]["uid"]}
        found: dict[str, dict[str, Any]] = {}
        for number, one in enumerate(self.listed):
            part = one.get("pvbInfo") or {}
            source = one.get("pvcNamespace") or part.get("podNamespace")
            sandbox = mapping.get(source)
            if one.get("snapshotDataMoved"):
                place = f"{DOWNLOADS}/download-{number}"
                spec = {"targetVolume": {"namespace": sandbox, "pvc": one["pvcName"]}}
            elif part:
                place = f"{VELERO}/podvolumerestores/copy-{number}"
                spec = {"pod": {"namespace": sandbox, "name": part["podName"]},
                        "volume": part["volumeName"]}  # fmt: skip
            else:
                continue
            found[place] = {
                "metadata": {"labels": labels}, "spec": {**spec, "sourceNamespace": source},
                "status": {"phase": "Completed"},
            }  # fmt: skip
        return found

    def say(self, line: str) -> None:
        self.told.append(line)

    def run(self, lens: Lens | None = None, **changes: Any) -> Record:
        self.build()
        return run_through(self.drill(lens, **changes))
