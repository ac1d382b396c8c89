"""A restore aside, done: sandboxes made, Velero's restore watched, everything taken away again.

What is made and removed is decided in drills/sandbox; here it is only carried out. Everything that
is written bears the mark of this run, and nothing that lacks one is ever removed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from drills.frame import Clock, Progress
from drills.sandbox import fence, safety
from drills.sandbox.marks import LAYER_LABEL, Run
from drills.sandbox.plan import Plan
from drills.sandbox.safety import Refusal
from drills.sandbox.sweep import Found, Left, Step, Sweep, sweep
from drills.sandbox.wish import SYSTEM_NAMESPACES
from kube.errors import Cause, ClusterError
from kube.velero.api import Object, Velero, name
from kube.velero.removal import remove_restore
from kube.velero.restores import RestoreResult, create_restore, wait_restore
from kube.waiting import TimeoutPassedError, until
from kube.writer import ExistsError

REMOVAL_SECONDS = 180.0
_NAMESPACES = "/api/v1/namespaces"
_VOLUMES = "/api/v1/persistentvolumes"
_CONTENTS = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces"
# Of a namespace, what bears finalizers and whom it waits for, with the seconds of grace. A pod
# without any would be gone before its node let go of the volume.
_HELD = (
    ("/api/v1/namespaces/{}/pods", 1),
    ("/api/v1/namespaces/{}/persistentvolumeclaims", None),
    ("/apis/snapshot.storage.k8s.io/v1/namespaces/{}/volumesnapshots", None),
)


class RefusedError(Exception):
    """The drill must not go on; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


