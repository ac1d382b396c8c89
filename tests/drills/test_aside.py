"""What was made for a drill is taken away: a sandbox with all that holds it up."""

import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drills.aside import REMOVAL_SECONDS, UNSEEN_SECONDS, Aside
from drills.frame import Clock as DrillClock
from drills.sandbox import fence, leases, safety
from drills.sandbox.found import Found
from drills.sandbox.marks import Run
from drills.sandbox.plan import Plan
from drills.sandbox.safety import RefusedError
from drills.sandbox.stillness import STILL_SECONDS
from drills.verdict import Reason
from kube.client import Client, Clock
from kube.errors import Cause, ClusterError
from kube.velero.api import Velero
from kube.velero.restores import Outcome, RestoreResult
from kube.writer import Writer
from tests.drills.volumes.drill_site import Cluster as Memory
from tests.drills.volumes.drill_site import place_of
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


RESTORES = "/apis/velero.io/v1/namespaces/velero/restores"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/velero/leases"
TRANSFERS = "/apis/velero.io/v1/namespaces/velero/podvolumerestores"
MAPS = f"{NAMESPACES}/velero/configmaps"
DEAD = replace(RUN, run_id="dead")
LATE = replace(RUN, run_id="late")
CONFIG_MAP = {"metadata": {"name": RUN.name(), "labels": RUN.labels()}}
PLAN = cast("Plan", SimpleNamespace(mapping={"shop": SANDBOX}, pods={}, config_map=CONFIG_MAP))


@dataclass
class Restoring:
    """What Velero does of a dead run's restore: writes its progress until `still_at`, and ends it.

    `transfer`: the phase of one of its volumes, which never changes; "" if it has none.
    """

    run: Run = DEAD
    phase: str = "InProgress"
    still_at: float = math.inf
    ends_at: float = math.inf
    transfer: str = ""


@dataclass
class Site:
    """A cluster in memory, in which this run has the Lease; `dead`: what others left there.

    `away`: from when to when the API server is. `wall`: what people's clocks say.
    """

    dead: Sequence[Restoring] = (Restoring(ends_at=0),)
    held: bool = True
    away: tuple[float, float] = (math.inf, math.inf)
    wall: Callable[[], datetime.datetime] = lambda: NOW
    cluster: Memory = field(default_factory=Memory)
    said: list[str] = field(default_factory=list)

    def aside(self) -> Aside:
        cluster = self.cluster
        if self.held:
            cluster.put(f"{LEASES}/backstop-drill-volumes", leases.content(RUN, "velero", NOW))
        for one in self.dead:
            called = one.run.name("shop")
            cluster.put(f"{NAMESPACES}/{called}", fence.namespace(one.run, called))
            cluster.put(f"{MAPS}/{one.run.name()}", {"metadata": {"labels": one.run.labels()}})
            self._write(one, "InProgress")
            if one.transfer:
                labels = {"velero.io/restore-uid": f"uid-{one.run.name()}"}
                cluster.put(f"{TRANSFERS}/{one.run.name()}-x", {
                    "metadata": {"labels": labels},
                    "spec": {"pod": {"namespace": called, "name": "db-0"}, "volume": "data"},
                    "status": {"phase": one.transfer, "node": "n1"},
                })  # fmt: skip
        clock = DrillClock(lambda: cluster.time.now, self.wall)
        velero = cluster.velero()
        return Aside(replace(velero, clock=Clock(velero.clock.now, self._pass)), RUN, clock,
                     self.said.append)  # fmt: skip

    def _pass(self, seconds: float) -> None:
        self.cluster.time.pass_by(seconds)
        now = self.cluster.time.now
        self.cluster.broken = TimeoutError() if self.away[0] <= now < self.away[1] else None
        for one in self.dead:
            if place_of(f"{RESTORES}/{one.run.name()}") in self.cluster.objects:
                if now >= one.ends_at:
                    self._write(one, "Completed")
                elif now < one.still_at:
                    self._write(one, one.phase)

    def _write(self, one: Restoring, phase: str) -> None:
        self.cluster.put(f"{RESTORES}/{one.run.name()}", {
            "metadata": {"labels": one.run.labels()},
            "spec": {"namespaceMapping": {"shop": one.run.name("shop")}},
            "status": {"phase": phase},
        })  # fmt: skip


RESTORE = {"apiVersion": "velero.io/v1", "kind": "Restore",
           "metadata": {"name": RUN.name(), "namespace": "velero", "labels": RUN.labels()},
           "spec": {}}  # fmt: skip
