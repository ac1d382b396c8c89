"""Controls of the drills that restore a Velero backup: how a fault is chosen, planted and judged.

Which faults there are is each layer's own affair.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from drills.backup.drill import BackupDrill
from drills.backup.payload import BackupPayload
from drills.controls import ROTATE, Planted, Score, judgement_of, next_in_turn, score
from drills.frame import Clock, Progress
from drills.surroundings.controls import sweep
from drills.verdict import Judgement, Reason

P = TypeVar("P", bound=BackupPayload)
D = TypeVar("D", bound=BackupDrill[Any])

# No age and no time is as short.
_NEVER = 1e-9


@dataclass(frozen=True)
class Control(Generic[P, D]):
    """A named fault: what is planted, the reason it must lead to, how a fresh drill is rigged.

    `rig` gets the payload, and what makes a fresh drill of one, with edges and a run id of its own.
    `applies`: whether the site has something to plant the fault in, by a drill that was proven.
    """

    name: str
    planted: str
    expected: Reason
    rig: Callable[[P, Callable[[P], D]], D]
    applies: Callable[[D], bool] = lambda _proven: True


def applicable(controls: Iterable[Control[P, D]], proven: D) -> list[Control[P, D]]:
    """The controls for which the site has something to plant the fault in."""
    return [one for one in controls if one.applies(proven)]


def choose(
    wanted: str,
    controls: Iterable[Control[P, D]],
    payload: P,
    make: Callable[[P], D],
    *,
    proven: D,
    earlier: int,
    today: datetime.date,
) -> Planted | None:
    """The control of that name, or the one whose turn it is, if it has a place in this site."""
    named = [one for one in applicable(controls, proven) if wanted in (ROTATE, one.name)]
    control = next_in_turn(named, earlier, today)
    return None if control is None else planted(control, payload, make)


def planted(control: Control[P, D], payload: P, make: Callable[[P], D]) -> Planted:
    def run() -> Judgement:
        drill = control.rig(payload, make)
        return judgement_of(drill, drill.clock)

    return Planted(control.name, control.planted, control.expected, run)


def run_all(
    payload: P,
    make: Callable[[P], D],
    faults: Callable[[D], Iterator[Planted]],
    clock: Clock,
    progress: Progress,
) -> Score:
    """The drill itself, and then everything that `faults` has for it, which is asked only if the
    drill was proven. Raises ClusterError, StoreError."""
    sweep(payload, clock, progress)
    drill = make(payload)
    twin = judgement_of(drill, drill.clock)
    return score(twin, faults(drill), progress)


def other_cluster(payload: P) -> P:
    """The site's cluster is said to be another one."""
    cluster = payload.cluster.model_copy(update={"uid": f"not-{payload.cluster.uid}"})
    return payload.model_copy(update={"cluster": cluster})


def limited(payload: P, limit: str) -> P:
    """`limit`: the field of the limits that nothing can keep."""
    limits = payload.limits.model_copy(update={limit: _NEVER})
    return payload.model_copy(update={"limits": limits})


def silent(_line: str) -> None:
    """Phases of a control are not told one by one."""


def names(controls: Sequence[Control[P, D]]) -> list[str]:
    return [one.name for one in controls]
