"""A run's Lease at a real API server: its preconditions decide, whoever asks at the same time."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from drills.backup.course import open_velero
from drills.frame import Clock
from drills.lease import Lease
from drills.sandbox.marks import Run
from drills.sandbox.safety import Cause, Refusal, RefusedError
from kube.kubeconfig import parse
from tests.drills.sandbox.runs import HOUR, NOW
from tests.support.kube_api import KubeApi, running_kube_api

pytestmark = pytest.mark.tools

SECOND = HOUR / 3600
PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/backstop-drill-volumes"
MARK = "/api/v1/namespaces/default/configmaps/backstop-drill-one"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("lease"), controllers=()) as api:
        yield api


@pytest.fixture
def api(running: KubeApi) -> Iterator[KubeApi]:
    yield running
    if running.exists(PATH):
        running.request("DELETE", PATH)


def still(_work: object) -> Any:
    return lambda: None


def lease(api: KubeApi, run_id: str, *, dead: bool = False, seconds: float = 30) -> Lease:
    """`dead`: without a heartbeat, as after a kill. `seconds`: how long the run may live."""
    cluster = parse(api.kubeconfig)
    velero = open_velero(cluster, "default")
    beats = open_velero(cluster, "default", patience=0.0)
    run = Run("dev", "volumes", run_id, NOW, NOW + seconds * SECOND)
    made = Lease(velero, beats, run, Clock(), lambda _line: None, f"process of {run_id}")
    if dead:
        made.start = still
    return made


def nobody() -> Refusal | None:
    return None


def spec(api: KubeApi) -> dict[str, Any]:
    found: dict[str, Any] = api.request("GET", PATH)["spec"]
    return found


def test_it_is_taken_renewed_and_gone_at_the_end(api: KubeApi) -> None:
    one = lease(api, "one")
    one.take(nobody)
    before = spec(api)
    assert one.beat()
    after = spec(api)
    assert after.pop("renewTime") > before.pop("renewTime")
    assert after == before
    one.check()
    one.release(clean=True)
    assert not api.exists(PATH)


def test_a_living_one_is_respected_and_a_dead_one_replaced(api: KubeApi) -> None:
    one = lease(api, "one", dead=True, seconds=2)
    one.take(nobody)
    api.request("POST", MARK.rpartition("/")[0], {"metadata": {"name": "backstop-drill-one"}})
    one.rests_on(MARK)
    two = lease(api, "two")
    two.take(nobody)
    assert spec(api)["holderIdentity"] == "two"
    assert api.request("GET", PATH)["metadata"]["labels"]["backstop.io/drill-run"] == "two"
    # What the sleeping one finds when it wakes.
    assert not one.beat()
    with pytest.raises(RefusedError) as lost:
        one.check()
    assert lost.value.refusal.cause is Cause.LEASE_LOST
    one.release(clean=True)
    assert spec(api)["holderIdentity"] == "two"
    # The heart of the other one beats.
    with pytest.raises(RefusedError, match="run two"):
        lease(api, "three").take(nobody)
    two.release(clean=False)
    assert "holderIdentity" not in spec(api)
    three = lease(api, "three")
    three.take(nobody)
    three.release(clean=True)
    api.request("DELETE", MARK)
    assert not api.exists(PATH)


def test_one_that_somebody_deletes_comes_back_unless_another_run_took_it(api: KubeApi) -> None:
    one = lease(api, "one", dead=True)
    one.take(nobody)
    api.request("DELETE", PATH)
    assert one.beat()
    assert spec(api)["holderIdentity"] == "one"
    api.request("DELETE", PATH)
    two = lease(api, "two", dead=True)
    two.take(nobody)
    assert not one.beat()
    assert spec(api)["holderIdentity"] == "two"


@pytest.mark.parametrize("free", ["nothing", "given back", "dead"])
def test_of_many_at_once_one_gets_it(api: KubeApi, free: str) -> None:
    if free != "nothing":
        before = lease(api, "before", dead=True, seconds=1)
        before.take(nobody)
        if free == "given back":
            before.release(clean=False)
    runs = [lease(api, f"run{number}") for number in range(4)]
    taken, refused, ready = [], [], threading.Barrier(len(runs))

    def take(one: Lease) -> None:
        ready.wait()
        try:
            one.take(nobody)
        except RefusedError:
            refused.append(one)
        else:
            taken.append(one)

    threads = [threading.Thread(target=take, args=(one,)) for one in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 3)
    assert spec(api)["holderIdentity"] == taken[0].run.run_id
    taken[0].check()
    taken[0].release(clean=True)


def test_a_heart_beats_over_a_restart_of_the_server(api: KubeApi) -> None:
    one = lease(api, "one", seconds=600)
    one.take(nobody)
    api.stop("kube-apiserver")
    assert one.beat(), "a request that failed is no end"
    api.start()
    one.check()
    before = spec(api)["renewTime"]
    assert one.beat()
    assert spec(api)["renewTime"] > before
    one.release(clean=True)
    assert not api.exists(PATH)
