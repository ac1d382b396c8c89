"""What was made for a drill is taken away: a sandbox with all that holds it up."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from drills.aside import REMOVAL_SECONDS, Aside
from drills.frame import Clock as DrillClock
from drills.sandbox import fence
from drills.sandbox.marks import Run
from kube.client import Client
from kube.velero.api import Velero
from kube.writer import Writer
from tests.kube.fakes import AT, Time, items, ok, status

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
RUN = Run("dev", "volumes", "0123456789ab", NOW, NOW + datetime.timedelta(hours=1))
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
