"""A restore aside, done: sandboxes made, Velero's restore watched, everything taken away again.

What is made and removed is decided in drills/sandbox; here it is only carried out. Everything that
is written bears the mark of this run, and nothing that lacks one is ever removed.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from drills.frame import Clock, Progress
from drills.sandbox import fence, hold_ups, leases, safety, stillness
from drills.sandbox.found import Found
from drills.sandbox.marks import LAYER_LABEL, Run
from drills.sandbox.plan import Plan
from drills.sandbox.safety import Cause as Why
from drills.sandbox.safety import Refusal, RefusedError
from drills.sandbox.stillness import Seen, Work
from drills.sandbox.sweep import Left, Step, Sweep, sweep
from drills.sandbox.wish import SYSTEM_NAMESPACES
from kube import places
from kube.errors import Cause, ClusterError
from kube.velero.api import Object, Velero, name
from kube.velero.removal import remove_restore
from kube.velero.restores import (
    STILL_SECONDS,
    Outcome,
    RestoreResult,
    create_restore,
    wait_restore,
)
from kube.velero.volumes import volume_restores
from kube.waiting import TimeoutPassedError, until

REMOVAL_SECONDS = 180.0
UNSEEN_SECONDS = 90.0
"""How long Velero's server may be behind: what it watches with waits 30 s at most, now and then
twice, before it asks the API server again (client-go's reflector)."""
_AGAIN_SECONDS = 5.0
# Velero's words (pkg/controller/restore_controller.go).
_NO_MODIFIERS = "failed to get resource modifiers configmap"
_NAMESPACES = "/api/v1/namespaces"
_VOLUMES = "/api/v1/persistentvolumes"
_SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1"
_CONTENTS = f"{_SNAPSHOTS}/volumesnapshotcontents"
# Of a namespace, what bears finalizers and whom it waits for, with the seconds of grace. A pod
# without any would be gone before its node let go of the volume.
_HELD = (
    ("/api/v1/namespaces/{}/pods", 1),
    ("/api/v1/namespaces/{}/persistentvolumeclaims", None),
    (f"{_SNAPSHOTS}/namespaces/{{}}/volumesnapshots", None),
)


@dataclass
class Aside:
    """One run's restore aside, in the cluster that `velero` runs in."""

    velero: Velero
    run: Run
    clock: Clock
    progress: Progress

    def others(self) -> Refusal | None:
        """Whether another run of this layer may be alive, by the marks of what it made.

        Raises ClusterError.
        """
        found = self.found()
        made = [*found.namespaces, *found.restores, *found.config_maps]
        return safety.running(made, self.run, self.clock.now())

    def make_room(self, seconds: float) -> None:
        """Takes away what dead runs left, before anything new is made; the run holds its Lease.

        A restore that Velero still works on is waited for, `seconds` at most: it restores one after
        the other, so that ours would stand behind it, and its time would be measured as ours. One
        that Velero has lost never ends, and is taken away as well.

        Raises:
            RefusedError: Velero is still at it.
            ClusterError: the cluster is not reached, or refuses.
        """
        plan, lost = self._look(), frozenset[str]()
        if plan.busy:
            self.progress(f"waiting for the end of {', '.join(plan.busy)}, which a dead run began")
            lost = self._wait_out(seconds)
        if plan.busy or plan.steps:
            told, _ = self.take_away(lost)
            self.progress(f"what dead runs left is taken away: {told}")

    def _wait_out(self, seconds: float) -> frozenset[str]:
        """Waits until Velero works on no restore of a dead run; the uids of those that it lost."""
        seen: tuple[Seen, ...] = ()
        reasons: dict[Work, str] = {}
        asked: dict[Work, float] = {}

        def over() -> tuple[Seen, ...] | None:
            nonlocal seen
            # After a look that fails nothing is known: it leaves nothing behind.
            before, seen = seen, ()
            seen = stillness.look(before, self._works(), self.velero.clock.now())
            for one in seen:
                if one.now - asked.get(one.work, one.since) >= STILL_SECONDS:
                    asked[one.work] = one.now
                    self._tell(one, reasons)
            return seen if all(one.lost for one in seen) else None

        try:
            lost = until(over, self.velero.clock, seconds)
        except TimeoutPassedError as error:
            if error.last is not None:
                raise error.last from None
            going_on = {one.work: reasons.get(one.work, "") for one in seen if not one.lost}
            raise RefusedError(_still_restored(going_on, seconds)) from None
        for one in lost:
            self.progress(_given_up(one))
        return frozenset(one.work.uid for one in lost)

    def _tell(self, one: Seen, reasons: dict[Work, str]) -> None:
        """Says what a restore of a dead run waits for, if that is new."""
        found = self._found(self.velero.path("restores", one.work.name))
        mapping: dict[str, str] = (found.get("spec") or {}).get("namespaceMapping") or {}
        why = self._waits_for(one.work.uid, mapping.values())
        if why and why != reasons.get(one.work):
            self.progress(f"{one.work} stands still: {why}")
        reasons[one.work] = why

    def _waits_for(self, restore_uid: str, namespaces: Iterable[str]) -> str:
        """What a restore into these namespaces waits for; "" if that is not to be seen."""
        try:
            return hold_ups.told(
                [self._held(called) for called in namespaces],
                volume_restores(self.velero, restore_uid),
            )
        except ClusterError as error:
            return f"what it waits for cannot be looked up: {error}"

    def _held(self, namespace: str) -> hold_ups.Held:
        listed, place = self.velero.client.list, f"{_NAMESPACES}/{namespace}"
        return hold_ups.Held(
            claims=listed(f"{place}/persistentvolumeclaims"),
            snapshots=listed(f"{_SNAPSHOTS}/namespaces/{namespace}/volumesnapshots"),
            pods=listed(f"{place}/pods"),
            events=listed(f"{place}/events"),
        )

    def _works(self) -> list[Work]:
        """What Velero works on of runs that are over, by the phases."""
        found = self.found()
        busy = self._swept(found).busy
        return [
            stillness.work(one, volume_restores(self.velero, str(one["metadata"]["uid"])))
            for one in found.restores
            if name(one) in busy
        ]

    def prepare(self, plan: Plan, *, readers: int = 0) -> None:
        """Makes the sandboxes and what the restore needs. `readers`: the drill's own pods in each.

        The ConfigMap is the first to come and the last to go: as long as it is there, nobody took
        anything of this run away.

        Raises:
            RefusedError: a sandbox is somebody's.
            ClusterError: the cluster is not reached, or refuses.
        """
        there = {name(one): one for one in self.velero.client.list(_NAMESPACES)}
        for called in plan.mapping.values():
            refusal = safety.target(
                called, there.get(called), self.run, sources=plan.mapping,
                system=(*SYSTEM_NAMESPACES, self.velero.namespace),
            )  # fmt: skip
            if refusal is not None:
                raise RefusedError(refusal)
        self.velero.writer.create(self.mark(plan).rpartition("/")[0], plan.config_map)
        for called in plan.mapping.values():
            self._fence(called, plan.pods.get(called, 0) + readers)

    def mark(self, plan: Plan) -> str:
        """Path of that ConfigMap."""
        return f"{_NAMESPACES}/{self.velero.namespace}/configmaps/{name(plan.config_map)}"

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

        Velero's server looks for the modifiers in its own copy of the cluster, which is behind
        after the API server was away: what it refuses for want of them is asked for again.

        Raises ClusterError, VeleroError.
        """
        clock = self.velero.clock
        began, patience = clock.now(), math.inf
        made = create_restore(self.velero, plan.restore)
        if begun is not None:
            begun()
        while True:
            left = max(0.0, began + seconds - clock.now())
            found = wait_restore(
                self.velero, made, seconds=left, say=self.progress,
                waits_for=partial(
                    self._waits_for, str(made["metadata"]["uid"]), plan.mapping.values()
                ),
            )  # fmt: skip
            if not self._overlooked(plan, found) or clock.now() >= min(patience, began + seconds):
                return found
            patience = min(patience, clock.now() + UNSEEN_SECONDS)
            self.progress("Velero has not seen the modifiers of this restore yet; asking again")
            remove_restore(
                self.velero, found.name, found.uid, seconds=REMOVAL_SECONDS, say=self.progress
            )
            clock.sleep(_AGAIN_SECONDS)
            made = create_restore(self.velero, plan.restore)

    def _overlooked(self, plan: Plan, result: RestoreResult) -> bool:
        """Whether Velero refused a restore for want of a ConfigMap that is there."""
        refused = result.outcome is Outcome.FAILED_VALIDATION and _NO_MODIFIERS in result.message
        return refused and bool(self._found(self.mark(plan)))

    def take_away(self, lost: Collection[str] = ()) -> tuple[str, tuple[Left, ...]]:
        """Removes what this run made, and what dead runs left. Says what, and what stays.

        The run's own Lease stays: it is given back when all else is done. `lost`: uids of restores
        that have not ended and go all the same. Raises ClusterError.
        """
        removed = 0
        # Each look may show more: a volume is freed only when its namespace is gone.
        for _ in range(4):
            plan = self._look(lost)
            if not plan.steps:
                break
            for stage in sorted({step.stage for step in plan.steps}):
                steps = [step for step in plan.steps if step.stage is stage]
                removed += self._carry_out(steps)
        left = self._look(lost)
        unmet = tuple(
            Left(step.kind, step.namespace, step.name, "it does not go", debris=True)
            for step in left.steps
        )
        return f"{removed} objects removed", (*left.left, *unmet)

    def _look(self, lost: Collection[str] = ()) -> Sweep:
        return self._swept(self.found(), lost)

    def _swept(self, found: Found, lost: Collection[str] = ()) -> Sweep:
        run, now = self.run, self.clock.now()
        return sweep(found, run.site, now, own=run.run_id, lost=lost, layer=run.layer)

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
        elif step.version:
            self._delete_unchanged(step)
        else:
            self.velero.writer.delete(_path(step))
        if step.kind == "Namespace":
            # Only quicker: what is still there is for the namespace's own end.
            with suppress(ClusterError):
                self._empty(step.name)

    def _delete_unchanged(self, step: Step) -> None:
        try:
            self.velero.writer.delete(_path(step), resource_version=step.version)
        except ClusterError as error:
            if error.cause is not Cause.CONFLICT:
                raise

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
        return places.at(self.velero.client, path) or {}

    def found(self) -> Found:
        """What the cluster holds that a sweep has to know. Raises ClusterError.

        Leases come after what bears marks: whoever made that had taken its Lease before.
        """
        listed: Callable[..., list[dict[str, Any]]] = self.velero.client.list
        own = f"{_NAMESPACES}/{self.velero.namespace}"
        return Found(
            namespaces=listed(_NAMESPACES),
            restores=listed(self.velero.collection("restores")),
            config_maps=listed(f"{own}/configmaps"),
            leases=listed(leases.collection(self.velero.namespace)),
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
    "Lease": leases.collection("{}"),
}


def _path(step: Step) -> str:
    if step.kind in _PLACES:
        return f"{_PLACES[step.kind]}/{step.name}"
    return f"{_PLURALS[step.kind].format(step.namespace)}/{step.name}"


def _given_up(one: Seen) -> str:
    return (
        f"restore {one.work.name} stands still for {one.seconds:.0f} s in phase {one.work.phase}, "
        "without a transfer under way; Velero has lost it, and it is taken away like one that has "
        "ended"
    )


def _still_restored(works: Mapping[Work, str], seconds: float) -> Refusal:
    """`works`: what each waits for, "" where that is not known."""
    reasons = "; ".join(filter(None, works.values()))
    look = f": {reasons}; mend that" if reasons else "; look what it waits for"
    return Refusal(
        Why.RESTORING,
        f"Velero still works on {', '.join(map(str, works))}, which a dead run began, and did not "
        f"end it in {seconds:.0f} s{look}, give restoreSeconds more, or restart Velero's server, "
        "which then ends what it finds InProgress",
    )
