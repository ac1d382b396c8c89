"""A run that is killed, cut off or put to sleep, in each phase; and the next one of its layer."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drills.frame import Clock as DrillClock
from drills.frame import Phase, Record, run_phases
from drills.sandbox.leases import LEASE_SECONDS
from drills.sandbox.stillness import STILL_SECONDS
from drills.verdict import Reason, Verdict
from drills.volumes.drill import VolumesDrill
from tests.drills.sandbox.runs import HOUR, NOW
from tests.drills.volumes.drill_site import VELERO, DrillSite, run_through
from tests.kube.fakes import Time

PHASES = ("find", "coverage", "prepare", "restore", "read", "compare", "use", "time", "clean up")
# From here on a run has something in the cluster.
MAKING = PHASES[2:]
LEASE = ("apis/coordination.k8s.io/v1", "velero", "leases", "backstop-drill-volumes")
# A restore takes whatever time it likes, and none in memory; so does its sweeping.
SOON = 10.0


@dataclass
class Acting(Time):
    """Time in which somebody acts whenever it passes."""

    act: Callable[[], object] = field(default=lambda: None)

    def pass_by(self, seconds: float) -> None:
        super().pass_by(seconds)
        self.act()


@pytest.fixture
def site(tmp_path: Path) -> DrillSite:
    found = DrillSite(tmp_path)
    found.cluster.time = Acting()
    found.build()
    return found


class KilledError(BaseException):
    """The process is no more: nothing of it runs any longer, and nothing is tidied up."""


def killed(site: DrillSite, phase: str, *, within: bool) -> VolumesDrill:
    """A run that is killed when this phase begins, or before its end."""
    drill = site.drill()

    def die(one: Phase) -> Phase:
        if one.name != phase:
            return one

        def act(record: Record) -> str:
            if within:
                one.run(record)
            raise KilledError

        return Phase(one.name, act)

    phases = [die(one) for one in (*drill.phases(), *drill.closing())]
    with pytest.raises(KilledError):
        run_phases(drill.layer, phases, (), drill.clock, lambda _line: None)
    return drill


def proven(record: Record) -> bool:
    return record.judgement().verdict is Verdict.PROVEN


def seconds_of(site: DrillSite) -> float:
    return site.cluster.time.now


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("phase", PHASES)
def test_the_next_run_is_proven_and_sweeps_what_a_killed_one_left(
    site: DrillSite, phase: str, within: bool
) -> None:
    killed(site, phase, within=within)
    made, began = site.cluster.drilled(), seconds_of(site)
    # Whoever dies before it made anything is in nobody's way, nor who had given its Lease back.
    holds = phase in MAKING and (phase, within) not in {("prepare", False), ("clean up", True)}
    assert (LEASE in site.cluster.objects) is holds
    assert bool(made) is holds
    record = run_through(site.drill())
    assert proven(record), record.judgement().detail
    waited = seconds_of(site) - began
    assert LEASE_SECONDS * holds <= waited < LEASE_SECONDS * holds + SOON
    assert site.cluster.drilled() == []
    assert record.left == []


def test_the_wait_and_the_sweeping_are_no_part_of_the_time_to_usable(site: DrillSite) -> None:
    killed(site, "read", within=False)
    record = run_through(site.drill(limits={"rtoSeconds": 5, "rpoSeconds": 86400}))
    assert proven(record), record.judgement().detail
    assert seconds_of(site) >= LEASE_SECONDS


def test_who_waits_is_told_for_whom_and_how_long(site: DrillSite) -> None:
    killed(site, "read", within=False)
    run_through(site.drill())
    assert any("holds the Lease backstop-drill-volumes; waiting 60 s" in one for one in site.told)
    assert any(one.startswith("what dead runs left is taken away") for one in site.told)


def test_a_run_that_lives_is_left_alone(site: DrillSite) -> None:
    """It is in the middle, and its heart beats."""
    first, time = site.drill(), site.cluster.time
    first.course.lease.clock = DrillClock(lambda: time.now, lambda: NOW + time.now * HOUR / 3600)
    record = Record()
    for phase in first.phases()[:4]:
        phase.run(record)
    there, changes = site.cluster.drilled(), len(site.cluster.changes)

    def live() -> None:
        first.course.lease.beat()

    assert isinstance(time, Acting)
    time.act = live
    second = run_through(site.drill())
    assert second.judgement().verdict is Verdict.UNPROVEN
    assert second.judgement().reason is Reason.TARGET_REFUSED
    assert "renews it; wait for the end of that run" in second.judgement().detail
    seen = [path for _, path in site.cluster.changes[changes:]]
    assert all("leases/" in path for path in seen), "only the first one's renewals"
    assert site.cluster.drilled() == there
    for phase in (*first.phases()[4:], *first.closing()):
        phase.run(record)
    assert proven(record), record.judgement().detail
    assert site.cluster.drilled() == []


def asleep(site: DrillSite, phase: str, other: Callable[[], object]) -> Record:
    """The record of a run that sleeps when this phase is over, while `other` happens."""
    drill = site.drill()

    def sleep(one: Phase) -> Phase:
        if one.name != phase:
            return one

        def act(record: Record) -> str:
            told = one.run(record)
            other()
            return told

        return Phase(one.name, act)

    return run_phases(
        drill.layer, [sleep(one) for one in drill.phases()], drill.closing(), drill.clock,
        lambda _line: None,
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["prepare", "restore", "read", "compare"])
def test_a_run_that_another_one_took_for_dead_proves_nothing_and_finds_nothing(
    site: DrillSite, phase: str
) -> None:
    others: list[Record] = []
    record = asleep(site, phase, lambda: others.append(run_through(site.drill())))
    assert [proven(one) for one in others] == [True]
    judgement = record.judgement()
    assert (judgement.verdict, judgement.reason) == (Verdict.UNPROVEN, Reason.TARGET_REFUSED)
    assert "is no proof: run the drill again" in judgement.detail
    assert [one.name for one in record.phases][-1] == "clean up"
    assert site.cluster.drilled() == []


def test_a_run_that_lost_its_lease_takes_nothing_of_the_other_one(site: DrillSite) -> None:
    other = site.drill()

    def begin() -> None:
        for phase in other.phases()[:4]:
            phase.run(Record())

    record = asleep(site, "restore", begin)
    assert record.judgement().reason is Reason.TARGET_REFUSED
    places = {f"{key[1]} {key[3]}" for key in site.cluster.objects}
    runs = {one for one in ("000000000001", "000000000002") if any(one in p for p in places)}
    assert runs == {other.run_id} == {"000000000001"}
    assert site.cluster.objects[LEASE]["spec"]["holderIdentity"] == other.run_id


def test_a_run_whose_cluster_is_away_at_its_end_is_swept_by_the_next(site: DrillSite) -> None:
    def away() -> None:
        site.cluster.broken = TimeoutError()

    record = asleep(site, "time", away)
    assert record.judgement().reason is Reason.CLUSTER_UNREACHABLE
    assert site.cluster.drilled() != []
    site.cluster.broken = None
    began = seconds_of(site)
    assert proven(run_through(site.drill()))
    assert seconds_of(site) - began < LEASE_SECONDS + SOON
    assert site.cluster.drilled() == []


def test_a_run_that_could_not_take_everything_away_gives_way_at_once(site: DrillSite) -> None:
    first = site.drill()
    stays = first.course.run.name("shop")
    site.cluster.staying.add(stays)
    assert run_through(first).judgement().reason is Reason.DEBRIS_LEFT
    assert ("api/v1", "", "namespaces", stays) in site.cluster.objects
    assert "holderIdentity" not in site.cluster.objects[LEASE]["spec"]
    site.cluster.staying.clear()
    began = seconds_of(site)
    assert proven(run_through(site.drill()))
    assert seconds_of(site) - began < SOON
    assert site.cluster.drilled() == []


def test_nor_do_the_things_of_another_run_that_do_not_go_outlive_the_lease(site: DrillSite) -> None:
    """Without a Lease, marks tell who may live: the next run would have been refused by them."""
    stays = killed(site, "restore", within=True).course.run.name("shop")
    site.cluster.staying.add(stays)
    second = run_through(site.drill())
    assert second.judgement().reason is Reason.DEBRIS_LEFT
    assert LEASE in site.cluster.objects
    site.cluster.staying.clear()
    assert proven(run_through(site.drill()))
    assert site.cluster.drilled() == []


def restoring(site: DrillSite, seconds: float, *, still: bool = False) -> None:
    """Velero works on the dead run's restore for that long, and says so unless it is `still`."""
    end = site.cluster.time.now + seconds
    places = [place for place in site.cluster.objects if place[2] == "restores"]

    def write(phase: str) -> None:
        for prefix, namespace, plural, name in places:
            one = site.cluster.objects.get((prefix, namespace, plural, name))
            if one is not None:
                path = f"/{prefix}/namespaces/{namespace}/{plural}/{name}"
                site.cluster.put(path, {**one, "status": {"phase": phase}})

    def act() -> None:
        if site.cluster.time.now >= end:
            write("Completed")
        elif not still:
            write("InProgress")

    write("InProgress")
    assert isinstance(site.cluster.time, Acting)
    site.cluster.time.act = act


