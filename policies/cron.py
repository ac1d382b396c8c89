"""Cron expressions as Velero's scheduler reads them: five fields, and OR between the two days."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {
    3: {name: n for n, name in enumerate(_MONTHS, start=1)},
    4: dict(zip(_WEEKDAYS, range(7), strict=True)),
}
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))

# Five years hold every day of the calendar, and every weekday of it but that of 29 February.
_FIRST_DAY = date(2024, 1, 1)
_DAYS = 5 * 366


@dataclass(frozen=True)
class Cron:
    """The values each field allows; `any_*`: that field of the two days is a bare star."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def runs_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def read(expression: str) -> Cron | None:
    """The expression, or None if it is not five fields of numbers, names, ranges and steps."""
    fields = expression.split()
    if len(fields) != len(_BOUNDS):
        return None
    values = [_field(text, position) for position, text in enumerate(fields)]
    known = [v for v in values if v]
    if len(known) != len(_BOUNDS):
        return None
    minutes, hours, days, months, weekdays = known
    return Cron(minutes, hours, days, months, weekdays, _is_star(fields[2]), _is_star(fields[4]))


def _is_star(text: str) -> bool:
    return any(part in ("*", "?", "*/1") for part in text.split(","))


def _field(text: str, position: int) -> frozenset[int]:
    """The values of one field; none if any part of it cannot be read."""
    parts = [_part(part, position) for part in text.split(",")]
    if not all(parts):
        return frozenset()
    return frozenset(value for part in parts for value in part)


def _part(text: str, position: int) -> range:
    low, high = _BOUNDS[position]
    span, slash, step = text.partition("/")
    if slash and not _is_number(step):
        return range(0)
    first, dash, last = span.partition("-")
    if span in ("*", "?"):
        begin, end = low, high
    else:
        begin = _value(first, position)
        end = _value(last, position) if dash else high if slash else begin
    if not low <= begin <= end <= high:
        return range(0)
    stride = int(step) if slash else 1
    return range(begin, end + 1, stride) if stride else range(0)


def _value(text: str, position: int) -> int:
    named = _NAMES.get(position, {}).get(text.lower())
    if named is not None:
        return named
    return int(text) if _is_number(text) else -1


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < len("10000")


@lru_cache(maxsize=1024)
def longest_gap(cron: Cron) -> timedelta | None:
    """The longest time between two runs; None if it does not run twice in five years."""
    times = sorted(60 * hour + minute for hour in cron.hours for minute in cron.minutes)
    within = max((b - a for a, b in pairwise(times)), default=0)
    days = [n for n in range(_DAYS) if cron.runs_on(_FIRST_DAY + timedelta(days=n))]
    gaps = [b - a for a, b in pairwise(days)]
    if not gaps:
        return None
    across = max(gaps) * 24 * 60
    return timedelta(minutes=max(within, across - times[-1] + times[0]))