ORDER = cast("Plan", SimpleNamespace(restore=RESTORE, config_map=CONFIG_MAP,
                                     mapping={"shop": SANDBOX}))  # fmt: skip
OVERLOOKED = f"failed to get resource modifiers configmap velero/{RUN.name()}"


def answering(site: Site, sees_at: float, refusal: str = OVERLOOKED) -> Aside:
    """This run's restores are refused until `sees_at`, and completed from then on."""
    aside = site.aside()
    sleep = aside.velero.clock.sleep
    site.cluster.restore_status = {"phase": "FailedValidation", "validationErrors": [refusal]}

    def answer(seconds: float) -> None:
        sleep(seconds)
        if site.cluster.time.now >= sees_at:
            site.cluster.restore_status = {"phase": "Completed"}

    aside.velero = replace(aside.velero, clock=Clock(aside.velero.clock.now, answer))
    return aside


def with_modifiers() -> Site:
    site = Site([])
    site.cluster.put(f"{MAPS}/{RUN.name()}", CONFIG_MAP)
    return site


def test_a_restore_whose_modifiers_velero_has_not_seen_yet_is_asked_for_again() -> None:
    site, begun = with_modifiers(), list[float]()
    aside = answering(site, sees_at=40)
    found = aside.restore(ORDER, 600, lambda: begun.append(site.cluster.time.now))
    assert found.outcome is Outcome.COMPLETED
    assert 40 <= site.cluster.time.now < 60
    assert len(begun) == 1, "what meets a restore meets it once"
    assert "Velero has not seen the modifiers of this restore yet; asking again" in site.said


@pytest.mark.parametrize(("seconds", "least"), [(600.0, UNSEEN_SECONDS), (30.0, 30.0)])
def test_one_that_velero_never_sees_is_refused_in_the_end(seconds: float, least: float) -> None:
    site = with_modifiers()
    found = answering(site, sees_at=math.inf).restore(ORDER, seconds)
    assert (found.outcome, found.message) == (Outcome.FAILED_VALIDATION, OVERLOOKED)
    assert least <= site.cluster.time.now < least + 20


@pytest.mark.parametrize(
    ("site", "refusal"), [(Site([]), OVERLOOKED), (with_modifiers(), "no such backup")],
    ids=["modifiers that are gone", "another reason"],
)  # fmt: skip
def test_what_velero_refuses_for_good_is_asked_for_once(site: Site, refusal: str) -> None:
    found = answering(site, 5, refusal).restore(ORDER, 600)
    assert (found.outcome, found.message) == (Outcome.FAILED_VALIDATION, refusal)
    assert not [line for line in site.said if "again" in line]


def test_what_a_dead_run_left_goes_before_anything_is_made() -> None:
    site = Site([Restoring(ends_at=30)])
    site.aside().make_room(60)
    assert site.cluster.drilled() == ["backstop-drill-volumes"], "the run's own Lease"
    assert 30 <= site.cluster.time.now < 40
    assert site.said[0] == "waiting for the end of backstop-drill-dead, which a dead run began"
    assert site.said[-1] == "what dead runs left is taken away: 3 objects removed"


def test_beside_a_restore_that_does_not_end_nothing_is_made() -> None:
    site = Site([Restoring(ends_at=1000)])
    with pytest.raises(RefusedError) as caught:
        site.aside().make_room(60)
    assert caught.value.refusal.cause is safety.Cause.RESTORING
    assert caught.value.refusal.reason is Reason.TARGET_REFUSED
    assert "works on backstop-drill-dead" in str(caught.value)
    assert site.cluster.changes == []


LOST = Restoring(still_at=0)


def taken_after(site: Site, seconds: float = 900) -> float:
    """When room was made, and nothing but the run's own Lease was left."""
    site.aside().make_room(seconds)
    assert site.cluster.drilled() == ["backstop-drill-volumes"]
    return site.cluster.time.now


def refused(site: Site, seconds: float = 900) -> str:
    """Why no room was made; nothing is changed then."""
    with pytest.raises(RefusedError) as caught:
        site.aside().make_room(seconds)
    assert caught.value.refusal.cause is safety.Cause.RESTORING
    assert site.cluster.changes == []
    assert site.cluster.time.now >= seconds - 2
    return str(caught.value)


def test_a_restore_that_velero_lost_is_given_up_and_swept() -> None:
    site = Site([LOST])
    assert STILL_SECONDS <= taken_after(site) < STILL_SECONDS + 10
    assert site.said == [
        "waiting for the end of backstop-drill-dead, which a dead run began",
        "restore backstop-drill-dead stands still for 122 s in phase InProgress, without a "
        "transfer under way; Velero has lost it, and it is taken away like one that has ended",
        "what dead runs left is taken away: 3 objects removed",
    ]


