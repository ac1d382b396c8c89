"""How old the newest data is that came back: the true RPO."""

import datetime
from dataclasses import dataclass

from drills.canary.truth import Truth
from drills.verdict import Check, Reason

SKEW_SECONDS = 60.0


@dataclass(frozen=True)
class Freshness:
    """The age of what came back, in seconds.

    `heartbeat` is the time of the newest generation that came back and has a truth. `rpo_seconds`
    is the drill's own now less the heartbeat: what a disaster at that moment would have taken, and
    the true RPO. `behind_point_seconds` is the restore point's time less the heartbeat: how stale
    the data was when it was taken; below 0 by at most as long as the backup took, if data was
    written while it ran. None if the restore point's time is not known.
    """

    generation: int
    heartbeat: datetime.datetime
    rpo_seconds: float
    behind_point_seconds: float | None


def freshness(
    newest: Truth, now: datetime.datetime, point: datetime.datetime | None = None
) -> Freshness:
    """`now` is aware, from the drill's clock; it lies before the heartbeat where clocks differ."""
    behind = None if point is None else (point - newest.time).total_seconds()
    return Freshness(newest.generation, newest.time, (now - newest.time).total_seconds(), behind)


def age_check(
    volume: str, found: Freshness, limit_seconds: float, skew_seconds: float = SKEW_SECONDS
) -> Check:
    """The RPO against its limit; a heartbeat out of the future is clock skew and no RPO at all."""

    def check(expected: str, reason: Reason | None) -> Check:
        seen = f"{found.rpo_seconds:.0f} s ({found.heartbeat:%Y-%m-%dT%H:%M:%SZ})"
        return Check(volume, "age of the newest data that came back", expected, seen, reason)

    if found.rpo_seconds < -skew_seconds:
        return check("a heartbeat of the past", Reason.CLOCK_SKEW)
    late = found.rpo_seconds > limit_seconds
    return check(f"at most {limit_seconds:.0f} s", Reason.OVER_RPO if late else None)
