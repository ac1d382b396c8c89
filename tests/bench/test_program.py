"""What the program needs to declare 1, 10, 100 and 200 clients: time per client, and growth."""

import itertools
from time import process_time

import pytest

from tests.bench.clock import Row, best, report
from tests.support.recorder import record, settings_with

pytestmark = pytest.mark.bench

SIZES = (1, 10, 100)
# One size more tells growth from the fixed part, which hides it among the small ones.
EVALUATED = (*SIZES, 200)


def nodes(count: int) -> dict[str, object]:
    return {"host-files": {"nodes": [f"node{number}" for number in range(count)]}}


def test_evaluation_by_number_of_clients(capsys: pytest.CaptureFixture[str]) -> None:
    sites = {size: settings_with(clients=nodes(size)) for size in EVALUATED}
    registered = {size: len(record(site)) for size, site in sites.items()}
    seconds = {
        size: best(lambda site=site: record(site), clock=process_time)
        for size, site in sites.items()
    }
    # The fixed part of the program is in every figure, so growth is read from the differences.
    steps = [
        (small, large, (seconds[large] - seconds[small]) / (large - small))
        for small, large in itertools.pairwise(EVALUATED)
    ]
    rows = [
        Row(
            f"{size} nodes, {registered[size]} resources", seconds[size], seconds[size] / seconds[1]
        )
        for size in EVALUATED
    ]
    with capsys.disabled():
        text = report("evaluation without an engine, processor time", "1 node", rows)
        per_client = ", ".join(f"{a} to {b}: {each * 1000:.1f} ms" for a, b, each in steps)
        growth = steps[-1][2] / steps[-2][2]
        summary = f"each further node: {per_client}; last to previous {growth:.2f} (1 is linear)"
        print(f"{text}\n{summary}")  # noqa: T201  (a benchmark's result is what it prints)
    # Four resources a node, at every size: the work itself is linear.
    for small, large in itertools.pairwise(EVALUATED):
        assert registered[large] - registered[small] == 4 * (large - small)
