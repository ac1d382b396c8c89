"""Time to usable by two ways, of which one at most is gone in need."""

from collections.abc import Mapping

from drills.verdict import Check, Reason


def time_check(alone: Mapping[str, float], by_longhorn: Mapping[str, float], limit: float) -> Check:
    """Both in seconds by phase: out of the store alone, and by Longhorn. The slower way counts, and
    never the sum of both."""
    total, other = sum(alone.values()), sum(by_longhorn.values())
    seen = f"{total:.1f} s"
    if by_longhorn:
        seen += f" out of the store alone, {other:.1f} s by Longhorn"
    over = Reason.OVER_RTO if max(total, other) > limit else None
    return Check("store", "time to usable", f"at most {limit:g} s", seen, over)
