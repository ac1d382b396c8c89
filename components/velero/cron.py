"""Cron expressions exactly as Velero reads them: five fields or a descriptor, in UTC.

Velero hands the text to robfig/cron's ParseStandard. The libraries for Python read another
language (Sunday as 7, `L`, `#`, six fields; no `@every`), so that what they accept Velero may
refuse after the update has succeeded. Where that parser accepts what nobody means (a list without
a number, a range from `*`), this one refuses.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from components.velero import durations

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_WEEKDAYS = {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_DAY_SECONDS = 86400
_MINUTES_OF_A_DAY = 1440
_FIELDS = 5
# Velero looks at its schedules once a minute.
SHORTEST_SECONDS = 60
# Leap days are up to eight years apart (around 2100), so this many years hold every gap of a rule
# that names days of a month.
_HORIZON_START = datetime.date(2095, 1, 1)
_HORIZON_DAYS = 20 * 366


class CronError(ValueError):
    """Not a cron expression that Velero takes; the text says what is wrong and what to write."""


@dataclass(frozen=True)
class _Bounds:
    name: str
    least: int
    most: int
    names: Mapping[str, int]


_BOUNDS = (
    _Bounds("minute", 0, 59, {}),
    _Bounds("hour", 0, 23, {}),
    _Bounds("day of month", 1, 31, {}),
    _Bounds("month", 1, 12, _MONTHS),
    _Bounds("day of week", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True)
class _Field:
    """The values of one field; `star` if it leaves the choice of days to the other day field."""

    values: frozenset[int]
    star: bool


@dataclass(frozen=True)
class Calendar:
    """Minutes, hours and days on which a schedule starts. `text`: as the operator wrote it."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: _Field
    months: _Field
    weekdays: _Field

    @cached_property
    def days(self) -> int:
        """The matching days from the year 2095 on as a bit mask, day 0 in the lowest bit."""
        return _days(self.days_of_month, self.months, self.weekdays)

    @cached_property
    def longest_gap(self) -> int:
        """Seconds of the longest time between two starts."""
        starts = sorted(hour * 60 + minute for hour in self.hours for minute in self.minutes)
        gaps = [later - earlier for earlier, later in pairwise(starts)]
        overnight = starts[0] - starts[-1]
        gaps.append(_longest_step(self.days) * _MINUTES_OF_A_DAY + overnight)
        return max(gaps) * 60

    def shifted(self, minutes: int) -> "Calendar":
        """The same hours and days, each start this many minutes later within its hour."""
        moved = frozenset((minute + minutes) % 60 for minute in self.minutes)
        return parse_calendar(_with_minutes(self.text, moved))


@dataclass(frozen=True)
class Every:
    """`@every`: starts at a constant distance from the schedule's creation."""

    text: str
    longest_gap: int


def parse(text: str) -> Calendar | Every:
    """The expression `text`.

    Raises:
        CronError: one sentence with the cure.
    """
    if text != text.strip() or not text:
        raise CronError(f"{text!r} is empty or has spaces at its ends; write five fields")
    if text.upper().startswith(("TZ=", "CRON_TZ=")):
        raise CronError(
            f"{text!r} names a time zone; schedules run in UTC, so write the hours in UTC"
        )
    if text.startswith(_EVERY):
        return _every(text)
    return parse_calendar(text)


@lru_cache(maxsize=1024)
def parse_calendar(text: str) -> Calendar:
    """Five fields or a descriptor that stands for them. Raises CronError."""
    if text.startswith("@"):
        if text not in DESCRIPTORS:
            raise CronError(
                f"{text!r} is no descriptor; there are {', '.join(DESCRIPTORS)} and '@every 6h'"
            )
        return parse_calendar(DESCRIPTORS[text])
    parts = text.split()
    if len(parts) != _FIELDS:
        raise CronError(
            f"{text!r} has {len(parts)} fields; write five: minute, hour, day of month, month, "
            "day of week"
        )
    minute, hour, month_day, month, weekday = (
        _field(part, bounds, text) for part, bounds in zip(parts, _BOUNDS, strict=True)
    )
    found = Calendar(text, minute.values, hour.values, month_day, month, weekday)
    if found.days == 0:
        raise CronError(f"{text!r} never comes: no month has such a day; correct the days")
    return found


def _every(text: str) -> Every:
    try:
        interval = durations.seconds(text.removeprefix(_EVERY))
    except ValueError as error:
        raise CronError(f"{text!r}: {error}") from None
    if interval < SHORTEST_SECONDS:
        raise CronError(
            f"{text!r} is less than a minute, and schedules are looked at once a minute"
        )
    return Every(text, interval)


def _field(text: str, bounds: _Bounds, whole: str) -> _Field:
    values: set[int] = set()
    star = False
    for part in text.split(","):
        found, starred = _range(part, bounds, whole)
        values |= found
        star = star or starred
    return _Field(frozenset(values), star)


def _range(text: str, bounds: _Bounds, whole: str) -> tuple[set[int], bool]:
    spread, slash, step_text = text.partition("/")
    step = _number(step_text, {}, bounds, whole) if slash else 1
    if step == 0:
        raise _wrong(whole, bounds, f"the step of {text!r} is 0")
    if spread in ("*", "?"):
        return set(range(bounds.least, bounds.most + 1, step)), step == 1
    low_text, dash, high_text = spread.partition("-")
    low = _number(low_text, bounds.names, bounds, whole)
    high = _number(high_text, bounds.names, bounds, whole) if dash else low
    if slash and not dash:
        high = bounds.most
    if low < bounds.least or max(low, high) > bounds.most:
        hint = "; Sunday is 0" if bounds.names is _WEEKDAYS else ""
        raise _wrong(whole, bounds, f"{text!r} is not within {bounds.least} to {bounds.most}{hint}")
    if low > high:
        raise _wrong(whole, bounds, f"{text!r} ends before it begins")
    return set(range(low, high + 1, step)), False


def _number(text: str, names: Mapping[str, int], bounds: _Bounds, whole: str) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise _wrong(whole, bounds, f"{text!r} is no number")
    return int(text)


def _wrong(whole: str, bounds: _Bounds, what: str) -> CronError:
    return CronError(f"{whole!r}, {bounds.name}: {what}; correct the field")


@lru_cache(maxsize=256)
def _days(days_of_month: _Field, months: _Field, weekdays: _Field) -> int:
    """Both day fields must fit if one of them is a star, else either of them may."""
    both = days_of_month.star or weekdays.star
    mask = 0
    for offset in range(_HORIZON_DAYS):
        day = _HORIZON_START + datetime.timedelta(days=offset)
        if day.month not in months.values:
            continue
        in_month = day.day in days_of_month.values
        # Python counts from Monday, cron from Sunday.
        in_week = (day.weekday() + 1) % 7 in weekdays.values
        if (in_month and in_week) if both else (in_month or in_week):
            mask |= 1 << offset
    return mask


@lru_cache(maxsize=256)
def _longest_step(days: int) -> int:
    """The longest distance between two days of a mask."""
    longest, previous = 0, -1
    offset = 0
    while days:
        skipped = (days & -days).bit_length() - 1
        offset += skipped
        if previous >= 0:
            longest = max(longest, offset - previous)
        previous = offset
        days >>= skipped + 1
        offset += 1
    return longest or _HORIZON_DAYS


def _with_minutes(text: str, minutes: frozenset[int]) -> str:
    rest = DESCRIPTORS.get(text, text).split()[1:]
    return " ".join([",".join(str(minute) for minute in sorted(minutes)), *rest])