@dataclass
class Aside:
    """One run's restore aside, in the cluster that `velero` runs in."""

    velero: Velero
    run: Run
    clock: Clock
    progress: Progress

    def prepare(self, plan: Plan, *, readers: int = 0) -> None:
        """Makes the sandboxes and what the restore needs. `readers`: the drill's own pods in each.

        Raises:
            RefusedError: another run is alive, or a sandbox is somebody's.
            ClusterError: the cluster is not reached, or refuses.
        """
        found = self.found()
        alive = safety.running(
            [*found.namespaces, *found.restores, *found.config_maps], self.run, self.clock.now()
        )
        if alive is not None:
            raise RefusedError(alive)
        there = {name(one): one for one in found.namespaces}
        for called in plan.mapping.values():
            refusal = safety.target(
                called, there.get(called), self.run, sources=plan.mapping,
                system=(*SYSTEM_NAMESPACES, self.velero.namespace),
            )  # fmt: skip
            if refusal is not None:
                raise RefusedError(refusal)
        self._take_lease()
        for called in plan.mapping.values():
            self._fence(called, plan.pods.get(called, 0) + readers)
        writer, place = self.velero.writer, f"{_NAMESPACES}/{self.velero.namespace}"
        writer.create(f"{place}/configmaps", plan.config_map)

    def _take_lease(self) -> None:
        """Decides between runs that look at the same time and see nobody."""
        wanted = safety.lease(self.run, self.velero.namespace)
        leases = f"{_LEASES}/{self.velero.namespace}/leases"
        try:
            self.velero.writer.create(leases, wanted)
            return
        except ExistsError:
            held = f"{leases}/{name(wanted)}"
        found = self._found(held)
        refusal = safety.leased(found, self.run, self.clock.now())
        if refusal is not None:
            raise RefusedError(refusal)
        # Its run is dead. Of two that see that, one meets the other's change, and is refused.
        version = (found.get("metadata") or {}).get("resourceVersion")
        marks = {"labels": self.run.labels(), "resourceVersion": version}
        self.velero.writer.merge(held, {"metadata": marks, "spec": wanted["spec"]})

    def _fence(self, called: str, pods: int) -> None:
        writer = self.velero.writer
        writer.create(_NAMESPACES, fence.namespace(self.run, called))
        policies = f"/apis/networking.k8s.io/v1/namespaces/{called}/networkpolicies"
        writer.create(policies, fence.deny_all(self.run, called))
        quota = fence.quota(self.run, called, pods=pods)
        writer.create(f"{_NAMESPACES}/{called}/resourcequotas", quota)

    def restore(
        self, plan: Plan, seconds: float, begun: Callable[[], None] | None = None
    ) -> RestoreResult:
        """Has Velero restore, and waits for its end; `begun` is called when it has the order.

        Raises ClusterError, VeleroError.
        """
        made = create_restore(self.velero, plan.restore)
        if begun is not None:
            begun()
        return wait_restore(self.velero, made, seconds=seconds, say=self.progress)

    def take_away(self, known: Iterable[str] = ()) -> tuple[str, tuple[Left, ...]]:
        """Removes what this run made, and what dead runs left. Says what, and what stays.

        `known`: ids of runs of this site that are over. Raises ClusterError.
        """
        removed, dead = 0, frozenset(known)

        def look() -> Sweep:
            now, own = self.clock.now(), self.run.run_id
            return sweep(self.found(), self.run.site, now, own=own, known=dead)

        # Each look may show more: a volume is freed only when its namespace is gone.
        for _ in range(4):
            plan = look()
            if not plan.steps:
                break
            for stage in sorted({step.stage for step in plan.steps}):
                steps = [step for step in plan.steps if step.stage is stage]
                removed += self._carry_out(steps)
        left = look()
        unmet = tuple(
            Left(step.kind, step.namespace, step.name, "it does not go", debris=True)
            for step in left.steps
        )
        return f"{removed} objects removed", (*left.left, *unmet)

    def _carry_out(self, steps: Sequence[Step]) -> int:
        for step in steps:
            self._begin(step)
        paths = [_path(step) for step in steps if step.action == "delete"]
        try:
            until(lambda: self._gone(paths), self.velero.clock, REMOVAL_SECONDS, interval=1.0)
        except TimeoutPassedError:
            self.progress(f"{len(paths)} objects are still there after {REMOVAL_SECONDS:.0f} s")
        return len(steps)

    def _begin(self, step: Step) -> None:
        if step.action == "release":
            patch = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
            self.velero.writer.merge(_path(step), patch)
        elif step.kind == "Restore":
            uid = str(self._found(_path(step)).get("metadata", {}).get("uid", ""))
            remove_restore(self.velero, step.name, uid, seconds=REMOVAL_SECONDS, say=self.progress)
        else:
            self.velero.writer.delete(_path(step))
        if step.kind == "Namespace":
            # Only quicker: what is still there is for the namespace's own end.
            with suppress(ClusterError):
                self._empty(step.name)

    def _empty(self, called: str) -> None:
        """Removes what others hold on to, of a namespace that is going.

        Kubernetes begins with its objects after five seconds, and where a finalizer then keeps one
        it looks again only eight seconds later. Until it begins, all of these are let go.
        """
        for collection, grace_seconds in _HELD:
            path = collection.format(called)
            for one in self.velero.client.list(path):
                self.velero.writer.delete(f"{path}/{name(one)}", grace_seconds=grace_seconds)

    def _gone(self, paths: Sequence[str]) -> bool | None:
        return None if any(self._found(path) for path in paths) else True

    def _found(self, path: str) -> Object:
        try:
            return self.velero.client.get(path)
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return {}
            raise

    def found(self) -> Found:
        """What the cluster holds that a sweep has to know. Raises ClusterError."""
        listed: Callable[..., list[dict[str, Any]]] = self.velero.client.list
        own = f"{_NAMESPACES}/{self.velero.namespace}"
        return Found(
            namespaces=listed(_NAMESPACES),
            restores=listed(self.velero.collection("restores")),
            config_maps=listed(f"{own}/configmaps"),
            leases=listed(f"{_LEASES}/{self.velero.namespace}/leases"),
            contents=listed(_CONTENTS),
            volumes=listed(_VOLUMES),
        )


def is_own(found: Mapping[str, Any], run: Run) -> bool:
    """Whether the drill made this object itself, so that it is none that came back."""
    held: Mapping[str, str] = (found.get("metadata") or {}).get("labels") or {}
    wanted = run.labels()
    return LAYER_LABEL in held and all(held.get(key) == value for key, value in wanted.items())


_PLACES = {
    "Namespace": _NAMESPACES,
    "PersistentVolume": _VOLUMES,
    "VolumeSnapshotContent": _CONTENTS,
}
_PLURALS = {
    "Restore": "/apis/velero.io/v1/namespaces/{}/restores",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
}


def _path(step: Step) -> str:
    if step.kind in _PLACES:
        return f"{_PLACES[step.kind]}/{step.name}"
    return f"{_PLURALS[step.kind].format(step.namespace)}/{step.name}"
