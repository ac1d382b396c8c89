"""Which blocks the quick depth reads today, so that every one is read within so many days.

A block belongs to one of `days` parts, by the remainder of its checksum; each day one part is due.
Checksums are those of a cryptographic hash, so the parts are alike in size.
"""

import datetime
from dataclasses import dataclass

_PREFIX_BYTES = 8


@dataclass(frozen=True)
class Share:
    """The parts that a drill reads. `since`: the day of the last drill that is known of."""

    day: datetime.date
    days: int
    every: int
    parts: frozenset[int]
    since: datetime.date | None = None

    @property
    def whole(self) -> bool:
        return len(self.parts) == self.days

    def takes(self, digest: bytes) -> bool:
        """Whether a block is read. `digest`: its checksum as bytes."""
        return part_of(digest, self.days) in self.parts

    def told(self) -> str:
        """For the receipt: what is read, and what that promises."""
        if self.whole:
            return "full depth: every block"
        rhythm = "each day" if self.every == 1 else f"every {self.every} days"
        return (
            f"quick depth of {self.day}: {len(self.parts)} of {self.days} parts, by checksum; with "
            f"a drill {rhythm} every block is read within {self.days} days"
        )


def part_of(digest: bytes, days: int) -> int:
    """The part that a block belongs to, of `days`. Raises ValueError for no days."""
    if days < 1:
        raise ValueError("days: 1 or more")
    return int.from_bytes(digest[:_PREFIX_BYTES]) % days


def part_of_day(day: datetime.date, days: int) -> int:
    """The part that is due on a day."""
    return day.toordinal() % days


def due_on(digest: bytes, days: int, after: datetime.date) -> datetime.date:
    """The first day from `after` on, on which a block is due."""
    wait = (part_of(digest, days) - part_of_day(after, days)) % days
    return after + datetime.timedelta(days=wait)


def full(today: datetime.date) -> Share:
    """Every block."""
    return Share(today, 1, 1, frozenset({0}))


def quick(today: datetime.date, days: int, every: int, last: datetime.date | None = None) -> Share:
    """What is due today, and what was due since the last drill.

    every: days between two drills, as planned. last: the day of the last one that read its share,
    as far as this machine knows; a drill that was left out is made up for so.
    """
    # A day that is yet to come is a fault of a clock.
    known = last if last is not None and last <= today else None
    # What was due on the day of the last drill, that drill has read; a second one reads it again.
    missed = every if known is None else max(1, (today - known).days)
    wanted = range(min(missed, days))
    parts = (part_of_day(today - datetime.timedelta(days=back), days) for back in wanted)
    return Share(today, days, every, frozenset(parts), known)