def test_what_velero_makes_anew_of_a_restore_that_was_given_up_is_debris() -> None:
    """It had not lost it after all."""
    site = Site([LOST])
    aside = site.aside()
    aside.make_room(900)
    site.cluster.put(f"{NAMESPACES}/{DEAD.name('shop')}", {})
    _, left = aside.take_away()
    assert [(one.name, one.debris) for one in left] == [(DEAD.name("shop"), True)]


def test_of_a_lost_restore_also_the_records_of_its_transfers_go() -> None:
    site = Site([replace(LOST, transfer="Completed")])
    taken_after(site)
    assert not [key for key in site.cluster.objects if key[2] == "podvolumerestores"]


def test_the_time_of_a_lost_restore_begins_with_its_last_change() -> None:
    assert 200 + STILL_SECONDS - 2 <= taken_after(Site([Restoring(still_at=200)])) < 330


def test_a_restore_that_goes_on_is_waited_for_however_long_it_takes() -> None:
    site = Site([Restoring(ends_at=700)])
    assert 700 <= taken_after(site) < 710
    assert not [line for line in site.said if "lost" in line]


@pytest.mark.parametrize("still_at", [0, math.inf])
def test_a_restore_with_a_transfer_that_has_not_ended_is_not_lost(still_at: float) -> None:
    told = refused(Site([Restoring(still_at=still_at, transfer="InProgress")]))
    assert "works on backstop-drill-dead (InProgress, 1 transfer), which a dead run began" in told
    moving = f"in 900 s: file-system pod {DEAD.name('shop')}/db-0/data is InProgress on node n1; "
    assert moving in told if still_at == 0 else "in 900 s; look what it waits for" in told


def test_what_a_dead_run_s_restore_waits_for_is_told_once_and_refused_with() -> None:
    site = Site([Restoring(phase="Finalizing", still_at=4)])
    aside = site.aside()
    sandbox = f"{NAMESPACES}/{DEAD.name('shop')}"
    site.cluster.put(f"{sandbox}/persistentvolumeclaims/data", {"status": {"phase": "Pending"}})
    with pytest.raises(RefusedError) as caught:
        aside.make_room(300)
    why = f"claim {DEAD.name('shop')}/data has no volume: no event says why; look at its storage"
    assert f"in 300 s: {why}" in str(caught.value)
    assert [line.partition(why)[0] for line in site.said] == [
        "waiting for the end of backstop-drill-dead, which a dead run began",
        "backstop-drill-dead (Finalizing) stands still: ",
    ]


def waits_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> str:
    """What this run's restore is said to wait for, when that is asked."""
    told: list[str] = []

    def asking(_velero: Velero, _made: Any, **given: Any) -> RestoreResult:
        told.append(given["waits_for"]())
        return RestoreResult(RUN.name(), "u", Outcome.TIMED_OUT, "Finalizing", 200.0)

    monkeypatch.setattr("drills.aside.wait_restore", asking)
    site.aside().restore(ORDER, 200)
    return "".join(told)


def test_a_restore_that_stands_still_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert waits_for(with_modifiers(), monkeypatch) == ""
    site = with_modifiers()
    site.cluster.put(f"{CLAIMS}/data", {"status": {"phase": "Pending"}})
    site.cluster.put(f"{NAMESPACES}/shop/persistentvolumeclaims/other", {})
    why = f"claim {SANDBOX}/data has no volume: no event says why"
    assert waits_for(site, monkeypatch).startswith(why)


def test_where_that_may_not_be_looked_at_the_restore_still_has_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = with_modifiers()
    site.cluster.refused = {f"{PLACE}/events"}
    told = waits_for(site, monkeypatch)
    assert told.startswith("what it waits for cannot be looked up: ")


def test_what_velero_finalizes_in_silence_is_not_lost() -> None:
    assert "(Finalizing)" in refused(Site([Restoring(phase="Finalizing", still_at=4)]))


def test_without_the_time_to_see_it_stand_still_nothing_is_given_up() -> None:
    refused(Site([LOST]), STILL_SECONDS - 20)


def test_the_time_of_an_api_server_that_was_away_does_not_count() -> None:
    site = Site([LOST], away=(60, 70))
    assert 70 + STILL_SECONDS <= taken_after(site) < 70 + STILL_SECONDS + 10


