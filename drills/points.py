"""Restore points from Velero's Backup objects: which can be restored from, and which cannot.

Times are aware; ages are in seconds. Nothing here asks a clock: `now` is given.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kube.velero.api import (
    LOCATION_LABEL,
    SCHEDULE_LABEL,
    Object,
    labels,
    moment,
    name,
    phase,
    reasons,
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
    """All restore points of a site, oldest first in both lists.

    `wanted`: which ones these are, as "in location default", "" for all. `left_out`: backups that
    are none of them by their names, and what they are instead.
    """

    usable: tuple[Point, ...]
    unusable: tuple[Unusable, ...]
    wanted: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)

    def newer_than(self, point: Point) -> tuple[Unusable, ...]:
        """What was passed over: backups that began after `point` and cannot be restored from."""
        return tuple(
            one for one in self.unusable if one.started is not None and one.started > point.started
        )


def read(
    backups: Iterable[Object],
    now: datetime.datetime,
    *,
    needed: datetime.timedelta = datetime.timedelta(0),
    deleting: Collection[str] = (),
    schedules: Collection[str] | None = None,
    location: str | None = None,
) -> Shelf:
    """Sorts Backup objects into those that can be restored from and those that cannot.

    `needed`: how long the drill may take; a backup that expires sooner may vanish under it.
    `deleting`: names with an open DeleteBackupRequest. `schedules`: only backups of these, and
    `location`: only those that lie there.
    """
    found: list[Point | Unusable] = []
    left_out: dict[str, str] = {}
    for backup in backups:
        other = _other(backup, schedules, location)
        if other:
            left_out[name(backup)] = other
        else:
            found.append(_sort(backup, now, needed, deleting))
    beginning = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    found.sort(key=lambda one: (one.started or beginning, one.name))
    return Shelf(
        tuple(one for one in found if isinstance(one, Point)),
        tuple(one for one in found if isinstance(one, Unusable)),
        _wanted(schedules, location),
        left_out,
    )


def _other(backup: Object, schedules: Collection[str] | None, location: str | None) -> str:
    """What a backup is instead of what is asked for; "" if it is that."""
    place = (backup.get("spec") or {}).get("storageLocation")
    if location is not None and place != location:
        return f"in location {place}"
    of = labels(backup).get(SCHEDULE_LABEL)
    if schedules is not None and of not in schedules:
        return f"of schedule {of}" if of else "of no schedule"
    return ""


def _wanted(schedules: Collection[str] | None, location: str | None) -> str:
    of = f"of schedule {' or '.join(sorted(schedules))}" if schedules is not None else ""
    return " ".join(part for part in (f"in location {location}" if location else "", of) if part)


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
    reason = reasons(backup, 200)
    counts = f"{held.get('errors', 0)} errors, {held.get('warnings', 0)} warnings"
    return f"ended as {called} ({reason or counts}); read `velero backup logs {name(backup)}`"


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
