"""One whole run of the drill of layer `kube-objects`, and all its controls."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from drills.backup import course
from drills.controls import Planted, Score, check_name, judgement_of, score
from drills.damaged.controls import on_copies, source_of
from drills.damaged.faults import OBJECT_FAULTS
from drills.damaged.point import Wanted
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.kube_objects.controls import CONTROLS, applicable, choose, planted
from drills.kube_objects.drill import KubeObjectsDrill
from drills.kube_objects.payload import KubeObjectsPayload
from drills.payload import parse
from drills.run import Kept, Ready, ReadyControls, run_drill
from drills.surroundings.controls import in_surroundings, sweep


def ready(text: str) -> Ready:
    """Raises PayloadError."""
    payload = parse(KubeObjectsPayload, text)
    payload.check_drill()
    check_name(payload.control, (control.name for control in CONTROLS))
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
    drill = opened(payload, clock, progress, directory)

    def control(_record: Record) -> Planted | None:
        return choose(
            payload.control, payload, lambda other: opened(other, clock, _silent, directory),
            proven=drill, earlier=earlier_receipts(directory, payload.layer),
            today=clock.now().date(),
        )  # fmt: skip

    return run_drill(drill, payload, clock, progress, directory=directory, control=control)


def run_controls(payload: KubeObjectsPayload, clock: Clock, progress: Progress) -> Score:
    """Every control, after the drill itself; each makes and removes what it needs.

    Raises ClusterError, StoreError.
    """
    nowhere = Path("/nonexistent")  # no receipts: each control takes the same restore point

    def make(other: KubeObjectsPayload) -> KubeObjectsDrill:
        return opened(other, clock, _silent, nowhere)

    sweep(payload, clock, progress)
    drill = make(payload)
    twin = judgement_of(drill, clock)
    return score(twin, _all_controls(payload, drill, make, progress), progress)


def _all_controls(
    payload: KubeObjectsPayload,
    proven: KubeObjectsDrill,
    make: Callable[[KubeObjectsPayload], KubeObjectsDrill],
    progress: Progress,
) -> Iterator[Planted]:
    """Asked for its first only when the drill is proven."""
    yield from (planted(control, payload, make) for control in applicable(proven))
    wanted = Wanted(
        source_of(payload, proven.point), payload.velero.location, (), proven.restored_namespaces
    )
    yield from on_copies(payload, OBJECT_FAULTS, wanted, make, progress)
    yield from in_surroundings(payload, make, proven.clock, progress)


def _silent(_line: str) -> None:
    """Phases of a control are not told one by one."""


def opened(
    payload: KubeObjectsPayload, clock: Clock, progress: Progress, directory: Path
) -> KubeObjectsDrill:
    """The drill with its edges open."""
    return KubeObjectsDrill(course.opened(payload, clock, progress, directory))