@pytest.mark.parametrize(("seconds", "reason"), [(300, None), (3000, Reason.TARGET_REFUSED)])
def test_a_restore_of_a_dead_run_is_waited_for_and_not_measured(
    site: DrillSite, seconds: float, reason: Reason | None
) -> None:
    killed(site, "restore", within=True)
    restoring(site, seconds)
    limits = {"rtoSeconds": 5, "rpoSeconds": 86400, "restoreSeconds": 900}
    record = run_through(site.drill(limits=limits))
    assert record.judgement().reason is reason, record.judgement().detail
    if reason is not None:
        assert "which a dead run began" in record.judgement().detail
        asked = [path for method, path in site.cluster.changes if path == f"{VELERO}/restores"]
        assert len(asked) == 1, "by the dead run"


def test_a_restore_of_a_dead_run_that_velero_lost_is_swept_by_the_next(site: DrillSite) -> None:
    """It never ends; one drill is proven beside it, and not measured by the wait."""
    killed(site, "restore", within=True)
    restoring(site, math.inf, still=True)
    began = seconds_of(site)
    limits = {"rtoSeconds": 5, "rpoSeconds": 86400, "restoreSeconds": 900}
    record = run_through(site.drill(limits=limits))
    assert proven(record), record.judgement().detail
    assert seconds_of(site) - began < LEASE_SECONDS + STILL_SECONDS + SOON
    assert site.cluster.drilled() == []
    assert record.left == []


