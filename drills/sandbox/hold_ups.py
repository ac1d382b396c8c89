"""What a restore that stands still waits for, by what its sandboxes hold: decisions on plain data.

Velero says no more than its phase. It is Finalizing for as long as a restored claim has no volume,
ten minutes at most (1.18, pkg/controller/restore_finalizer_controller.go), and what keeps the claim
from it is found in the claim's snapshot and events, in pods, and in the records of transfers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kube.errors import one_line
from kube.pods.faults import Fault, diagnose, newest_warning
from kube.velero.api import Object, name, status
from kube.velero.volumes import Method, VolumeRestore

MOST_TOLD = 3
# A pod that starts, and one that is on its way out, keep nothing from going on.
_PASSING = frozenset({Fault.STARTING, Fault.NOT_READY, Fault.TERMINATING, Fault.ENDED})


@dataclass(frozen=True)
class Held:
    """What one sandbox holds; objects as the API server gives them."""

    claims: Sequence[Object]
    snapshots: Sequence[Object]
    pods: Sequence[Object]
    events: Sequence[Object]


def told(sandboxes: Iterable[Held], transfers: Iterable[VolumeRestore]) -> str:
    """What a restore waits for, in clauses; "" if nothing of it is to be seen."""
    found = [*(clause for one in sandboxes for clause in _of(one)), *_moving(transfers)]
    more = len(found) - MOST_TOLD
    return "; ".join([*found[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _of(held: Held) -> Iterator[str]:
    snapshots = {name(one): one for one in held.snapshots}
    for claim in held.claims:
        if status(claim).get("phase") != "Bound":
            events = _about(held.events, "PersistentVolumeClaim", name(claim))
            why = _unbound(claim, snapshots, events)
            yield f"claim {_place(claim)} has no volume: {why}"
    for pod in held.pods:
        found = diagnose(pod, _about(held.events, "Pod", name(pod)))
        if found.fault not in _PASSING:
            yield f"pod {_place(pod)} {found.text}"


def _unbound(claim: Object, snapshots: dict[str, Object], events: Sequence[Object]) -> str:
    source = (claim.get("spec") or {}).get("dataSource") or {}
    if source.get("kind") == "VolumeSnapshot":
        called = str(source.get("name"))
        fault = _unusable(snapshots.get(called))
        if fault:
            return f"its snapshot {called} {fault}"
    return newest_warning(events) or "no event says why; look at its storage class and its driver"


def _unusable(snapshot: Object | None) -> str:
    """Why nothing can be made of a snapshot; "" if something can."""
    if snapshot is None:
        return "is not there"
    held = status(snapshot)
    said = (held.get("error") or {}).get("message")
    if said:
        return f"is of no use: {one_line(said, 300)}"
    if not held:
        return "was looked at by no snapshot controller; look whether one runs"
    return "" if held.get("readyToUse") else "is not ready to use; look at its driver's snapshotter"


def _moving(transfers: Iterable[VolumeRestore]) -> Iterator[str]:
    for one in transfers:
        if not one.ended:
            what = "claim" if one.method is Method.DATA_MOVER else "pod"
            where = (
                f"on node {one.node}" if one.node else "on no node; look at Velero's node agents"
            )
            yield f"{one.method} {what} {one.namespace}/{one.volume} is {one.phase} {where}"


def _about(events: Sequence[Object], kind: str, called: str) -> list[Object]:
    wanted = {"kind": kind, "name": called}
    return [one for one in events if wanted.items() <= (one.get("involvedObject") or {}).items()]


def _place(found: Object) -> str:
    return f"{found['metadata'].get('namespace', '')}/{name(found)}"
