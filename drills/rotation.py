"""The rotation over restore points: which one a drill takes when it is to prove all in turn."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Retained(Protocol):
    """A restore point, as far as the rotation has to know it."""

    @property
    def name(self) -> str: ...

    @property
    def completed(self) -> datetime.datetime: ...


P = TypeVar("P", bound=Retained)

Trial = tuple[str, datetime.datetime]
"""A point that a drill was run on, and when that drill ended."""


def longest_unproven(points: Sequence[P], trials: Iterable[Trial], now: datetime.datetime) -> P:
    """The point that has waited longest since its last trial, or since it completed.

    `trials` come from the receipts of earlier drills that reached a verdict on the point, red ones
    too: a point that cannot be restored would otherwise keep every other one from its turn.

    The points form a queue: a new one joins at the back, a tried one goes there again. So nothing
    that comes later overtakes a point, and one that waits behind N - 1 others has its turn at the
    N-th drill at the latest, or expires before (`bound`). Raises ValueError on no points.
    """
    known = {point.name: point for point in points}
    if not known:
        raise ValueError("no points to choose from")
    # Of a point that was just tried and one that just completed, the new one is ahead.
    waiting = {point.name: (point.completed, False, point.name) for point in points}
    for called, at in trials:
        # A trial that is yet to end is a fault of a clock, and would keep the point at the back
        # until then. One from before the point completed was of another one of its name.
        if called in known and at <= now:
            waiting[called] = max(waiting[called], (at, True, called))
    return known[min(known, key=waiting.__getitem__)]


def bound(retained: int) -> int:
    """Drills until each of `retained` points had its turn, counted from when the last joined."""
    return retained


def covers(retained: int, period: datetime.timedelta, lifetime: datetime.timedelta) -> bool:
    """Whether every point is drilled before it expires, at one drill each `period`.

    `lifetime`: how long a point can be drilled, its TTL less what a drill needs. In a steady state
    `retained` is lifetime / backup interval, so this asks for drills as frequent as backups.
    """
    return lifetime >= bound(retained) * period
