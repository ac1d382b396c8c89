"""What the program needs to declare Velero with 1, 10 and 100 schedules and namespaces."""

import itertools
from time import process_time
from typing import Any

import pytest

from components.velero import schedules
from tests.bench.clock import Row, best, report
from tests.components.velero.sites import SITE, record, velero_settings

pytestmark = pytest.mark.bench

SIZES = (1, 10, 100)
# One size more tells growth from the fixed part, which hides it among the small ones.
EVALUATED = (*SIZES, 200)


def tiers(count: int) -> dict[str, Any]:
    """Schedules at times of their own, each with its namespace."""
    return {
        f"s{number:03d}": {
            "cron": f"{number % 60} {number % 24} * * *",
            "includedNamespaces": [f"team-{number:03d}"],
        }
        for number in range(count)
    }


def crowded(count: int) -> dict[str, Any]:
    """Schedules that all want the same minutes of a day, and are spread over its hours."""
    return {f"s{number:03d}": {"cron": f"0 {number % 4} * * *"} for number in range(count)}


def namespaces(count: int) -> dict[str, Any]:
    names = [f"team-{number:03d}" for number in range(count)]
    return {"daily": {"cron": "0 2 * * *", "includedNamespaces": names}}


def growth(seconds: dict[int, float]) -> list[float]:
    """Seconds of each further one, from size to size."""
    return [
        (seconds[large] - seconds[small]) / (large - small)
        for small, large in itertools.pairwise(EVALUATED)
    ]


@pytest.mark.parametrize("kind", [tiers, crowded, namespaces])
def test_evaluation_by_size(kind: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # The recorder costs more than the program; what is read is the program's own part.
    def evaluate(size: int) -> object:
        found = velero_settings(schedules=kind(size))
        return schedules.specifications(found, SITE)

    seconds = {
        size: best(lambda size=size: evaluate(size), clock=process_time) for size in EVALUATED
    }
    rows = [Row(f"{size} {kind.__name__}", seconds[size], seconds[size] / seconds[1])
            for size in EVALUATED]  # fmt: skip
    steps = growth(seconds)
    with capsys.disabled():
        text = report("settings and specifications, processor time", "1", rows)
        told = ", ".join(f"{step * 1000:.2f} ms" for step in steps)
        print(f"{text}\neach further one: {told}; last to previous {steps[-1] / steps[-2]:.2f}")  # noqa: T201
    assert len(evaluate(100)) == len(kind(100))


def test_registration_by_number_of_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    sites = {size: velero_settings(schedules=tiers(size)) for size in EVALUATED}
    registered = {size: len(record(site)) for size, site in sites.items()}
    seconds = {
        size: best(lambda site=site: record(site), clock=process_time)
        for size, site in sites.items()
    }
    rows = [
        Row(
            f"{size} schedules, {registered[size]} resources",
            seconds[size],
            seconds[size] / seconds[1],
        )
        for size in EVALUATED
    ]
    with capsys.disabled():
        print(report("registration without an engine, processor time", "1 schedule", rows))  # noqa: T201
    # One resource a schedule, at every size: the work itself is linear.
    for small, large in itertools.pairwise(EVALUATED):
        assert registered[large] - registered[small] == large - small
