"""The drill's own reader pods: one for each restored claim that no held pod has open.

Such a pod does nothing: commands are run in it. It stands before any restored workload, and it is
also what volumes wait for that are made only when a pod wants them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drills.coverage.live import namespace_of
from drills.coverage.volume_info import Method
from drills.frame import NotCompared
from drills.sandbox.hold import Idle, can_be_held, specification
from drills.sandbox.marks import Run
from drills.sandbox.plan import Plan
from drills.sandbox.wish import Contents
from drills.volumes.sources import Source
from kube.velero.api import Object, name

VOLUME = "volume"
"""How a reader pod names its claim's volume."""

DEVICE = "/dev/backstop"
"""Where a raw one stands in it, and is left alone."""

_PLACEMENT = ("nodeSelector", "tolerations", "affinity")
_BLOCK = "Block"


@dataclass(frozen=True)
class ReaderPod:
    """A reader pod that is to be made.

    `origin`: the claim's namespace in the backup, `namespace`: its sandbox. `during`: the restore
    waits for the pod. `block`: a raw device, of which the pod is only the consumer. `read_only`:
    nobody may write to the volume. `placement`: the parts of a pod's specification that say where
    it may run.
    """

    origin: str
    namespace: str
    claim: str
    during: bool = False
    block: bool = False
    read_only: bool = False
    placement: Mapping[str, Any] = field(default_factory=dict)

    def source(self, run: Run) -> Source | None:
        """What is read in it; None for a raw device."""
        if self.block:
            return None
        return Source(
            self.origin, self.claim, pod_name(run, self.claim), VOLUME, namespace=self.namespace
        )


def reader_pods(plan: Plan, contents: Contents) -> list[ReaderPod]:
    """A pod for each claim that is restored with data, and not through a held pod; in order.

    `contents`: what `plan` was made of. Claims whose copy is of nothing get none (`plan.empty`).
    """
    saved = {(namespace_of(one), name(one)): one for one in contents.claims}
    during = {(one.namespace, one.claim) for one in plan.consumers if one.during}
    found = []
    for (origin, claim), record in sorted(plan.filled.items()):
        if record.method is Method.FILE_SYSTEM:
            continue
        spec = saved[origin, claim].get("spec") or {}
        sandbox = plan.mapping[origin]
        found.append(
            ReaderPod(
                origin,
                sandbox,
                claim,
                during=(sandbox, claim) in during,
                block=spec.get("volumeMode") == _BLOCK,
                read_only=set(spec.get("accessModes") or ()) == {"ReadOnlyMany"},
                placement=_placement(origin, claim, contents.pods),
            )
        )
    return found


def most_in_one(pods: Iterable[ReaderPod]) -> int:
    """How many of them share a sandbox at most: what the quota of each has to leave room for."""
    return max(Counter(one.namespace for one in pods).values(), default=0)


def not_readable(pods: Iterable[ReaderPod]) -> list[NotCompared]:
    """Claims that are restored, and of which nothing is read."""
    return [
        NotCompared(
            f"content of {one.origin}/{one.claim}",
            1,
            "it is a raw block device (volumeMode Block), and has no files to read",
        )
        for one in pods
        if one.block
    ]


def pod_name(run: Run, claim: str) -> str:
    """One name for one claim of a sandbox."""
    return run.name(f"reader-{claim}")


def manifest(run: Run, pod: ReaderPod, idle: Idle) -> dict[str, Any]:
    """The Pod object: as a held pod, one idle container with the volume mounted read-only.

    No fsGroup is set: the kubelet would change the group and mode of every file for it.
    """
    # The claim itself is not asked for read-only. A snapshot of a running volume has a journal that
    # is still to be replayed; ext4 and XFS refuse to be mounted from a device that cannot be
    # written to then, and a sound volume would look lost. The container's own mount is read-only,
    # so the kernel writes what every later mount would write, and the reader nothing. Only where
    # the claim allows no writer, some drivers mount it in no other way.
    source: dict[str, Any] = {"claimName": pod.claim}
    if pod.read_only:
        source["readOnly"] = True
    volume = {"name": VOLUME, "persistentVolumeClaim": source}
    wanted = {"spec": {**pod.placement, "volumes": [volume]}}
    spec = specification(wanted, () if pod.block else (VOLUME,), idle)
    if pod.block:
        spec["volumes"] = [volume]
        spec["containers"][0]["volumeDevices"] = [{"name": VOLUME, "devicePath": DEVICE}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(run, pod.claim),
            "namespace": pod.namespace,
            "labels": run.labels(),
        },
        "spec": spec,
    }


def _placement(namespace: str, claim: str, pods: Iterable[Object]) -> dict[str, Any]:
    """Where the claim's own pod may run: its nodes may be tainted, its volume bound to some.

    To tolerate every taint instead would lead readers to nodes that are down.
    """
    users = [one for one in pods if namespace_of(one) == namespace and claim in claims_of(one)]
    users.sort(key=lambda one: (not can_be_held(one), name(one)))
    spec = (users[0].get("spec") or {}) if users else {}
    return {key: spec[key] for key in _PLACEMENT if spec.get(key)}


def claims_of(pod: Object) -> set[str]:
    """The names of the claims that a pod mounts."""
    found = set()
    for one in (pod.get("spec") or {}).get("volumes") or ():
        if one.get("persistentVolumeClaim"):
            found.add(str(one["persistentVolumeClaim"].get("claimName")))
        elif one.get("ephemeral"):
            found.add(f"{name(pod)}-{one['name']}")
    return found
