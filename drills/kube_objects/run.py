"""One whole run of the drill of layer `kube-objects`, and all its controls."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from drills.backup import course
from drills.backup.controls import applicable, choose, names, planted, run_all, silent
from drills.controls import Planted, Score, check_name
from drills.damaged.controls import on_copies, source_of
from drills.damaged.faults import OBJECT_FAULTS
from drills.damaged.point import Wanted
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.kube_objects import controls
from drills.kube_objects.drill import KubeObjectsDrill
from drills.kube_objects.payload import KubeObjectsPayload
from drills.payload import parse
from drills.run import Kept, Ready, ReadyControls, open_and_run
from drills.surroundings.controls import in_surroundings


def ready(text: str) -> Ready:
    """Raises PayloadError."""
    payload = parse(KubeObjectsPayload, text)
    payload.check_drill()
    check_name(payload.control, names(controls.CONTROLS))
    return Ready(payload, partial(run_kube_objects, payload))


def ready_controls(text: str) -> ReadyControls:
    """Raises PayloadError."""
    payload = parse(KubeObjectsPayload, text)
    payload.check()
    return ReadyControls(payload, partial(run_controls, payload))


def run_kube_objects(
    payload: KubeObjectsPayload, clock: Clock, progress: Progress, directory: Path
) -> Kept:
    """Runs the drill and one control, and keeps the receipt."""

    def control(drill: KubeObjectsDrill, _record: Record) -> Planted | None:
        return choose(
            payload.control, controls.CONTROLS, payload,
            lambda other: opened(other, clock, silent, directory), proven=drill,
            earlier=earlier_receipts(directory, payload.layer), today=clock.now().date(),
        )  # fmt: skip

    return open_and_run(
        lambda: opened(payload, clock, progress, directory), payload, clock, progress,
        directory=directory, control=control,
    )  # fmt: skip


def run_controls(payload: KubeObjectsPayload, clock: Clock, progress: Progress) -> Score:
    """Every control, after the drill itself; each makes and removes what it needs.

    Raises ClusterError, StoreError.
    """
    nowhere = Path("/nonexistent")  # no receipts: each control takes the same restore point

    def make(other: KubeObjectsPayload) -> KubeObjectsDrill:
        return opened(other, clock, silent, nowhere)

    return run_all(
        payload, make, lambda proven: _all_controls(payload, proven, make, progress), clock,
        progress,
    )  # fmt: skip


def _all_controls(
    payload: KubeObjectsPayload,
    proven: KubeObjectsDrill,
    make: Callable[[KubeObjectsPayload], KubeObjectsDrill],
    progress: Progress,
) -> Iterator[Planted]:
    """Asked for its first only when the drill is proven."""
    yield from (
        planted(control, payload, make) for control in applicable(controls.CONTROLS, proven)
    )
    wanted = Wanted(
        source_of(payload, proven.point), payload.velero.location, (), proven.restored_namespaces
    )
    yield from on_copies(payload, OBJECT_FAULTS, wanted, make, progress)
    yield from in_surroundings(payload, make, proven.clock, progress)


def opened(
    payload: KubeObjectsPayload, clock: Clock, progress: Progress, directory: Path
) -> KubeObjectsDrill:
    """The drill with its edges open. Raises ClusterError."""
    return KubeObjectsDrill(course.opened(payload, clock, progress, directory))
