"""Objects in a cluster: an `up` that is killed anywhere is finished by the next one.

BACKSTOP_CRASH_STEP says after every how many operations a run is killed; 1 kills after each one.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.engine.cluster_site import ClusterSite, cluster_site
from tests.engine.interruptions import (
    Interrupted,
    Victims,
    completed_operations,
    killed_up,
    wait_until,
)
from tests.support.kube_api import running_kube_api

pytestmark = pytest.mark.tools

STEP = int(os.environ.get("BACKSTOP_CRASH_STEP", "4"))
FIRST_OPERATIONS = 12
UPDATE_OPERATIONS = 5
ENDING_SECONDS = 600.0


@dataclass(frozen=True)
class Outcome:
    operations: int
    state: dict[str, Any]
    objects: dict[str, Any]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    folder = tmp_path_factory.mktemp("crashes")
    with running_kube_api(folder) as api, cluster_site(folder, api) as made:
        yield made


@pytest.fixture(scope="module")
def runs(project: ClusterSite) -> tuple[Outcome, Outcome]:
    """A first run and an update, both from beginning to end."""
    found = []
    for size in (1, 2):
        project.resize(size)
        log = project.folder / f"whole-{size}.jsonl"
        done = project.stack("up", "--", "--event-log", str(log))
        assert done.returncode == 0, done.stdout + done.stderr
        found.append(Outcome(completed_operations(log), project.state(), project.objects()))
    project.clear()
    return found[0], found[1]


@pytest.fixture
def site(project: ClusterSite, runs: tuple[Outcome, Outcome]) -> Iterator[ClusterSite]:
    """The project before its first `up`, in a cluster without its objects."""
    assert runs
    project.resize(1)
    yield project
    project.clear()
    assert project.objects()["namespace"] is None


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Which fields of which resources differ, for a message that can be read."""
    return sorted(
        f"{name}: {key}: {one.get(name, {}).get(key)} / {other.get(name, {}).get(key)}"
        for name in {*one, *other}
        for key in {*one.get(name, {}), *other.get(name, {})}
        if one.get(name, {}).get(key) != other.get(name, {}).get(key)
    )


def assert_converges(site: ClusterSite, killed: Interrupted, wanted: Outcome) -> None:
    again = site.stack("up")
    assert again.returncode == 0, f"{killed.output}\nnext up: {again.stdout}{again.stderr}"
    assert site.objects() == wanted.objects, again.stdout
    now = site.state()
    assert differing(now["resources"], wanted.state["resources"]) == [], again.stdout
    assert now == wanted.state
    quiet = site.stack("preview", "--expect-no-changes")
    assert quiet.returncode == 0, quiet.stdout


def test_the_enumeration_covers_every_operation(runs: tuple[Outcome, Outcome]) -> None:
    assert tuple(run.operations for run in runs) == (FIRST_OPERATIONS, UPDATE_OPERATIONS)


@pytest.mark.parametrize("after", range(0, FIRST_OPERATIONS, STEP))
def test_a_first_up_killed_with_its_plugins(
    site: ClusterSite, runs: tuple[Outcome, Outcome], after: int
) -> None:
    killed = killed_up(site, after)  # type: ignore[arg-type]
    assert killed.failed, killed.output
    assert_converges(site, killed, runs[0])


@pytest.mark.parametrize("after", range(0, UPDATE_OPERATIONS, STEP))
def test_an_update_killed_with_its_plugins(
    site: ClusterSite, runs: tuple[Outcome, Outcome], after: int
) -> None:
    assert site.stack("up").returncode == 0
    site.resize(2)
    killed = killed_up(site, after)  # type: ignore[arg-type]
    assert killed.failed, killed.output
    assert_converges(site, killed, runs[1])


def test_a_first_up_that_lost_only_its_plugins(
    site: ClusterSite, runs: tuple[Outcome, Outcome]
) -> None:
    killed = killed_up(site, FIRST_OPERATIONS // 2, Victims.PLUGINS)  # type: ignore[arg-type]
    assert killed.failed, killed.output
    assert_converges(site, killed, runs[0])


@pytest.mark.parametrize("after", [4, 9])
def test_an_api_server_that_restarts_in_the_middle(
    site: ClusterSite, runs: tuple[Outcome, Outcome], after: int
) -> None:
    log = site.folder / f"restart-{after}.jsonl"
    log.unlink(missing_ok=True)
    running = site.begin("up", "--", "--event-log", str(log))
    wait_until(lambda: running.poll() is not None or completed_operations(log) >= after)
    site.cluster.stop("kube-apiserver")
    site.cluster.start()
    output, _ = running.communicate(timeout=ENDING_SECONDS)
    again = site.stack("up")
    assert again.returncode == 0, f"{output}\nnext up: {again.stdout}{again.stderr}"
    assert site.objects() == runs[0].objects
    assert differing(site.state()["resources"], runs[0].state["resources"]) == []


def test_a_lost_state_takes_the_cluster_over(project: ClusterSite) -> None:
    project.resize(1)
    assert project.stack("up").returncode == 0
    before = project.objects()
    for file in project.state_file.parent.glob("dev.json*"):
        file.unlink()
    again = project.stack("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "adopt: store: Secret crashes/store carries our mark" in again.stdout
    assert "adopt: release: Helm release crashes/small is in our namespace" in again.stdout
    assert project.objects() == before
    quiet = project.stack("preview", "--expect-no-changes")
    assert quiet.returncode == 0, quiet.stdout
    project.clear()
