"""How stale the canary's data was when it was saved."""

import datetime

from drills.verdict import Check, Reason

SKEW_SECONDS = 60.0


def age_check(
    heartbeat: datetime.datetime, taken: datetime.datetime, now: datetime.datetime, limit: float
) -> Check:
    """`heartbeat`: of the newest generation that came back; `taken`: the restore point's time;
    `limit` in seconds. All times are aware.

    The age of the point itself is a check of its own, of the newest one: an older one that has its
    turn is no fault. A heartbeat out of the future is clock skew.
    """

    def check(expected: str, reason: Reason | None) -> Check:
        behind = (taken - heartbeat).total_seconds()
        seen = f"{behind:.0f} s behind its restore point ({heartbeat:%Y-%m-%dT%H:%M:%SZ})"
        return Check("canary", "age of the newest data that came back", expected, seen, reason)

    if (heartbeat - now).total_seconds() > SKEW_SECONDS:
        return check("a heartbeat of the past", Reason.CLOCK_SKEW)
    late = (taken - heartbeat).total_seconds() > limit
    return check(f"at most {limit:.0f} s behind", Reason.OVER_RPO if late else None)