def test_a_clock_that_is_put_forward_ends_no_wait() -> None:
    """Nor does one that goes back; only people read it."""
    for step in (HOUR / 60, -HOUR / 60):
        site = Site([LOST])
        site.wall = lambda site=site, step=step: NOW + step * site.cluster.time.now
        assert STILL_SECONDS <= taken_after(site) < STILL_SECONDS + 10


def test_beside_a_lost_restore_one_that_goes_on_is_waited_for_and_nothing_swept_before() -> None:
    site = Site([LOST, Restoring(LATE, ends_at=300)])
    aside, seen = site.aside(), []
    sleep = aside.velero.clock.sleep

    def watched(seconds: float) -> None:
        sleep(seconds)
        seen.append((site.cluster.time.now, list(site.cluster.changes)))

    aside.velero = replace(aside.velero, clock=Clock(aside.velero.clock.now, watched))
    aside.make_room(900)
    assert not [changes for now, changes in seen if now < 300 and changes]
    assert site.cluster.drilled() == ["backstop-drill-volumes"]
    assert site.said[0].startswith("waiting for the end of backstop-drill-dead, backstop-drill-lat")
    assert [line for line in site.said if "lost" in line] == [site.said[1]]


def test_the_refusal_names_only_what_goes_on() -> None:
    told = refused(Site([LOST, Restoring(LATE)]))
    assert "works on backstop-drill-late (InProgress), which" in told


def test_an_api_server_that_is_away_meanwhile_is_told() -> None:
    site = Site([Restoring(ends_at=1000)])
    aside = site.aside()

    def gone(_seconds: float) -> None:
        site.cluster.time.pass_by(1)
        site.cluster.broken = TimeoutError()

    aside.velero = replace(aside.velero, clock=Clock(aside.velero.clock.now, gone))
    with pytest.raises(ClusterError) as caught:
        aside.make_room(60)
    assert caught.value.cause is Cause.UNREACHABLE


def test_where_nothing_is_left_no_room_is_to_be_made() -> None:
    site = Site([])
    site.aside().make_room(60)
    assert (site.cluster.changes, site.said, site.cluster.time.now) == ([], [], 0)


def test_without_the_lease_a_mark_is_respected_until_its_deadline() -> None:
    site = Site(held=False)
    aside = site.aside()
    aside.make_room(60)
    assert site.cluster.changes == []
    refusal = aside.others()
    assert refusal is not None
    assert "run dead of this drill may be alive until 13:00:00 UTC" in refusal.sentence
    assert Site([]).aside().others() is None


def test_a_run_marks_the_place_before_it_makes_a_sandbox() -> None:
    """Whoever dies in between has left something by which all of it is known."""
    site = Site([])
    aside = site.aside()
    aside.prepare(PLAN)
    made = [path for _, path in site.cluster.changes]
    assert made[:2] == [MAPS, NAMESPACES]
    assert place_of(aside.mark(PLAN)) in site.cluster.objects


def test_a_sandbox_of_somebody_elses_is_not_taken_and_nothing_is_made() -> None:
    site = Site([])
    site.cluster.put(f"{NAMESPACES}/{SANDBOX}", {})
    with pytest.raises(RefusedError) as caught:
        site.aside().prepare(PLAN)
    assert caught.value.refusal.cause is safety.Cause.NOT_OURS
    assert site.cluster.changes == []


def test_the_own_lease_outlasts_the_taking_away() -> None:
    """Until all is gone it keeps others from the place."""
    site = Site([])
    aside = site.aside()
    aside.prepare(PLAN)
    assert aside.take_away() == ("2 objects removed", ())
    assert site.cluster.drilled() == ["backstop-drill-volumes"]


def test_a_dead_lease_that_is_taken_in_that_moment_stays() -> None:
    site = Site([])
    layer = replace(DEAD, layer="kube-objects", made=NOW - 2 * HOUR, until=NOW - HOUR)
    path = f"{LEASES}/backstop-drill-kube-objects"
    site.cluster.put(path, leases.content(layer, "velero", NOW))
    aside = site.aside()
    read_before = aside.found

    def found() -> Found:
        seen = read_before()
        site.cluster.put(path, leases.content(replace(layer, until=NOW + HOUR), "velero", NOW))
        return seen

    aside.found = found  # type: ignore[method-assign]
    aside.take_away()
    assert place_of(path) in site.cluster.objects
    aside.found = read_before  # type: ignore[method-assign]
    site.cluster.put(path, leases.content(layer, "velero", NOW))
    aside.take_away()
    assert place_of(path) not in site.cluster.objects
