"""Every refusal has its case, and beside it the twin that is not refused."""

import datetime
from typing import Any

import pytest

from drills.coverage.scope import from_schedule
from drills.sandbox import fence, safety
from drills.sandbox.marks import RUN_LABEL, Run
from drills.sandbox.safety import Cause, Refusal
from drills.verdict import Reason
from kube.marks import SITE_LABEL
from tests.drills.sandbox.runs import HOUR, NOW, RUN_ID, run

NAME = run().name("shop")
EVERYTHING = from_schedule(
    {"metadata": {"name": "daily"}, "spec": {"template": {"includedNamespaces": ["*"]}}}
)
NOTHING = from_schedule(
    {"metadata": {"name": "daily"}, "spec": {"template": {"includedNamespaces": ["x"]}}}
)


def ours(**labels: str) -> dict[str, Any]:
    found = fence.namespace(run(), NAME)
    found["metadata"]["labels"].update(labels)
    return found


def bare(**labels: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": NAME, "labels": labels}}


def dying() -> dict[str, Any]:
    return {**ours(), "status": {"phase": "Terminating"}}


def unfenced() -> dict[str, Any]:
    found = ours()
    del found["metadata"]["labels"]["velero.io/exclude-from-backup"]
    return found


def refused(name: str = NAME, found: dict[str, Any] | None = None) -> Refusal | None:
    return safety.target(name, found, run(), sources=["shop", "db"], scopes=[EVERYTHING])


TARGETS = [
    (Cause.SYSTEM, "kube-system", None),
    (Cause.SYSTEM, "kube-public", None),
    (Cause.PRODUCTION, "shop", None),
    (Cause.PRODUCTION, "db", ours()),
    (Cause.NAME, "anything", None),
    (Cause.NAME, "backstop-drill-shop", None),
    (Cause.NAME, run("ffffffffffff").name("shop"), None),
    (Cause.NAME, f"backstop-drill-{RUN_ID}", None),
    (Cause.NOT_OURS, NAME, bare()),
    (Cause.NOT_OURS, NAME, bare(team="shop")),
    (Cause.NOT_OURS, NAME, bare(**{"backstop.io/drill": "volumes"})),
    (Cause.OTHER_RUN, NAME, ours(**{RUN_LABEL: "ffffffffffff"})),
    (Cause.OTHER_RUN, NAME, ours(**{SITE_LABEL: "prod"})),
    (Cause.TERMINATING, NAME, dying()),
    (Cause.NOT_FENCED, NAME, unfenced()),
]


@pytest.mark.parametrize(("cause", "name", "found"), TARGETS)
def test_a_target_that_is_not_this_runs_sandbox_is_refused(
    cause: Cause, name: str, found: dict[str, Any] | None
) -> None:
    refusal = refused(name, found)
    assert refusal is not None
    assert refusal.cause is cause
    assert refusal.reason is Reason.TARGET_REFUSED
    assert name in refusal.sentence
    assert "\n" not in refusal.sentence


def test_a_schedule_that_saves_a_strange_target_is_named() -> None:
    refusal = refused(NAME, bare())
    assert refusal is not None
    assert "and schedule daily saves it" in refusal.sentence


@pytest.mark.parametrize("found", [None, ours()])
def test_a_new_name_and_the_own_sandbox_are_taken(found: dict[str, Any] | None) -> None:
    assert refused(NAME, found) is None


def test_a_sandbox_that_no_schedule_takes_needs_no_label() -> None:
    assert safety.target(NAME, unfenced(), run(), sources=[], scopes=[NOTHING]) is None


def test_veleros_namespace_can_be_named_as_the_clusters_own() -> None:
    refusal = safety.target("velero", None, run(), sources=[], system=["velero"])
    assert refusal is not None
    assert refusal.cause is Cause.SYSTEM


def test_another_cluster_is_refused() -> None:
    assert safety.cluster("u1", "u1", "https://x") is None
    refusal = safety.cluster("u1", "u2", "https://x")
    assert refusal is not None
    assert refusal.cause is Cause.CLUSTER
    assert refusal.reason is Reason.CLUSTER_MISMATCH


def backup(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "daily-1", "labels": labels}}


@pytest.mark.parametrize(
    ("labels", "more", "cause", "says"),
    [
        ({SITE_LABEL: "prod"}, {}, Cause.OTHER_SITE, "is of site prod, not of dev"),
        ({SITE_LABEL: "dev"}, {"recorded": "u2"}, Cause.CLUSTER, "by its recorded UID"),
        ({}, {"recorded": "u1", "archived": "u2"}, Cause.CLUSTER, "by its archived UID"),
    ],
)
def test_a_restore_point_of_another_cluster_is_refused(
    labels: dict[str, str], more: dict[str, str], cause: Cause, says: str
) -> None:
    origin = safety.origin(backup(**labels), "dev", "u1", **more)
    assert origin.known
    assert origin.refusal is not None
    assert origin.refusal.cause is cause
    assert origin.refusal.reason is Reason.CLUSTER_MISMATCH
    assert says in origin.refusal.sentence


@pytest.mark.parametrize(
    ("labels", "more", "known"),
    [
        ({SITE_LABEL: "dev"}, {}, True),
        ({}, {"recorded": "u1"}, True),
        ({}, {"archived": "u1"}, True),
        ({}, {}, False),
    ],
)
def test_an_own_restore_point_is_taken_and_an_unknown_one_is_told(
    labels: dict[str, str], more: dict[str, str], known: bool
) -> None:
    origin = safety.origin(backup(**labels), "dev", "u1", **more)
    assert origin == safety.Origin(None, known)


def marked(one: Run) -> dict[str, Any]:
    return {"metadata": {"name": one.name("a"), "labels": one.labels()}}


OTHER = "ffffffffffff"


@pytest.mark.parametrize(
    ("other", "alive"),
    [
        (run(OTHER, age=1, lives=2), True),
        (run(OTHER, age=2, lives=2), False),
        (run(OTHER, age=50, lives=2), False),
        (run(OTHER, site="prod", age=1, lives=2), False),
        (Run("dev", "volumes", OTHER, NOW, NOW + HOUR), False),
        (run(), False),
    ],
)
def test_a_living_run_of_the_same_drill_is_waited_for(other: Run, alive: bool) -> None:
    refusal = safety.running([marked(other), {"metadata": {}}], run(), NOW)
    assert (refusal is not None) is alive
    if refusal is not None:
        assert refusal.cause is Cause.RUNNING
        assert OTHER in refusal.sentence


def test_half_a_mark_keeps_no_drill_from_running() -> None:
    broken = marked(run(OTHER))
    del broken["metadata"]["labels"][RUN_LABEL]
    assert safety.running([broken], run(), NOW) is None


def test_every_refusal_is_tested() -> None:
    tested = {cause for cause, *_ in TARGETS}
    elsewhere = {Cause.LEASE_LOST, Cause.RESTORING}  # tests/drills/test_lease.py, test_aside.py
    assert tested | {Cause.CLUSTER, Cause.OTHER_SITE, Cause.RUNNING} | elsewhere == set(Cause)


def test_times_with_fractions_are_read_back_as_they_were_set() -> None:
    made = NOW + datetime.timedelta(microseconds=123456)
    one = Run("dev", "volumes", RUN_ID, made, made + HOUR)
    assert safety.target(
        one.name("a"), fence.namespace(one, one.name("a")), one, sources=[], scopes=[]
    ) is None  # fmt: skip
