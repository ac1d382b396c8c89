"""Faults in a cluster are taken away again, whatever happens meanwhile, and nothing else is."""

import datetime
from typing import Any

import pytest

from drills.surroundings.marks import LABEL, NOTE, Note, planting
from drills.surroundings.planting import LIFE, WEBHOOKS
from kube.errors import Cause, ClusterError
from kube.marks import labels
from tests.drills.sandbox.runs import NOW
from tests.drills.surroundings.live import AGENT, LOCATION, SERVER, LiveCluster, surroundings
from tests.kube.fakes import status

GONE = {"spec": {"replicas": 0}}
BUSY = status(503, "the server is starting", "ServiceUnavailable")


@pytest.fixture
def cluster() -> LiveCluster:
    found = LiveCluster()
    found.put(SERVER, {"spec": {"replicas": 2}})
    found.put(AGENT, {"spec": {"template": {"spec": {}}}})
    found.put(LOCATION, {"spec": {"config": {"s3Url": "https://store"}}})
    return found


def replicas(cluster: LiveCluster) -> int:
    found: int = cluster.at(SERVER)["spec"]["replicas"]
    return found


def is_sound(cluster: LiveCluster) -> bool:
    return replicas(cluster) == 2 and NOTE not in (
        cluster.at(SERVER)["metadata"].get("annotations") or {}
    )


def test_a_change_stands_while_the_context_is_open(cluster: LiveCluster) -> None:
    with surroundings(cluster).changed(SERVER, "velero-gone", GONE):
        assert replicas(cluster) == 0
        assert NOTE in cluster.at(SERVER)["metadata"]["annotations"]
    assert is_sound(cluster)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_change_is_undone_on_an_error_and_an_interrupt(
    cluster: LiveCluster, error: type[BaseException]
) -> None:
    with pytest.raises(error), surroundings(cluster).changed(SERVER, "velero-gone", GONE):
        raise error
    assert is_sound(cluster)


def test_a_change_whose_answer_was_lost_is_undone(cluster: LiveCluster) -> None:
    cluster.lost.append("PATCH")
    with (
        pytest.raises(ClusterError) as caught,
        surroundings(cluster).changed(SERVER, "velero-gone", GONE),
    ):
        pytest.fail("nobody knows whether the fault stands")
    assert caught.value.cause is Cause.UNREACHABLE
    assert is_sound(cluster)


def test_the_undoing_outlasts_a_restart_of_the_api_server(cluster: LiveCluster) -> None:
    with surroundings(cluster).changed(SERVER, "velero-gone", GONE):
        cluster.refused += [BUSY, BUSY, BUSY]
    assert is_sound(cluster)


def test_what_somebody_else_changed_meanwhile_stays(cluster: LiveCluster) -> None:
    with surroundings(cluster).changed(SERVER, "velero-gone", GONE):
        cluster.at(SERVER)["spec"]["paused"] = True
    assert cluster.at(SERVER)["spec"] == {"replicas": 2, "paused": True}


def test_another_object_of_the_name_is_left_alone(cluster: LiveCluster) -> None:
    with surroundings(cluster).changed(SERVER, "velero-gone", GONE):
        cluster.put(SERVER, {"metadata": {"uid": "another"}, "spec": {"replicas": 5}})
    assert replicas(cluster) == 5


def test_in_a_planted_object_nothing_is_planted(cluster: LiveCluster) -> None:
    there = surroundings(cluster)
    with there.changed(SERVER, "velero-gone", GONE):
        with pytest.raises(ClusterError) as caught, there.changed(SERVER, "other", GONE):
            pytest.fail("two faults at once")
        assert caught.value.cause is Cause.CONFLICT
        assert replicas(cluster) == 0, "the first one stands"
    assert is_sound(cluster)


def webhook(name: str = "backstop-control-1") -> dict[str, Any]:
    return {"metadata": {"name": name}, "webhooks": []}


def test_what_is_made_is_marked_and_goes(cluster: LiveCluster) -> None:
    path = f"{WEBHOOKS}/backstop-control-1"
    with surroundings(cluster).made(WEBHOOKS, "webhook-refuses", webhook()):
        assert cluster.at(path)["metadata"]["labels"][LABEL] == "webhook-refuses"
    with pytest.raises(KeyError):
        cluster.at(path)


def test_what_is_made_without_an_answer_goes(cluster: LiveCluster) -> None:
    cluster.lost.append("POST")
    with (
        pytest.raises(ClusterError),
        surroundings(cluster).made(WEBHOOKS, "webhook-refuses", webhook()),
    ):
        pytest.fail("nobody knows whether it is there")
    assert not [key for key in cluster.objects if "webhook" in key[2]]


def test_what_was_there_before_stays(cluster: LiveCluster) -> None:
    path = f"{WEBHOOKS}/backstop-control-1"
    cluster.put(path, {"webhooks": ["somebody's"]})
    with (
        pytest.raises(ClusterError) as caught,
        surroundings(cluster).made(WEBHOOKS, "webhook-refuses", webhook()),
    ):
        pytest.fail("it was not made")
    assert caught.value.cause is Cause.EXISTS
    assert cluster.at(path)["webhooks"] == ["somebody's"]


def killed(cluster: LiveCluster, *, site: str = "dev", left: datetime.timedelta) -> None:
    """As a run leaves it that is killed while two faults stand."""
    note = Note(site, "velero-gone", NOW + left)
    patch = planting(GONE, cluster.at(SERVER), note)
    cluster.velero().writer.merge(SERVER, patch)
    cluster.put(f"{WEBHOOKS}/w", {"metadata": Note(site, "webhook-refuses", NOW + left).metadata()})


def test_a_sweep_takes_away_what_a_dead_run_left(cluster: LiveCluster) -> None:
    killed(cluster, left=-datetime.timedelta(seconds=1))
    cluster.put(f"{WEBHOOKS}/theirs", {"metadata": {"labels": labels("dev")}})
    surroundings(cluster).sweep()
    assert is_sound(cluster)
    assert [key[3] for key in cluster.objects if "webhook" in key[2]] == ["theirs"]


def test_a_sweep_keeps_off_what_may_be_alive(cluster: LiveCluster) -> None:
    killed(cluster, left=LIFE)
    with pytest.raises(ClusterError, match="velero-gone is planted in velero until") as caught:
        surroundings(cluster).sweep()
    assert caught.value.cause is Cause.CONFLICT
    assert replicas(cluster) == 0


def test_a_sweep_leaves_other_sites_alone(cluster: LiveCluster) -> None:
    killed(cluster, site="other", left=-LIFE)
    surroundings(cluster).sweep()
    assert replicas(cluster) == 0


def test_a_sweep_stops_at_a_note_that_cannot_be_read(cluster: LiveCluster) -> None:
    cluster.at(AGENT)["metadata"]["annotations"] = {NOTE: "?"}
    with pytest.raises(ClusterError, match="cannot be read"):
        surroundings(cluster).sweep()


def test_in_sound_surroundings_a_sweep_changes_nothing(cluster: LiveCluster) -> None:
    surroundings(cluster).sweep()
    assert cluster.changes == []


def test_a_wait_that_ends_in_vain_says_for_what(cluster: LiveCluster) -> None:
    with pytest.raises(ClusterError, match="the server is ready: not so within"):
        surroundings(cluster).settled(SERVER, lambda _found: False, "the server is ready")
