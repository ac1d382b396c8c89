"""Which of a site's restore points is drilled, and why there is none.

Nothing here asks a clock: `now` is given.
"""

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from drills.points import Point, Shelf, State, Unusable
from drills.rotation import Trial, longest_unproven
from drills.verdict import Reason
from kube.errors import one_line

_UNFINISHED = frozenset({State.IN_PROGRESS, State.PARTIALLY_FAILED, State.FAILED, State.REFUSED})


class NoPointError(Exception):
    """There is nothing to drill: `reason` for the verdict, the text is one sentence."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


Way = Literal["latest", "age", "name", "longest-unproven"]


@dataclass(frozen=True)
class Choice:
    """Which restore point a drill wants. `age`: at least that old; `name`: that one."""

    way: Way
    age: datetime.timedelta = datetime.timedelta(0)
    name: str = ""


_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_CHOICES = 'write "latest", "longest-unproven", {"age": "48h"} or {"name": "<backup>"}'


def parse_choice(given: object) -> Choice:
    """Raises ValueError with one sentence."""
    if given in ("latest", "longest-unproven"):
        return Choice("latest" if given == "latest" else "longest-unproven")
    if isinstance(given, Mapping) and len(given) == 1:
        ((key, value),) = given.items()
        if key == "name" and isinstance(value, str) and value:
            return Choice("name", name=value)
        if key == "age" and isinstance(value, str):
            return Choice("age", age=parse_age(value))
    raise ValueError(f"restorePoint: {one_line(given, 60)} is no choice; {_CHOICES}")


def parse_age(text: str) -> datetime.timedelta:
    """ "48h", "2d12h", "90m". Raises ValueError with one sentence."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"restorePoint.age: {text[:40]!r} is no duration; write 48h, 2d12h or 90m")
    given = zip(_UNITS.values(), found.groups(), strict=True)
    return datetime.timedelta(**{unit: int(count) for unit, count in given if count})


def choose(
    shelf: Shelf, choice: Choice, now: datetime.datetime, trials: Iterable[Trial] = ()
) -> Point:
    """The restore point that `choice` means. `trials`: see the rotation.

    Raises NoPointError.
    """
    match choice.way:
        case "name":
            return _named(shelf, choice.name)
        case "age":
            return _aged(shelf, choice.age, now)
        case "longest-unproven":
            _any(shelf)
            return longest_unproven(shelf.usable, trials, now)
        case "latest":
            return _any(shelf)[-1]


def _any(shelf: Shelf) -> tuple[Point, ...]:
    if shelf.usable:
        return shelf.usable
    if shelf.unusable:
        raise _none_of(shelf.unusable)
    there = "at all"
    if shelf.left_out:
        others = Counter(shelf.left_out.values())
        told = ", ".join(f"{count} {what}" for what, count in sorted(others.items()))
        there = f"{shelf.wanted}, only others: {told}"
    raise NoPointError(
        Reason.RESTORE_POINT_MISSING,
        f"there is no backup {there}; make one with `velero backup create --from-schedule` and "
        "look why the schedule made none",
    )


def _none_of(unusable: Sequence[Unusable]) -> NoPointError:
    """Speaks for the newest of several; one that may yet complete, or failed, says more."""
    unfinished = [one for one in unusable if one.state in _UNFINISHED]
    speaker = (unfinished or unusable)[-1]
    others = f" (and {len(unusable) - 1} more)" if len(unusable) > 1 else ""
    if speaker.state is State.AHEAD_OF_CLOCK:
        return NoPointError(Reason.CLOCK_SKEW, speaker.sentence + others)
    reason = Reason.RESTORE_POINT_UNFINISHED if unfinished else Reason.RESTORE_POINT_MISSING
    return NoPointError(reason, f"no backup can be restored from: {speaker.sentence}{others}")


def _named(shelf: Shelf, wanted: str) -> Point:
    for point in shelf.usable:
        if point.name == wanted:
            return point
    refused = [one for one in shelf.unusable if one.name == wanted]
    if refused:
        raise _none_of(refused)
    if wanted in shelf.left_out:
        raise NoPointError(
            Reason.RESTORE_POINT_MISSING,
            f"backup {wanted} is {shelf.left_out[wanted]}, and this drill takes those "
            f"{shelf.wanted}; correct the name, or what the drill takes",
        )
    newest = f"; the newest usable one is {shelf.usable[-1].name}" if shelf.usable else ""
    raise NoPointError(
        Reason.RESTORE_POINT_MISSING, f"there is no backup {wanted[:80]}{newest}; correct its name"
    )


def _aged(shelf: Shelf, age: datetime.timedelta, now: datetime.datetime) -> Point:
    points = _any(shelf)
    old_enough = [point for point in points if now - point.started >= age]
    if not old_enough:
        oldest = now - points[0].started
        raise NoPointError(
            Reason.RESTORE_POINT_MISSING,
            f"no backup is {age} old, the oldest usable one, {points[0].name}, is "
            f"{datetime.timedelta(seconds=int(oldest.total_seconds()))} old; ask for a younger one "
            "or keep backups longer",
        )
    return old_enough[-1]
