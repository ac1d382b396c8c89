"""Killed at any of its writes, a run is found dead by the next one, and cleared away."""

import pytest

from drills.verdict import Reason
from kube.longhorn.api import NAMESPACE
from tests.drills.longhorn.live.live_site import LIVE, LiveSite, live_payload
from tests.drills.longhorn.live.test_way import proven, told
from tests.drills.longhorn.site import run_through

ONLY_CANARY = {**LIVE, "volumes": 0}
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/backstop-drill-longhorn"
# Lease, namespace, policy, quota, class, claim, pod; then pod, claim, class, namespace, Lease.
WRITES = 12


def killed(live: LiveSite, after: int) -> None:
    live.cluster.kill_after = after
    drill = live.make(live_payload(ONLY_CANARY))
    with pytest.raises(KeyboardInterrupt):
        run_through(drill)
    live.cluster.kill_after = None
    live.cluster.writes.clear()
    drill.forget()


def test_so_many_writes_are_all(live: LiveSite) -> None:
    assert proven(live.run_live(live=ONLY_CANARY))
    assert len(live.cluster.writes) == WRITES
    assert live.cluster.drilled() == []


@pytest.mark.parametrize("after", range(1, WRITES))
def test_the_next_run_clears_it_away_once_it_is_dead(live: LiveSite, after: int) -> None:
    killed(live, after)
    began = live.cluster.now
    left = live.cluster.drilled()
    assert left
    record = live.run_live(live=ONLY_CANARY)
    assert proven(record), told(record)
    assert live.cluster.drilled() == []
    assert live.cluster.of("backups")
    # As long as a Lease is good, nobody knows that its holder is dead.
    assert live.cluster.now - began >= 60


def test_a_run_that_lives_is_left_alone(live: LiveSite) -> None:
    killed(live, 6)
    before = live.cluster.drilled()
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        held = live.cluster.objects[LEASE]
        held["spec"] = {**held["spec"], "renewTime": str(len(beats))}
        live.cluster.act()

    live.cluster.always = beat
    record = live.run_live(live=ONLY_CANARY)
    assert record.judgement().reason is Reason.TARGET_REFUSED
    assert "holds the Lease backstop-drill-longhorn" in told(record)
    assert live.cluster.drilled() == before
    assert live.cluster.writes == []


def test_what_was_seen_after_another_run_took_over_is_no_finding(live: LiveSite) -> None:
    def take(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/pods"):
            live.cluster.objects[LEASE]["spec"]["holderIdentity"] = "another"

    live.cluster.refuse = take
    record = live.run_live(live=ONLY_CANARY)
    assert record.judgement().reason is Reason.TARGET_REFUSED
    assert "run another" in told(record)
    assert not [one for one in record.checks if one.client.startswith("Longhorn's")]


def test_a_dead_run_is_cleared_away_even_if_nothing_is_to_be_restored(live: LiveSite) -> None:
    killed(live, 7)
    record = live.run_live(live={**LIVE, "mostBytes": 1})
    assert proven(record), told(record)
    assert live.cluster.drilled() == []


def test_a_copy_of_a_dead_run_is_not_called_unprotected(live: LiveSite) -> None:
    killed(live, 7)
    live.now = live.now.replace(hour=live.now.hour + 1)
    record = live.run_live(live=ONLY_CANARY)
    assert proven(record), told(record)
    assert any("a drill's own copy" in one.why for one in record.not_compared)
