"""Whole drills on a lab that is up, beside the same restore by hand.

Small by default; how much is restored, in how many files, by which methods and how often is told by
variables of the environment, all of which begin with BACKSTOP_BENCH_.
"""

import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pytest

from tests.bench.clock import Row, report
from tests.bench.drill_lab import (
    DrillLab,
    DrillRun,
    NoLabError,
    open_lab,
    open_volumes,
    quiet_runs,
    run_volumes,
)
from tests.bench.drill_workload import (
    METHODS,
    NAMESPACE,
    ByHand,
    Claims,
    backup,
    restore_by_hand,
    servers,
    workload,
)

pytestmark = pytest.mark.bench

LIMIT = 1.10


def told(key: str, otherwise: str) -> str:
    return os.environ.get(f"BACKSTOP_BENCH_{key}") or otherwise


MIB = int(told("MIB", "16"))
FILES = tuple(int(one) for one in told("FILES", "100").split(","))
CHOSEN = tuple(told("METHODS", ",".join(METHODS)).split(","))
REPEATS = int(told("REPEATS", "1"))
QUIET = int(told("QUIET", "1"))


@pytest.fixture(scope="module")
def lab() -> DrillLab:
    try:
        return open_lab()
    except NoLabError as why:
        pytest.skip(str(why))


@dataclass(frozen=True)
class Drilled:
    """A drill of the workload; `idle`: see drill_workload.Claims."""

    run: DrillRun
    idle: float


def drilled(lab: DrillLab, saved: str, files: int) -> Drilled:
    """The drill `volumes` of one backup of the workload. What is not proven has no time."""
    payload = lab.volumes(
        restorePoint={"name": saved}, schedules=[], namespaces=[NAMESPACE], canary=None, checks=[]
    )
    drill = open_volumes(payload)
    sandbox = drill.course.run.namespaces([NAMESPACE])[NAMESPACE]
    with Claims(lab.another_velero(), sandbox) as claims:
        run = run_volumes(drill)
    assert run.proven, run.why()
    read = sum(one.count for one in run.record.compared)
    assert read >= files, f"{read} of {files} files were read"
    return Drilled(run, claims.idle)


def middle(values: Iterable[float]) -> float:
    return statistics.median(values)


def side_by_side(
    lab: DrillLab, saved: str, files: int
) -> tuple[Sequence[ByHand], Sequence[Drilled]]:
    """Both by turns, each first as often as the other: what warms up serves both."""
    hands: list[ByHand] = []
    drills: list[Drilled] = []
    turns: list[Callable[[], None]] = [
        lambda: hands.append(restore_by_hand(lab, saved, files)),
        lambda: drills.append(drilled(lab, saved, files)),
    ]
    before = servers(lab.velero)
    for number in range(REPEATS):
        for turn in turns if number % 2 == 0 else reversed(turns):
            turn()
    assert servers(lab.velero) == before, "somebody restarted Velero meanwhile; use a quiet lab"
    return hands, drills


def rows(hands: Sequence[ByHand], drills: Sequence[Drilled]) -> list[Row]:
    """Medians; the yardstick is the restore by hand and its sha256sum, without the pod's start."""
    unit = middle(one.seconds for one in hands)

    def row(what: str, seconds: float) -> Row:
        return Row(what, seconds, seconds / unit)

    phases = drills[0].run.phases
    return [
        row("by hand: Velero's restore", middle(one.restore for one in hands)),
        row("by hand: sha256sum of the files", middle(one.hashing for one in hands)),
        row("by hand: start of the pod in between", middle(one.start for one in hands)),
        row("by hand: claims idle, within the restore", middle(one.idle for one in hands)),
        row("drill, all but its clean-up", middle(one.run.seconds for one in drills)),
        *(
            row(f"drill: {name}", middle(one.run.phases.get(name, 0.0) for one in drills))
            for name in phases
        ),
        row("drill: claims idle, within its restore", middle(one.idle for one in drills)),
    ]


def verdict(hands: Sequence[ByHand], drills: Sequence[Drilled]) -> str:
    """The ratio that is wanted, and what the pod's start and idle claims make of it."""
    drill = middle(one.run.seconds for one in drills)
    active = middle(one.run.seconds - one.idle for one in drills)
    strict = drill / middle(one.seconds for one in hands)
    started = drill / middle(one.with_start for one in hands)
    return (
        f"drill to restore by hand: {strict:.2f} (wanted: at most {LIMIT:.2f}); the pod's start "
        f"counted by hand too: {started:.2f}; and idle claims left out of both: "
        f"{active / middle(one.with_start - one.idle for one in hands):.2f}, "
        f"without the pod's start {active / middle(one.seconds - one.idle for one in hands):.2f}"
    )


@pytest.mark.parametrize("files", FILES)
def test_drill_of_a_volume_beside_a_restore_by_hand(
    files: int, lab: DrillLab, capsys: pytest.CaptureFixture[str]
) -> None:
    with workload(lab, files, MIB << 20):
        for method in CHOSEN:
            with backup(lab, method) as saved:
                hands, drills = side_by_side(lab, saved, files)
            title = f"{method}, {MIB} MiB in {files} files, median of {REPEATS}"
            with capsys.disabled():
                print(report(title, "restore and sha256sum by hand", rows(hands, drills)))  # noqa: T201
                print(verdict(hands, drills), flush=True)  # noqa: T201
            assert len(hands) == len(drills) == REPEATS


@pytest.mark.parametrize("layer", ["kube-objects", "volumes"])
def test_quiet_runs_in_a_row(layer: str, lab: DrillLab, capsys: pytest.CaptureFixture[str]) -> None:
    once = quiet_runs(lab)[layer]
    runs = [once() for _ in range(QUIET)]
    red = [one.why() for one in runs if not one.proven]
    totals = [one.seconds + one.clean_up for one in runs]
    median = middle(totals)
    phases = [
        Row(name, middle(took), middle(took) / median)
        for name in runs[0].phases
        if (took := [one.phases.get(name, 0.0) for one in runs])
    ]
    longest = [Row("longest", max(totals), max(totals) / median), Row("median", median, 1.0)]
    with capsys.disabled():
        title = f"{layer}, {QUIET} quiet runs in a row, {len(red)} red, with clean-up"
        print(report(title, "the median run", [*longest, *phases]), flush=True)  # noqa: T201
    assert not red
