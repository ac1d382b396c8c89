"""A run's Lease: who gets it and when, how it is kept, when it is lost, and what is given back."""

import datetime
import threading
import time as real_time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from drills.frame import Clock
from drills.lease import LOOK_SECONDS, Lease
from drills.sandbox import leases
from drills.sandbox.leases import LEASE_SECONDS
from drills.sandbox.marks import Run, read
from drills.sandbox.safety import Cause, Refusal, RefusedError
from drills.verdict import Reason
from kube.errors import Cause as Fault
from kube.errors import ClusterError
from kube.waiting import OUTAGE_SECONDS
from tests.drills.sandbox.runs import HOUR, NOW, run
from tests.drills.volumes.drill_site import Cluster, no_heartbeat
from tests.kube.fakes import Time, status

LEASES = "/apis/coordination.k8s.io/v1/namespaces/velero/leases"
PATH = f"{LEASES}/backstop-drill-kube-objects"
MARK = "/api/v1/namespaces/velero/configmaps/backstop-drill-one"
ONE, TWO = run("one"), run("two")
OLD = Refusal(Cause.RUNNING, "run old of this drill may be alive until noon")


@dataclass
class Life(Time):
    """Time in which things happen: `acts` by the second that they are due."""

    acts: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def pass_by(self, seconds: float) -> None:
        super().pass_by(seconds)
        while self.acts and self.acts[0][0] <= self.now:
            self.acts.pop(0)[1]()