def test_who_runs_by_an_older_version_is_respected_until_its_deadline(site: DrillSite) -> None:
    drill = killed(site, "read", within=False)
    held = site.cluster.objects[LEASE]
    held["spec"] = {**held["spec"], "leaseDurationSeconds": 3600}
    began = seconds_of(site)
    refused = run_through(site.drill())
    assert refused.judgement().reason is Reason.TARGET_REFUSED
    assert f"run {drill.run_id}" in refused.judgement().detail
    assert seconds_of(site) == began
    del site.cluster.objects[LEASE]
    assert run_through(site.drill()).judgement().reason is Reason.TARGET_REFUSED


def test_two_layers_are_not_in_each_others_way(site: DrillSite) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/velero/leases/backstop-drill-kube-objects"
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 60}
    other: dict[str, Any] = site.cluster.put(path, {"spec": spec})
    assert proven(run_through(site.drill()))
    assert seconds_of(site) < SOON
    assert other in site.cluster.objects.values()


def test_velero_is_asked_for_nothing_by_a_run_that_was_taken_for_dead_before(
    site: DrillSite,
) -> None:
    """It slept between the Lease and its first sandbox; the other one came and went."""
    drill = site.drill()
    prepare_before = drill.course.aside.prepare
    slept: list[bool] = []

    def prepare(plan: Any, *, readers: int = 0) -> None:
        prepare_before(plan, readers=readers)
        if not slept:
            slept.append(True)
            assert proven(run_through(site.drill()))

    drill.course.aside.prepare = prepare  # type: ignore[method-assign]
    record = run_through(drill)
    assert record.judgement().reason is Reason.TARGET_REFUSED
    restores = [path for method, path in site.cluster.changes if path == f"{VELERO}/restores"]
    assert len(restores) == 1, "of the other one"
