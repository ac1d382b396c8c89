"""An `up` that is killed anywhere is finished by the next one, as if nothing had happened.

BACKSTOP_CRASH_STEP says after every how many operations a run is killed; 1 kills after each one.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.interruptions import (
    Interrupted,
    Victims,
    completed_operations,
    killed_up,
    wait_until,
)
from tests.engine.prepared import CLIENTS, Prepared
from tests.engine.server_view import listing
from tests.engine.site import EngineSite, shown
from tests.engine.state_view import differences, state

pytestmark = pytest.mark.tools

STEP = int(os.environ.get("BACKSTOP_CRASH_STEP", "9"))
# What an uninterrupted run does; a test holds these numbers to the program.
FIRST_OPERATIONS = 57
UPDATE_OPERATIONS = 23
ENDING_SECONDS = 20.0

ROLES = ("velero", "longhorn", "host-files", "cluster-state", "evidence")
# The update: another lifecycle for every bucket, one rotated credential, one client more.
CHANGES: dict[str, dict[str, Any]] = {
    "velero": {"credentialGeneration": 2},
    "host-files": {"nodes": ["cp1", "cp2"]},
}
UPDATED_CLIENTS = {
    role: {**CLIENTS.get(role, {}), "noncurrentDays": 45, **CHANGES.get(role, {})} for role in ROLES
}


@dataclass(frozen=True)
class Outcome:
    """What a site has become; `operations` is how many that took."""

    operations: int
    state: dict[str, Any]
    listing: dict[str, Any]


@dataclass(frozen=True)
class Runs:
    """The moments that runs begin from, and what uninterrupted ones lead to."""

    prepared: Prepared
    first: Outcome
    update: Outcome

    def before_first(self) -> EngineSite:
        return self.prepared.bare()

    def before_update(self) -> EngineSite:
        site = self.prepared.deployed()
        site.configure(clients=UPDATED_CLIENTS)
        return site


def outcome(site: EngineSite, log: Path) -> Outcome:
    return Outcome(completed_operations(log), state(site), listing(site.server))


@pytest.fixture(scope="module")
def runs(prepared: Prepared) -> Runs:
    """Both runs from beginning to end."""
    site = prepared.deployed()
    first = outcome(site, prepared.first_up_log)
    site.configure(clients=UPDATED_CLIENTS)
    log = site.folder / "update.jsonl"
    log.unlink(missing_ok=True)
    site.up("--", "--event-log", str(log))
    return Runs(prepared, first, outcome(site, log))


def assert_converges(site: EngineSite, killed: Interrupted, wanted: Outcome) -> None:
    """One `up`, nothing else, makes the killed run's site equal to an uninterrupted one."""
    again = site.stack("up")
    assert again.returncode == 0, f"killed run:\n{killed.output}\nnext up: {shown(again)}"
    assert differences(state(site), wanted.state) == []
    assert listing(site.server) == wanted.listing
    site.expect_quiet()
    assert site.locks == []


def test_the_enumeration_covers_every_operation(runs: Runs) -> None:
    assert (runs.first.operations, runs.update.operations) == (FIRST_OPERATIONS, UPDATE_OPERATIONS)
    for outcome in (runs.first, runs.update):
        assert (outcome.state["pending"], outcome.state["condemned"]) == ([], [])


@pytest.mark.parametrize("after", range(0, FIRST_OPERATIONS, STEP))
def test_a_first_up_killed_with_its_plugins(runs: Runs, after: int) -> None:
    site = runs.before_first()
    killed = killed_up(site, after)
    assert killed.code != 0, killed.output
    assert_converges(site, killed, runs.first)


@pytest.mark.parametrize("after", range(0, UPDATE_OPERATIONS, STEP))
def test_an_update_killed_with_its_plugins(runs: Runs, after: int) -> None:
    site = runs.before_update()
    killed = killed_up(site, after)
    assert killed.code != 0, killed.output
    assert_converges(site, killed, runs.update)


@pytest.mark.parametrize("victims", [Victims.ENGINE, Victims.PLUGINS])
@pytest.mark.parametrize("after", [FIRST_OPERATIONS // 3])
def test_a_first_up_that_lost_only_some_processes(runs: Runs, victims: Victims, after: int) -> None:
    site = runs.before_first()
    killed = killed_up(site, after, victims)
    assert killed.code != 0, killed.output
    wait_until(lambda: killed.left() == [], ENDING_SECONDS)
    assert_converges(site, killed, runs.first)


@pytest.mark.parametrize("victims", [Victims.ENGINE, Victims.PLUGINS])
@pytest.mark.parametrize("after", [UPDATE_OPERATIONS // 2])
def test_an_update_that_lost_only_some_processes(runs: Runs, victims: Victims, after: int) -> None:
    site = runs.before_update()
    killed = killed_up(site, after, victims)
    assert killed.code != 0, killed.output
    wait_until(lambda: killed.left() == [], ENDING_SECONDS)
    assert_converges(site, killed, runs.update)


def test_a_run_killed_twice_over(runs: Runs) -> None:
    """The recovery's own run may be killed as well."""
    site = runs.before_first()
    killed_up(site, FIRST_OPERATIONS // 2)
    killed = killed_up(site, 2)
    assert_converges(site, killed, runs.first)
