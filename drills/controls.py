"""Controls: the same drill with a planted fault, which it must notice.

What can be planted is each layer's own affair; here is what all share: names, whose turn it is, and
when a fault counts as noticed.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from drills.frame import Clock, Drill, Progress, run_phases
from drills.payload import PayloadError
from drills.receipt import ControlResult
from drills.verdict import Judgement, Reason, Verdict

NONE = "none"
ROTATE = "rotate"

_Some = TypeVar("_Some")


@dataclass(frozen=True)
class Planted:
    """A control that is ready to run: `run` plants the fault, drills, and takes the fault away."""

    name: str
    planted: str
    expected: Reason
    run: Callable[[], Judgement]

    def result(self, judgement: Judgement) -> ControlResult:
        """Noticed means red with exactly the expected reason: another one is luck."""
        return ControlResult(
            name=self.name,
            planted=self.planted,
            expected=str(self.expected),
            verdict=str(judgement.verdict),
            reason=str(judgement.reason or ""),
            killed=judgement.verdict is not Verdict.PROVEN and judgement.reason is self.expected,
        )

    def unfinished(self) -> ControlResult:
        """The control could not be run to its end."""
        return ControlResult(self.name, self.planted, str(self.expected))


class NotPlantedError(Exception):
    """The site has nothing that the fault could be planted in; the text is one clause."""


@dataclass(frozen=True)
class Score:
    """The twin is the run without a fault; controls count only if it was proven."""

    twin: ControlResult
    controls: list[ControlResult]

    @property
    def killed(self) -> int:
        return sum(result.killed for result in self.controls)

    @property
    def complete(self) -> bool:
        return self.twin.killed and self.killed == len(self.controls)


def judgement_of(drill: Drill, clock: Clock) -> Judgement:
    """Runs a drill for its judgement alone; nothing of it is told or kept."""
    phases, closing = drill.phases(), drill.closing()
    return run_phases(drill.layer, phases, closing, clock, lambda _line: None).judgement()


def score(twin: Judgement, controls: Iterable[Planted], progress: Progress) -> Score:
    """Runs every control, if the twin is proven; on a red site a red control would say nothing.

    Raises what the controls raise.
    """
    result = ControlResult(
        NONE, "nothing", str(Verdict.PROVEN), str(twin.verdict), str(twin.reason or ""),
        killed=twin.verdict is Verdict.PROVEN,
    )  # fmt: skip
    if not result.killed:
        progress(f"control: without any fault: {twin.detail}")
    found: list[ControlResult] = []
    for control in controls if result.killed else ():
        try:
            judgement = control.run()
        except NotPlantedError as why:
            progress(f"control: {control.name} not planted: {why}")
            continue
        found.append(control.result(judgement))
        seen = "killed" if found[-1].killed else f"SURVIVED: {judgement.detail}"
        progress(f"control: {control.name} {seen}")
    return Score(result, found)


def check_name(name: str, controls: Iterable[str]) -> None:
    """Raises PayloadError if `name` is neither one of `controls` nor `rotate` or `none`."""
    known = [ROTATE, NONE, *controls]
    if name not in known:
        raise PayloadError(f"control: {name!r} is unknown; give one of {', '.join(known)}")


def next_in_turn(
    applicable: Sequence[_Some], earlier_receipts: int, today: datetime.date
) -> _Some | None:
    """The one whose turn it is; None of none.

    The rotation moves on with every receipt kept, or with every day where this machine keeps none;
    not with both, which would move a daily drill on by two and pass over every other control.
    """
    if not applicable:
        return None
    return applicable[(earlier_receipts or today.toordinal()) % len(applicable)]
