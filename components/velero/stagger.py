"""Spreads schedules that would start in the same minute.

Velero works on one backup at a time; the others wait in its queue, in an order nobody chose. So
each start gets a minute of its own, the same one in every run.
"""

from collections.abc import Mapping

from components.velero.cron import Calendar, CronError, parse

_MINUTES_OF_AN_HOUR = 60


def spread(expressions: Mapping[str, str]) -> dict[str, str]:
    """Expressions by schedule, so that no two of them start in the same minute.

    The first in order of names keeps its minute; the next is moved within its hour by as few
    minutes as will do. `@every` stays, for it counts from the schedule's creation.

    Raises:
        CronError: an expression is wrong, or an hour has no minute left.
    """
    taken: dict[tuple[int, int], int] = {}
    found: dict[str, str] = {}
    for name in sorted(expressions):
        found[name] = expressions[name]
        calendar = parse(expressions[name])
        if isinstance(calendar, Calendar) and (offset := _offset(name, calendar, taken)):
            found[name] = calendar.shifted(offset).text
    return {name: found[name] for name in expressions}


def _offset(name: str, calendar: Calendar, taken: dict[tuple[int, int], int]) -> int:
    """The fewest minutes by which the schedule finds its starts free; marks them as taken."""
    for offset in range(_MINUTES_OF_AN_HOUR):
        minutes = [(minute + offset) % _MINUTES_OF_AN_HOUR for minute in calendar.minutes]
        slots = [(hour, minute) for hour in calendar.hours for minute in minutes]
        if any(taken.get(slot, 0) & calendar.days for slot in slots):
            continue
        for slot in slots:
            taken[slot] = taken.get(slot, 0) | calendar.days
        return offset
    raise CronError(
        f"{name}: {calendar.text!r} always starts together with another schedule, and no minute of "
        "its hours is free; give it other hours"
    )
