"""The pipeline every drill runs through: phases in order, timed, and a tidy end whatever happens.

A drill is two lists of phases. The first runs in order until one stops it; the second (clean up,
sweep) always runs. A phase adds checks to the record it is given; what it raises becomes a failed
check, so that a drill which could not run is red and never silent.
"""

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drills.verdict import Check, Judgement, Reason, judge, reason_of_error
from kube.errors import ClusterError
from s3.errors import StoreError


@dataclass(frozen=True)
class Clock:
    """Time as the drill sees it: `monotonic` in seconds, `now` as aware UTC time."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)


class StopDrillError(Exception):
    """Raised by a phase after which no later one makes sense; its failed checks say why."""


Progress = Callable[[str], None]


@dataclass(frozen=True)
class PhaseTime:
    """One phase of the record: seconds it took and what it came to, in a few words."""

    name: str
    seconds: float
    result: str


@dataclass(frozen=True)
class Compared:
    """What was held against a truth: how many of it, how many bytes where it has content, and
    against what, in a few words."""

    what: str
    count: int
    bytes: int | None
    how: str


@dataclass(frozen=True)
class NotCompared:
    """What a reader might believe was compared and was not: how many of it, and why not."""

    what: str
    count: int
    why: str


@dataclass(frozen=True)
class RestorePoint:
    """What was restored from: its name, when it was taken (aware UTC), how old it was then."""

    name: str
    time: datetime.datetime
    age_seconds: float


@dataclass
class Record:
    """What a drill has found so far.

    `rpo_seconds` is the age of the newest data that came back, None where the layer cannot tell;
    `rto` is seconds on the way to usable, by step of the restore.
    """

    checks: list[Check] = field(default_factory=list)
    phases: list[PhaseTime] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    point: RestorePoint | None = None
    rpo_seconds: float | None = None
    rto: dict[str, float] = field(default_factory=dict)

    def judgement(self) -> Judgement:
        return judge(self.checks)


@dataclass(frozen=True)
class Phase:
    """A named step; `run` does it and returns a few words for people."""

    name: str
    run: Callable[[Record], str]


class Drill(Protocol):
    """One run of a layer's drill, as the runner sees it.

    `versions` is asked when the phases are over: what took part beside the drill, by name.
    """

    @property
    def layer(self) -> str: ...

    @property
    def run_id(self) -> str: ...

    def phases(self) -> Sequence[Phase]: ...

    def closing(self) -> Sequence[Phase]: ...

    def versions(self) -> Mapping[str, str]: ...


def run_phases(
    layer: str, phases: Sequence[Phase], closing: Sequence[Phase], clock: Clock, progress: Progress
) -> Record:
    """Runs `phases` until one stops the drill, then every one of `closing`.

    On an interrupt too: what the drill wrote is its own to remove. There is no receipt then, so
    what stays is told.
    """
    record = Record()
    try:
        for phase in phases:
            if not _timed(layer, phase, record, clock, progress):
                break
    except BaseException:
        _close(layer, closing, record, clock, progress)
        for line in record.left:
            progress(f"{layer}: left     {line}")
        raise
    _close(layer, closing, record, clock, progress)
    return record


def _close(
    layer: str, closing: Sequence[Phase], record: Record, clock: Clock, progress: Progress
) -> None:
    for phase in closing:
        _timed(layer, phase, record, clock, progress)


def _timed(layer: str, phase: Phase, record: Record, clock: Clock, progress: Progress) -> bool:
    """Runs one phase; False if the drill stops here."""
    started, go_on = clock.monotonic(), True
    try:
        result = phase.run(record)
    except StopDrillError as stop:
        result, go_on = str(stop), False
        if all(check.ok for check in record.checks):
            # A phase that stops without saying why must not leave a green record behind.
            record.checks.append(Check("drill", phase.name, "its end", result, Reason.DRILL_FAILED))
    except (StoreError, ClusterError) as error:
        asked = "cluster" if isinstance(error, ClusterError) else "store"
        record.checks.append(
            Check(asked, phase.name, "an answer", str(error), reason_of_error(error))
        )
        result, go_on = str(error), False
    except Exception as error:  # noqa: BLE001  a fault of ours must be a red verdict, not a traceback
        # Only the type: the text of an unforeseen error may repeat what it was given.
        result, go_on = f"failed inside the drill: {type(error).__name__}", False
        record.checks.append(Check("drill", phase.name, "no fault", result, Reason.DRILL_FAILED))
    seconds = clock.monotonic() - started
    record.phases.append(PhaseTime(phase.name, round(seconds, 3), result))
    progress(f"{layer}: {phase.name:<9} {seconds:6.2f} s  {result}")
    return go_on
