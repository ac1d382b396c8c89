"""What was made for a drill is taken away: a sandbox with all that holds it up."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drills.aside import REMOVAL_SECONDS, Aside, RefusedError
from drills.frame import Clock as DrillClock
from drills.sandbox import fence, safety
from drills.sandbox.marks import Run, read
from drills.sandbox.plan import Plan
from kube.client import Client
from kube.velero.api import Velero
from kube.writer import Writer
from tests.kube.fakes import AT, Time, items, ok, status

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
RUN = Run("dev", "volumes", "0123456789ab", NOW, NOW + HOUR)
SANDBOX = RUN.name("shop")
NAMESPACES = "/api/v1/namespaces"
PLACE = f"{NAMESPACES}/{SANDBOX}"
PODS = f"{PLACE}/pods"
CLAIMS = f"{PLACE}/persistentvolumeclaims"
SNAPSHOTS = f"/apis/snapshot.storage.k8s.io/v1/namespaces/{SANDBOX}/volumesnapshots"
# When Kubernetes begins to remove what is in a namespace, and when it looks once more.
BEGINS = 5.0
LOOKS_AGAIN = 8.0


@dataclass
class Cluster:
    """A sandbox that goes as a real one does; its objects need a second once they are asked to.

    `inside`: paths of objects with finalizers. `unwilling`: collections that nobody may list.
    """

    inside: set[str] = field(default_factory=set)
    unwilling: set[str] = field(default_factory=set)
    time: Time = field(default_factory=Time)
    deleted: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)

    def aside(self) -> Aside:
        client = Client(lambda path, _q, _a: self.get(path), AT, clock=self.time.clock(),
                        patience=0.0)  # fmt: skip
        writer = Writer(self.change, AT, clock=self.time.clock())
        velero = Velero(client, writer, "velero", self.time.clock())
        clock = DrillClock(lambda: self.time.now, lambda: NOW)
        return Aside(velero, RUN, clock, lambda _line: None)

    def get(self, path: str) -> tuple[int, bytes]:
        if path in self.unwilling:
            return status(403, "no")
        if path == NAMESPACES:
            return items(*([] if self.namespace_gone else [fence.namespace(RUN, SANDBOX)]))
        if path == PLACE:
            there = ok(fence.namespace(RUN, SANDBOX))
            return status(404, "gone") if self.namespace_gone else there
        held = [one for one in self.inside if one.rpartition("/")[0] == path]
        return items(*({"metadata": {"name": one.rpartition("/")[2]}} for one in sorted(held)))

    def change(
        self, method: str, path: str, _query: Any, _headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        assert method == "DELETE", path
        self.deleted[path] = json.loads(body)
        self.asked_at.setdefault(path, self.time.now)
        return ok({})

    @property
    def namespace_gone(self) -> bool:
        if PLACE not in self.asked_at:
            return False
        begun = self.asked_at[PLACE] + BEGINS
        held_up = any(self.asked_at.get(one, begun) + 1 > begun for one in self.inside)
        return self.time.now >= begun + (LOOKS_AGAIN if held_up else 0)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster({f"{PODS}/db-0", f"{CLAIMS}/data", f"{SNAPSHOTS}/s1"})


def test_what_holds_a_sandbox_up_goes_before_kubernetes_begins_with_it(cluster: Cluster) -> None:
    told, left = cluster.aside().take_away()
    assert (told, left) == ("1 objects removed", ())
    assert set(cluster.deleted) == {PLACE, f"{PODS}/db-0", f"{CLAIMS}/data", f"{SNAPSHOTS}/s1"}
    assert next(iter(cluster.deleted)) == PLACE, "new ones could still be made in it"
    assert cluster.time.now < BEGINS + LOOKS_AGAIN


def test_a_pod_keeps_a_second_in_which_its_node_lets_go_of_the_volume(cluster: Cluster) -> None:
    cluster.aside().take_away()
    assert cluster.deleted[f"{PODS}/db-0"]["gracePeriodSeconds"] == 1
    assert "gracePeriodSeconds" not in cluster.deleted[f"{CLAIMS}/data"]


@pytest.mark.parametrize("collection", [PODS, CLAIMS, SNAPSHOTS])
def test_a_sandbox_goes_also_where_nothing_in_it_may_be_listed(
    cluster: Cluster, collection: str
) -> None:
    cluster.unwilling = {collection}
    assert cluster.aside().take_away() == ("1 objects removed", ())
    assert cluster.time.now < REMOVAL_SECONDS


def test_nothing_of_a_namespace_without_the_mark_is_touched(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {"metadata": {"name": SANDBOX, "labels": {}}}
    monkeypatch.setattr(fence, "namespace", lambda _run, _called: foreign)
    cluster.aside().take_away()
    assert not cluster.deleted


@dataclass
class Leased:
    """A cluster with nothing in it but, perhaps, the Lease of a drill."""

    held: dict[str, Any] | None = None
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def aside(self, run: Run = RUN) -> Aside:
        time = Time()
        client = Client(lambda path, _q, _a: self.get(path), AT, clock=time.clock(), patience=0.0)
        velero = Velero(client, Writer(self.change, AT, clock=time.clock()), "velero", time.clock())
        return Aside(velero, run, DrillClock(lambda: 0.0, lambda: NOW), lambda _line: None)

    def get(self, path: str) -> tuple[int, bytes]:
        if path.endswith("/leases/backstop-drill-volumes"):
            return ok(self.held) if self.held else status(404, "gone")
        return items()

    def change(
        self, method: str, path: str, _query: Any, _headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        content = json.loads(body)
        if method == "POST" and path.endswith("/leases") and self.held is not None:
            return status(409, "it is there", "AlreadyExists")
        self.changes.append((f"{method} {path}", content))
        return ok(content)


NOTHING = SimpleNamespace(mapping={}, pods={}, config_map={"metadata": {"name": "rules"}})


def lease_of(run: Run) -> dict[str, Any]:
    found = safety.lease(run, "velero")
    return {**found, "metadata": {**found["metadata"], "resourceVersion": "7"}}


def test_a_run_takes_the_lease_before_it_makes_anything() -> None:
    cluster = Leased()
    cluster.aside().prepare(cast("Plan", NOTHING))
    first, content = cluster.changes[0]
    assert first.endswith("/namespaces/velero/leases")
    assert content["spec"]["holderIdentity"] == RUN.run_id
    assert read(content) == RUN


def test_of_two_that_see_nobody_the_second_one_is_refused() -> None:
    other = replace(RUN, run_id="ffffffffffff")
    cluster = Leased(lease_of(other))
    with pytest.raises(RefusedError) as caught:
        cluster.aside().prepare(cast("Plan", NOTHING))
    assert "ffffffffffff" in str(caught.value)
    assert cluster.changes == []


def test_the_lease_of_a_dead_run_is_taken_over_by_one_only() -> None:
    dead = replace(RUN, run_id="ffffffffffff", made=NOW - HOUR, until=NOW - HOUR / 2)
    cluster = Leased(lease_of(dead))
    cluster.aside().prepare(cast("Plan", NOTHING))
    first, content = cluster.changes[0]
    assert first.startswith("PATCH ")
    assert content["metadata"]["resourceVersion"] == "7"
    assert (content["spec"]["holderIdentity"], read(content)) == (RUN.run_id, RUN)
