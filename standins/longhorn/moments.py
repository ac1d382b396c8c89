"""Times and durations as Longhorn and Kubernetes write them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""The time now, aware, UTC."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")


def now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """RFC 3339 in whole seconds, as every time of these objects is."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: object) -> datetime | None:
    """The time that a field holds; None if it holds none."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None


def duration(text: object) -> timedelta:
    """A Go duration such as "5m0s"; zero for what is none, as for an absent one.

    Zero turns polling off (longhorn-manager, BackupTargetController.reconcile).
    """
    found = _PART.findall(str(text or ""))
    if not found or "".join(number + unit for number, unit in found) != text:
        return timedelta(0)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in found))


def duration_text(length: timedelta) -> str:
    """As Go writes a duration of whole seconds: "5m0s", whatever it was written as."""
    hours, rest = divmod(int(length.total_seconds()), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
