"""Restore points from Velero's Backup objects: which can be restored from, and which is drilled.

Times are aware; ages are in seconds. Nothing here asks a clock: `now` is given.
"""

import datetime
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from drills.rotation import Trial, longest_unproven
from drills.verdict import Reason
from kube.errors import one_line
from kube.velero.api import (
    LOCATION_LABEL,
    SCHEDULE_LABEL,
    Object,
    labels,
    moment,
    name,
    phase,
    status,
)

AHEAD_TOLERANCE = datetime.timedelta(minutes=1)
"""How far ahead of this machine's clock a backup may have started, before a clock is at fault."""


class State(StrEnum):
    """Why a backup cannot be restored from."""

    IN_PROGRESS = "in-progress"
    PARTIALLY_FAILED = "partially-failed"
    FAILED = "failed"
    REFUSED = "failed-validation"
    DELETING = "deleting"
    EXPIRED = "expired"
    EXPIRING = "expiring"
    AHEAD_OF_CLOCK = "ahead-of-clock"
    TIMELESS = "timeless"


# Source: pkg/apis/velero/v1/backup_types.go of Velero 1.18. Any other phase goes on by itself.
_BY_PHASE = {
    "PartiallyFailed": State.PARTIALLY_FAILED,
    "Failed": State.FAILED,
    "FailedValidation": State.REFUSED,
    "Deleting": State.DELETING,
}
_UNFINISHED = frozenset({State.IN_PROGRESS, State.PARTIALLY_FAILED, State.FAILED, State.REFUSED})


@dataclass(frozen=True)
class Point:
    """A completed backup. `labels`: those of the Backup; `expires`: None if it never does."""

    name: str
    schedule: str
    location: str
    started: datetime.datetime
    completed: datetime.datetime
    expires: datetime.datetime | None
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Unusable:
    """A backup that cannot be restored from; `sentence` says why and what to do."""

    name: str
    state: State
    started: datetime.datetime | None
    sentence: str


@dataclass(frozen=True)
class Shelf:
    """All restore points of a site, oldest first in both lists."""

    usable: tuple[Point, ...]
    unusable: tuple[Unusable, ...]

    def newer_than(self, point: Point) -> tuple[Unusable, ...]:
        """What was passed over: backups that began after `point` and cannot be restored from."""
        return tuple(
            one for one in self.unusable if one.started is not None and one.started > point.started
        )


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


def read(
    backups: Iterable[Object],
    now: datetime.datetime,
    *,
    needed: datetime.timedelta = datetime.timedelta(0),
    deleting: Collection[str] = (),
    schedules: Collection[str] | None = None,
) -> Shelf:
    """Sorts Backup objects into those that can be restored from and those that cannot.

    `needed`: how long the drill may take; a backup that expires sooner may vanish under it.
    `deleting`: names with an open DeleteBackupRequest. `schedules`: only backups of these.
    """
    found = [
        _sort(backup, now, needed, deleting)
        for backup in backups
        if schedules is None or labels(backup).get(SCHEDULE_LABEL) in schedules
    ]
    beginning = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    found.sort(key=lambda one: (one.started or beginning, one.name))
    return Shelf(
        tuple(one for one in found if isinstance(one, Point)),
        tuple(one for one in found if isinstance(one, Unusable)),
    )


def _sort(
    backup: Object,
    now: datetime.datetime,
    needed: datetime.timedelta,
    deleting: Collection[str],
) -> Point | Unusable:
    held, called = status(backup), name(backup)
    started, completed = (moment(held.get(f"{key}Timestamp")) for key in ("start", "completion"))
    expires = moment(held.get("expiration"))
    fault = _phase_fault(backup, deleting) or _time_fault(started, completed, expires, now, needed)
    if fault is not None or started is None or completed is None:
        state, why = fault or _TIMELESS
        return Unusable(called, state, started, f"backup {called} {why}")
    return Point(
        name=called,
        schedule=labels(backup).get(SCHEDULE_LABEL, ""),
        location=labels(backup).get(LOCATION_LABEL, ""),
        started=started,
        completed=completed,
        expires=expires,
        labels=dict(labels(backup)),
    )


_Fault = tuple[State, str]
_TIMELESS = (State.TIMELESS, "has no times in its status; look at it with kubectl")


def _phase_fault(backup: Object, deleting: Collection[str]) -> _Fault | None:
    going = (backup.get("metadata") or {}).get("deletionTimestamp") or name(backup) in deleting
    if going or phase(backup) == "Deleting":
        return State.DELETING, "is being deleted; choose another one"
    if phase(backup) != "Completed":
        return _BY_PHASE.get(phase(backup), State.IN_PROGRESS), _unfinished(backup)
    return None


def _time_fault(
    started: datetime.datetime | None,
    completed: datetime.datetime | None,
    expires: datetime.datetime | None,
    now: datetime.datetime,
    needed: datetime.timedelta,
) -> _Fault | None:
    if started is None or completed is None:
        return _TIMELESS
    if started - now > AHEAD_TOLERANCE:
        return (
            State.AHEAD_OF_CLOCK,
            f"began {(started - now).total_seconds():.0f} s in the future by this machine's clock; "
            "synchronise the clocks of this machine and of the cluster",
        )
    if expires is not None and expires <= now:
        return State.EXPIRED, f"expired at {expires:%Y-%m-%d %H:%M} UTC; make a new one"
    if expires is not None and expires <= now + needed:
        return (
            State.EXPIRING,
            f"expires at {expires:%Y-%m-%d %H:%M} UTC, before the drill may have ended; choose a "
            "newer one, or keep backups longer",
        )
    return None


def _unfinished(backup: Object) -> str:
    held, called = status(backup), phase(backup) or "New"
    if called not in _BY_PHASE:
        return f"is not finished ({called}); wait for it, or look at Velero's server"
    reasons = [*(held.get("validationErrors") or []), held.get("failureReason") or ""]
    reason = one_line("; ".join(str(text) for text in reasons if text), 200)
    counts = f"{held.get('errors', 0)} errors, {held.get('warnings', 0)} warnings"
    return f"ended as {called} ({reason or counts}); read `velero backup logs {name(backup)}`"


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
    if not shelf.unusable:
        raise NoPointError(
            Reason.RESTORE_POINT_MISSING,
            "there is no backup at all; make one with `velero backup create --from-schedule` and "
            "look why the schedule made none",
        )
    raise _none_of(shelf.unusable)


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


def age_seconds(point: Point, now: datetime.datetime) -> float:
    """Age of a restore point, from when its backup began: what came later may not be in it."""
    return max(0.0, (now - point.started).total_seconds())


def rpo_seconds(
    point: Point, now: datetime.datetime, newest: datetime.datetime | None = None
) -> float:
    """Age of the newest data that came back.

    `newest`: the time of the youngest piece of data whose content was compared, such as a
    heartbeat; without one, only the time at which the backup began is certain.
    """
    return max(0.0, (now - (newest or point.started)).total_seconds())
