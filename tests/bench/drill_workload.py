"""A workload with a volume to restore, its backups by each method, and a restore by hand.

All of it bears one name and is taken away again. What Velero's repository holds of the data goes
by its own maintenance, days later: a store keeps about the volume's size per number of files.
"""

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kube import marks
from kube.errors import Cause, ClusterError
from kube.velero.api import ENDED, GROUP, Object, Velero, name, phase, status
from kube.velero.removal import remove_restore
from kube.velero.restores import Outcome, create_restore, wait_restore
from kube.waiting import wait_for
from tests.bench.drill_lab import DrillLab, kubectl

NAMESPACE = "backstop-bench"
POD = "workload"
DATA = "/data"
METHODS: Mapping[str, Mapping[str, bool]] = {
    "csi-snapshot": {"snapshotMoveData": False, "defaultVolumesToFsBackup": False},
    "data-mover": {"snapshotMoveData": True, "defaultVolumesToFsBackup": False},
    "file-system": {"snapshotMoveData": False, "defaultVolumesToFsBackup": True},
}
WAIT_SECONDS = 1800
_CONTENTS = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents"
_VOLUMES = "/api/v1/persistentvolumes"
_RESTORE_NAME = "velero.io/restore-name"
_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
# Bytes without a pattern, and the same ones each time: a store keeps them once, however often this
# runs. By pieces, so that the pod's memory does not grow with a file.
_FILL = """
import os, random, sys
files, size, root = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
source = random.Random(1)
for number in range(files):
    folder = f"{root}/{number // 100:03d}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{number:05d}", "wb") as file:
        left = size
        while left:
            left -= file.write(source.randbytes(min(left, 1 << 20)))
os.sync()
"""


@contextmanager
def workload(lab: DrillLab, files: int, total_bytes: int) -> Iterator[None]:
    """A pod in a namespace of its own, whose volume holds `files` files without a pattern."""
    kubectl("apply", "-f", "-", stdin=_manifests(lab, total_bytes))
    try:
        kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=300s")
        size = total_bytes // files // 4 * 4  # whole words of the generator
        kubectl("-n", NAMESPACE, "exec", POD, "--", "python3", "-c", _FILL, str(files), str(size),
                DATA)  # fmt: skip
        yield
    finally:
        _remove_namespace(lab.velero, NAMESPACE)
        for one in lab.velero.client.list(lab.velero.collection("backuprepositories")):
            if (one.get("spec") or {}).get("volumeNamespace") == NAMESPACE:
                lab.velero.writer.delete(lab.velero.path("backuprepositories", name(one)))


@contextmanager
def backup(lab: DrillLab, method: str) -> Iterator[str]:
    """The name of a completed backup of the workload, taken by `method`."""
    payload, velero = lab.volumes(), lab.velero
    called = f"{NAMESPACE}-{method}-{secrets.token_hex(3)}"
    spec = {
        "includedNamespaces": [NAMESPACE], "storageLocation": payload.velero.location,
        "csiSnapshotTimeout": "10m0s", "ttl": "24h0m0s", **METHODS[method],
    }  # fmt: skip
    made = {
        "apiVersion": GROUP, "kind": "Backup", "spec": spec,
        "metadata": {"name": called, "namespace": velero.namespace,
                     "labels": marks.labels(payload.site)},
    }  # fmt: skip
    velero.writer.create(velero.collection("backups"), made)
    try:
        seen = wait_for(
            velero.client, velero.path("backups", called),
            lambda found: found is not None and phase(found) in ENDED,
            clock=velero.clock, seconds=WAIT_SECONDS,
        )  # fmt: skip
        held = status(seen.found or {})
        why = (
            held.get("failureReason") or f"{held.get('errors')} errors; is there room in the store"
        )
        assert held["phase"] == "Completed", f"backup {called} ended as {held['phase']}: {why}"
        yield called
    finally:
        _remove_backup(velero, called)


def servers(velero: Velero) -> frozenset[str]:
    """The running parts of Velero, by uid: where one was replaced meanwhile, no time is of use."""
    return frozenset(
        str(pod["metadata"]["uid"])
        for pod in velero.client.list(f"/api/v1/namespaces/{velero.namespace}/pods")
        if any(
            owner.get("kind") in ("ReplicaSet", "DaemonSet")
            for owner in pod["metadata"].get("ownerReferences") or ()
        )
    )


@dataclass(frozen=True)
class ByHand:
    """A restore with nothing but Velero, kubectl and sha256sum, in seconds.

    `restore`: until Velero says Completed. `start`: from then until the restored pod runs. `idle`:
    see `Claims`.
    """

    restore: float
    start: float
    hashing: float
    idle: float

    @property
    def seconds(self) -> float:
        return self.restore + self.hashing

    @property
    def with_start(self) -> float:
        return self.seconds + self.start


