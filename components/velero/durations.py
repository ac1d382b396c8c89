"""Durations as Go writes and reads them: "30m", "1h30m", "720h0m0s".

Velero's objects and flags take them as text, and its controllers write them back in the canonical
form; the program declares that form, so that nothing ever differs by spelling alone.
"""

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = 1_000_000_000
# time.Duration is a signed 64-bit number of nanoseconds.
_LIMIT = 2**63


def seconds(text: str) -> int:
    """Whole seconds of a Go duration; what is below a second is dropped.

    Raises:
        ValueError: one sentence; `text` is no positive Go duration of a second or more.
    """
    total = 0
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise ValueError(
                f"{text!r} is no duration; write hours, minutes and seconds, such as 720h or 1h30m"
            )
        whole, _, fraction = part[1].partition(".")
        unit = _UNITS[part[2]]
        total += int(whole or "0") * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
        position = part.end()
    if total >= _LIMIT:
        raise ValueError(f"{text!r} is longer than a duration can be (292 years)")
    if total < _NANOSECONDS:
        raise ValueError(f"{text!r} is less than a second; give a longer duration")
    return total // _NANOSECONDS


def canonical(text: str) -> str:
    """`text` as Go prints it: "720h" becomes "720h0m0s". Raises ValueError as `seconds` does."""
    return of_seconds(seconds(text))


def of_seconds(count: int) -> str:
    """Seconds as Go prints them; zero is "0s"."""
    hours, rest = divmod(count, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def spoken(count: int) -> str:
    """Seconds for a sentence, in the largest unit that fits without a rest: "30 days"."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if count >= size and count % size == 0:
            number = count // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{count} seconds"
