"""Times of one benchmark, as ratios to a yardstick that ran on the same machine a moment ago."""

import time
from collections.abc import Callable
from dataclasses import dataclass

REPEATS = 3


def best(
    run: Callable[[], object],
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds of the fastest of several runs: the others were disturbed.

    `clock`: time.process_time counts this process only, which a busy machine disturbs least.
    """
    times = []
    for _ in range(repeats):
        begun = clock()
        run()
        times.append(clock() - begun)
    return min(times)


@dataclass(frozen=True)
class Row:
    """One line of a report; `ratio` is to the yardstick that the report names."""

    what: str
    seconds: float
    ratio: float

    def __str__(self) -> str:
        return f"{self.what:<44} {self.seconds:8.2f} s {self.ratio:8.1f}"


def report(title: str, yardstick: str, rows: list[Row]) -> str:
    """The table as text, with the yardstick in its head."""
    head = f"\n{title} (ratio to {yardstick})"
    return "\n".join([head, *map(str, rows)])