def restore_by_hand(lab: DrillLab, saved: str, files: int) -> ByHand:
    """Restores the backup into another namespace, sums its files there, and takes it away."""
    velero = lab.velero
    target = f"{NAMESPACE}-{secrets.token_hex(3)}"
    manifest = {
        "apiVersion": GROUP, "kind": "Restore",
        "metadata": {"name": target, "namespace": velero.namespace, "labels": {NAMESPACE: target}},
        "spec": {"backupName": saved, "includedNamespaces": [NAMESPACE],
                 "namespaceMapping": {NAMESPACE: target}},
    }  # fmt: skip
    uid = ""
    try:
        with Claims(lab.another_velero(), target) as claims:
            began = time.monotonic()
            made = create_restore(velero, manifest)
            uid = str(made["metadata"]["uid"])
            result = wait_restore(velero, made, seconds=WAIT_SECONDS)
            restored = time.monotonic()
            assert result.outcome is Outcome.COMPLETED, f"the restore by hand {result.outcome}"
            kubectl("-n", target, "wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=600s")
            started = time.monotonic()
            sums = kubectl("-n", target, "exec", POD, "--", "sh", "-c",
                           f"find {DATA} -type f -print0 | xargs -0 sha256sum")  # fmt: skip
            ended = time.monotonic()
        # Velero's own note of a restored copy is one more.
        found = [line for line in sums.splitlines() if "/.velero/" not in line]
        assert len(found) == files, f"{len(found)} of {files} files came back"
        return ByHand(restored - began, started - restored, ended - started, claims.idle)
    finally:
        _remove_restore(velero, target, uid)


@dataclass
class Claims:
    """How long a namespace's new claims lay idle: until Kubernetes asked for their volumes at all.

    Its volume controller looks at a claim as soon as it is there; Velero changes the claim at the
    same moment, and if the two collide the controller looks again only after 15 seconds or so. That
    happens with a restore by hand as with a drill, and by chance.
    """

    velero: Velero
    namespace: str
    idle: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _seen: dict[str, float] = field(default_factory=dict)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=60)

    def _watch(self) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims"
        while not self._over.wait(0.1):
            for one in self.velero.client.list(path):
                self._note(one)

    def _note(self, claim: Object) -> None:
        now = time.monotonic()
        began = self._seen.setdefault(name(claim), now)
        asked = _PROVISIONER in (claim["metadata"].get("annotations") or {})
        # The data mover binds its volume to the claim by itself.
        by_hand = bool((claim.get("spec") or {}).get("selector"))
        if not asked and not by_hand and phase(claim) == "Pending":
            self.idle = max(self.idle, now - began)


def _manifests(lab: DrillLab, total_bytes: int) -> str:
    reader = lab.volumes().reader
    return f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, namespace: {NAMESPACE}}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: {total_bytes * 3 // 2 + (256 << 20)}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: {POD}, namespace: {NAMESPACE}}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
  - name: idle
    image: {reader.image}
    imagePullPolicy: {reader.pull_policy}
    command: [sleep, infinity]
    volumeMounts: [{{name: data, mountPath: {DATA}}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
"""


def _remove_restore(velero: Velero, target: str, uid: str) -> None:
    if uid:
        remove_restore(velero, target, uid, seconds=WAIT_SECONDS, say=lambda _line: None)
    _remove_namespace(velero, target)
    for one in velero.client.list(_CONTENTS, labels={_RESTORE_NAME: target}):
        velero.writer.delete(f"{_CONTENTS}/{name(one)}")


def _remove_namespace(velero: Velero, called: str) -> None:
    """And waits until its volumes are gone too, so that their removal disturbs no later run."""
    path = f"/api/v1/namespaces/{called}"
    velero.writer.delete(path)
    _gone(velero, path)
    for one in velero.client.list(_VOLUMES):
        claim: Mapping[str, Any] = (one.get("spec") or {}).get("claimRef") or {}
        if claim.get("namespace") == called:
            _gone(velero, f"{_VOLUMES}/{name(one)}")


def _remove_backup(velero: Velero, called: str) -> None:
    path = velero.path("backups", called)
    try:
        found = velero.client.get(path)
    except ClusterError as error:
        if error.cause is not Cause.MISSING:
            raise
        return
    labels = {
        "velero.io/backup-name": called, "velero.io/backup-uid": str(found["metadata"]["uid"])
    }  # fmt: skip
    request = {
        "apiVersion": GROUP, "kind": "DeleteBackupRequest", "spec": {"backupName": called},
        "metadata": {"name": called, "namespace": velero.namespace, "labels": labels},
    }  # fmt: skip
    velero.writer.create(velero.collection("deletebackuprequests"), request)
    _gone(velero, path)


def _gone(velero: Velero, path: str) -> None:
    wait_for(velero.client, path, lambda found: found is None, clock=velero.clock, seconds=600)