@dataclass
class Server(Cluster):
    """`away`: nobody answers. `lost`: methods whose next answer is lost, though it is done."""

    away: bool = False
    lost: list[str] = field(default_factory=list)
    denied: bool = False
    time: Life = field(default_factory=Life)

    def _read(self, path: str, query: Mapping[str, str], accept: str) -> tuple[int, bytes]:
        if self.away:
            raise TimeoutError
        return super()._read(path, query, accept)

    def _write(
        self, method: str, path: str, query: Any, headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        if self.away:
            raise TimeoutError
        if self.denied:
            return status(403, 'leases is forbidden: User "x" cannot do that', "Forbidden")
        answer = super()._write(method, path, query, headers, body)
        if method in self.lost:
            self.lost.remove(method)
            raise TimeoutError
        return answer

    def held(self) -> dict[str, Any]:
        found = [one for key, one in self.objects.items() if key[2] == "leases"]
        return found[0] if found else {}

    @property
    def holder(self) -> str | None:
        found: str | None = (self.held().get("spec") or {}).get("holderIdentity")
        return found


@pytest.fixture
def server() -> Server:
    return Server()


@dataclass
class Told:
    lines: list[str] = field(default_factory=list)


def lease(server: Server, one: Run = ONE, told: Told | None = None, skew: float = 0.0) -> Lease:
    """`skew`: seconds by which the wall clock of its machine is wrong."""
    velero, time = server.velero(), server.time
    wall = NOW + datetime.timedelta(seconds=skew)
    clock = Clock(lambda: time.now, lambda: wall + datetime.timedelta(seconds=time.now))
    say = (told or Told()).lines.append
    return Lease(velero, velero, one, clock, say, f"process of {one.run_id}", no_heartbeat)


def nobody() -> None:
    return None


def asked(_: object = None) -> Refusal | None:
    raise AssertionError("where a Lease is, nobody asks marks")


def refused(act: Callable[[], object]) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        act()
    assert caught.value.refusal.reason is Reason.TARGET_REFUSED
    assert "\n" not in str(caught.value)
    return caught.value.refusal


def dead(server: Server, one: Run = ONE, skew: float = 0.0) -> Lease:
    """A run that took the Lease, and whose process was killed."""
    found = lease(server, one, skew=skew)
    found.take(nobody)
    return found


def renewing(server: Server, holder: Lease, until: float) -> None:
    """Has a holder renew its Lease as it would, for that long."""
    beats, at = [], server.time.now + holder.pause_seconds
    while at <= until:
        beats.append((at, holder.beat))
        at += holder.pause_seconds
    server.time.acts += beats


def test_a_free_one_is_taken_at_once_and_says_by_whom(server: Server) -> None:
    lease(server).take(nobody)
    held = server.held()
    assert server.time.now == 0
    assert held["spec"] == {
        "holderIdentity": "one", "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": "2026-11-21T12:00:00.000000Z", "renewTime": "2026-11-21T12:00:00.000000Z",
    }  # fmt: skip
    assert read(held) == ONE
    assert held["metadata"]["annotations"] == {leases.BY_ANNOTATION: "process of one"}


def test_a_run_that_lives_is_named_and_nothing_is_touched(server: Server) -> None:
    renewing(server, dead(server), until=100)
    before, told = server.holder, Told()
    refusal = refused(lambda: lease(server, TWO, told).take(asked))
    assert refusal.cause is Cause.RUNNING
    assert "run one (process of one), since 12:00:00 UTC" in refusal.sentence
    assert server.holder == before
    # A holder that lives is known by its next renewal.
    assert server.time.now <= LEASE_SECONDS / leases.RENEWALS + LOOK_SECONDS
    assert "waiting 60 s to see whether it lives" in told.lines[0]


@pytest.mark.parametrize("skew", [-86400, -61, 0, 61, 86400])
def test_a_dead_runs_lease_is_taken_when_it_stood_still_long_enough(
    server: Server, skew: float
) -> None:
    """However wrong the clock of the dead one was, and the one of whoever looks."""
    dead(server, skew=skew)
    told = Told()
    lease(server, TWO, told, skew=-skew).take(asked)
    assert server.holder == "two"
    assert LEASE_SECONDS <= server.time.now < LEASE_SECONDS + 2 * LOOK_SECONDS
    assert read(server.held()) == TWO
    assert len(told.lines) == 2
    assert "it is dead" in told.lines[1]


def test_it_is_the_lookers_own_time_that_counts(server: Server) -> None:
    """Dead for a day: whoever comes then cannot know, and waits all the same."""
    dead(server)
    server.time.pass_by(86400)
    began = server.time.now
    lease(server, TWO).take(asked)
    assert server.time.now - began >= LEASE_SECONDS


def test_a_renewal_in_the_last_moment_counts(server: Server) -> None:
    one = dead(server)
    server.time.acts.append((LEASE_SECONDS - 1, one.beat))
    refused(lambda: lease(server, TWO).take(asked))
    assert server.holder == "one"


def test_of_two_that_see_it_expire_one_gets_it(server: Server) -> None:
    """The other one was quicker by a moment: after the last look, before the take-over."""
    dead(server)
    two, three = lease(server, TWO), lease(server, run("three"))
    found = dict(server.held())
    assert two._taken_over(two.installation, found)
    assert not three._taken_over(three.installation, found)
    assert server.holder == "two"


def test_who_finds_another_one_where_the_dead_was_is_refused(server: Server) -> None:
    dead(server)
    two = lease(server, TWO)
    server.time.acts.append((30, lambda: two._taken_over(two.installation, server.held())))
    refusal = refused(lambda: lease(server, run("three")).take(asked))
    assert "run two" in refusal.sentence


def test_a_run_that_ends_while_somebody_waits_makes_room(server: Server) -> None:
    one = dead(server)
    server.time.acts.append((5, lambda: one.release(clean=True)))
    lease(server, TWO).take(nobody)
    assert server.holder == "two"
    assert server.time.now < LEASE_SECONDS / 2


def test_one_that_was_given_back_with_something_left_is_free_at_once(server: Server) -> None:
    dead(server).release(clean=False)
    assert server.holder is None
    assert read(server.held()) == ONE, "whose it was can still be seen"
    lease(server, TWO).take(asked)
    assert server.held()["spec"]["holderIdentity"] == "two"
    assert server.time.now == 0


def test_marks_without_a_lease_are_respected(server: Server) -> None:
    refusal = refused(lambda: lease(server).take(lambda: OLD))
    assert refusal == OLD
    assert server.changes == []


def older(**spec: Any) -> dict[str, Any]:
    """As a version made it that did not renew it."""
    made = leases.content(ONE, "velero", NOW)
    return {**made, "spec": {**made["spec"], "leaseDurationSeconds": 3600, **spec}}


def test_one_of_a_version_that_never_renews_keeps_its_time(server: Server) -> None:
    server.put(PATH, older())
    refusal = refused(lambda: lease(server, TWO).take(asked))
    assert "may be alive until 13:00:00 UTC" in refusal.sentence
    assert server.time.now == 0
    lease(server, TWO, skew=3600).take(asked)
    assert server.holder == "two"


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": ""}, {"holderIdentity": None}])
def test_one_that_nobody_holds_is_free(server: Server, spec: dict[str, Any]) -> None:
    server.put(PATH, {"spec": spec})
    lease(server).take(asked)
    assert (server.holder, server.time.now) == ("one", 0)


def test_an_outage_is_nobodys_death(server: Server) -> None:
    """While nobody is answered no holder can renew: the time begins anew."""
    one = dead(server)

    def back() -> None:
        server.away = False

    def gone() -> None:
        server.away = True

    server.time.acts += [(40, gone), (100, back), (130, one.beat)]
    refused(lambda: lease(server, TWO).take(asked))
    assert server.holder == "one"
    assert server.time.now >= 130


def test_an_outage_without_end_is_told(server: Server) -> None:
    server.away = True
    with pytest.raises(ClusterError) as caught:
        lease(server).take(nobody)
    assert caught.value.cause is Fault.UNREACHABLE
    assert server.time.now >= OUTAGE_SECONDS


def test_a_refusal_of_the_cluster_ends_the_wait(server: Server) -> None:
    server.denied = True
    with pytest.raises(ClusterError) as caught:
        lease(server).take(nobody)
    assert caught.value.cause is Fault.FORBIDDEN
    assert server.time.now == 0


@pytest.mark.parametrize("taken", [False, True])
def test_a_lost_answer_is_no_rival(server: Server, taken: bool) -> None:
    if taken:
        dead(server, TWO).release(clean=False)
    server.lost = ["PATCH" if taken else "POST"]
    one = lease(server)
    one.take(nobody)
    assert server.holder == "one"
    assert server.time.now <= 2 * LOOK_SECONDS
    one.check()


def test_a_renewal_shows_and_keeps_who_took_it_when(server: Server) -> None:
    one = dead(server)
    server.time.pass_by(10)
    assert one.beat()
    spec = server.held()["spec"]
    assert spec["renewTime"] == "2026-11-21T12:00:10.000000Z"
    assert spec["acquireTime"] == "2026-11-21T12:00:00.000000Z"


def test_a_short_outage_is_survived_and_told_once(server: Server) -> None:
    told = Told()
    one = lease(server, told=told)
    one.take(nobody)
    server.away = True
    assert [one.beat() for _ in range(5)] == [True] * 5
    server.away = False
    assert one.beat()
    one.check()
    assert server.holder == "one"
    assert len(told.lines) == 1
    assert "is not renewed, trying again: the API server at" in told.lines[0]


def test_a_fault_of_the_heartbeat_ends_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    one = lease(server, told=told)
    one.take(nobody)
    monkeypatch.setattr(leases, "shown", lambda _now: 1 / 0)
    assert one.beat()
    assert "ZeroDivisionError" in told.lines[0]
    one.check()


def test_somebodys_note_on_it_is_no_rival(server: Server) -> None:
    """Another change of the object, as `kubectl annotate` makes one."""
    one = dead(server)
    server.put(PATH, server.held())
    assert one.beat()
    assert one.beat()
    one.check()
    assert server.held()["spec"]["holderIdentity"] == "one"


def test_one_that_was_deleted_is_made_anew(server: Server) -> None:
    one = dead(server)
    server.objects.clear()
    assert one.beat()
    assert server.holder == "one"
    one.check()


def test_one_that_was_deleted_and_taken_is_not_made_anew(server: Server) -> None:
    one = dead(server)
    server.objects.clear()
    lease(server, TWO).take(nobody)
    assert not one.beat()
    assert server.holder == "two"
    assert refused(one.check).cause is Cause.LEASE_LOST


def marked(server: Server) -> Lease:
    one = dead(server)
    server.put(MARK, {})
    one.rests_on(MARK)
    one.check()
    return one


def test_a_run_that_slept_knows_who_has_its_lease(server: Server) -> None:
    one = marked(server)
    lease(server, TWO).take(asked)
    refusal = refused(one.check)
    assert refusal.cause is Cause.LEASE_LOST
    assert "run two (process of two)" in refusal.sentence
    assert not one.beat()
    assert refused(one.check) == refusal
    one.release(clean=True)
    assert server.holder == "two"


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("asked_first", ["beat", "check"])
def test_a_run_that_slept_while_another_came_and_went_takes_nothing_back(
    server: Server, clean: bool, asked_first: str
) -> None:
    """The Lease is free or gone, and so is what the sleeper made: what it sees is no finding."""
    one = marked(server)
    two = lease(server, TWO)
    two.take(asked)
    server.objects = {key: value for key, value in server.objects.items() if key[2] == "leases"}
    two.release(clean=clean)
    getattr(one, asked_first)() if asked_first == "beat" else refused(one.check)
    assert "removed what this one made" in refused(one.check).sentence
    assert server.holder is None


def test_what_was_taken_away_by_hand_is_noticed_although_the_lease_is_there(
    server: Server,
) -> None:
    one = marked(server)
    server.objects = {key: value for key, value in server.objects.items() if key[2] == "leases"}
    assert refused(one.check).cause is Cause.LEASE_LOST


def test_one_freed_by_hand_is_taken_back(server: Server) -> None:
    one = marked(server)
    held = server.held()
    server.put(PATH, {**held, "spec": {}})
    assert one.beat()
    assert server.holder == "one"
    one.check()


def test_a_cluster_that_does_not_say_is_no_proof(server: Server) -> None:
    one = marked(server)
    server.away = True
    with pytest.raises(ClusterError):
        one.check()
    server.away = False
    one.check()


def test_at_a_clean_end_it_is_gone(server: Server) -> None:
    dead(server).release(clean=True)
    assert server.held() == {}


def test_after_the_end_nothing_is_renewed_nor_made_anew(server: Server) -> None:
    one = dead(server)
    one.release(clean=True)
    assert not one.beat()
    assert server.held() == {}


def test_one_that_was_never_asked_for_is_left_alone(server: Server) -> None:
    dead(server, TWO)
    lease(server).release(clean=True)
    assert server.holder == "two"


def test_whoever_was_refused_gives_nothing_back(server: Server) -> None:
    renewing(server, dead(server), until=100)
    two = lease(server, TWO)
    refused(lambda: two.take(asked))
    two.release(clean=True)
    assert server.holder == "one"


def test_a_change_in_the_moment_of_giving_back_is_somebody_elses(server: Server) -> None:
    one = dead(server)
    read_before = server._read
    stolen: list[str] = []

    def steal(path: str, query: Mapping[str, str], accept: str) -> tuple[int, bytes]:
        answer = read_before(path, query, accept)
        if not stolen:
            stolen.append(path)
            held = server.held()
            server.put(PATH, {**held, "spec": {**held["spec"], "holderIdentity": "two"}})
        return answer

    one.installation = replace(
        one.installation, client=type(one.installation.client)(steal, "at", patience=0.0)
    )
    one.release(clean=True)
    assert server.holder == "two"


def test_a_run_that_hangs_is_dead_in_the_end(server: Server) -> None:
    one = dead(server)
    server.time.pass_by((ONE.until - ONE.made).total_seconds() - 1)
    assert one.beat()
    server.time.pass_by(1)
    assert not one.beat()
    lease(server, TWO).take(asked)
    assert server.holder == "two"


def test_no_lease_is_good_for_longer_than_its_run() -> None:
    short = Run("dev", "volumes", "one", NOW, NOW + HOUR / 3600)
    assert leases.seconds_of(short) == 1
    assert leases.seconds_of(ONE) == LEASE_SECONDS


def waited(met: Callable[[], bool]) -> bool:
    end = real_time.monotonic() + 20
    while not met() and real_time.monotonic() < end:
        real_time.sleep(0.01)
    return met()


@pytest.fixture
def beating(server: Server) -> Lease:
    """One with a heartbeat in a real thread, six times a second."""
    short = Run("dev", "kube-objects", "one", NOW, NOW + HOUR / 3600)
    made = lease(server, short)
    return Lease(made.installation, made.installation, short, made.clock, made.progress)


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "lease"]


def test_the_heart_beats_while_the_run_does_something_else(server: Server, beating: Lease) -> None:
    beating.take(nobody)
    before = server.versions
    assert waited(lambda: server.versions >= before + 2)
    beating.release(clean=True)
    assert threads() == []
    assert server.held() == {}


def test_the_heart_stops_when_the_lease_is_lost(server: Server, beating: Lease) -> None:
    beating.take(nobody)
    held = server.held()
    server.put(PATH, {**held, "spec": {**held["spec"], "holderIdentity": "two"}})
    assert waited(lambda: threads() == [])
    assert refused(beating.check).cause is Cause.LEASE_LOST


def test_an_end_in_the_middle_of_an_outage_waits_for_no_heartbeat(
    server: Server, beating: Lease
) -> None:
    beating.take(nobody)
    server.away = True
    with pytest.raises(ClusterError):
        beating.release(clean=True)
    assert waited(lambda: threads() == [])
