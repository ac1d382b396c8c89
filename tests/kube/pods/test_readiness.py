"""A wait for pods ends when they are ready, or says why one is not."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kube.client import Client, Clock, connect
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from kube.pods.faults import Fault
from kube.pods.readiness import NotReadyError, Ready, Wanted, wait_ready
from kube.waiting import FIRST_PAUSE_SECONDS, until
from tests.kube.fakes import AT, Time
from tests.support.kube_api import KubeApi

NAMED = Wanted("shop", "db-0")
LABELLED = Wanted("shop", labels={"app": "db"}, count=2)
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
CRASH = {
    "containerStatuses": [
        {
            "name": "main",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        }
    ]
}


def pod(name: str = "db-0", status: Mapping[str, Any] = READY, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", **metadata}, "status": status}


class Cluster:
    """Pods of a namespace, and what happens to them at each look."""

    def __init__(self, *looks: list[dict[str, Any]], events: Any = (), log: bytes = b"") -> None:
        self.looks, self.events, self.log = list(looks), list(events), log
        self.time = Time()
        self.queries: list[tuple[str, dict[str, str]]] = []

    def wait(self, wanted: Wanted = NAMED, seconds: float = 10, **more: Any) -> Ready:
        client = Client(self._send, AT, stream=self._stream, patience=0)
        held = {"log_lines": 2, **more}
        return wait_ready(client, wanted, clock=self.time.clock(), seconds=seconds, **held)

    def fault(self, wanted: Wanted = NAMED, **more: Any) -> NotReadyError:
        with pytest.raises(NotReadyError) as caught:
            self.wait(wanted, **more)
        assert "\n" not in str(caught.value)
        return caught.value

    def _send(self, path: str, query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        self.queries.append((path, dict(query)))
        if path.endswith("/events"):
            return 200, json.dumps({"items": self.events}).encode()
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return 200, json.dumps({"items": found}).encode()

    def _stream(
        self, path: str, _query: Mapping[str, str], _silence: float
    ) -> tuple[int, Iterator[bytes]]:
        assert path == "/api/v1/namespaces/shop/pods/db-0/log"
        return 200, iter([self.log])


def test_a_pod_that_becomes_ready_is_waited_for() -> None:
    cluster = Cluster([], [pod(status={})], [pod(status=CRASH)], [pod()])
    said: list[str] = []
    ready = cluster.wait(say=said.append)
    assert [one["metadata"]["name"] for one in ready.pods] == ["db-0"]
    assert ready.seconds == pytest.approx(0.25 + 0.5 + 1)
    assert [line.partition(" ")[2] for line in said] == [
        "shop/db-0 does not exist",
        "shop/db-0 has not started yet",
        "shop/db-0 has container main ending with exit code 1 (Error)",
    ]
    assert cluster.queries[0][1]["fieldSelector"] == "metadata.name=db-0"


def test_as_many_as_wanted_are_waited_for_and_all_that_are_there() -> None:
    cluster = Cluster(
        [pod("a")],
        [pod("a"), pod("b", status={})],
        [pod("a"), pod("b"), pod("c", status={})],
        [pod("a"), pod("b"), pod("c"), pod("old", status={}, deletionTimestamp="x")],
    )
    assert len(cluster.wait(LABELLED).pods) == 3
    assert cluster.time.now == pytest.approx(0.25 + 0.5 + 1)
    assert cluster.queries[0][1]["labelSelector"] == "app=db"


def test_a_crash_is_told_with_its_last_lines_where_they_may_be_shown() -> None:
    cluster = Cluster([pod(status=CRASH)], log=b"first\nno space left\ngiving up\n")
    error = cluster.fault()
    assert error.fault is Fault.CRASH
    assert "its last lines: no space left | giving up; waited 10 s" in str(error)
    assert "giving up" not in str(cluster.fault(log_lines=0))
    assert error.seconds == pytest.approx(10, abs=1)


def test_what_cannot_pass_ends_the_wait_at_once() -> None:
    cluster = Cluster([pod(status={"phase": "Succeeded"})])
    assert cluster.fault(seconds=1000).fault is Fault.ENDED
    assert cluster.time.now == 0


def test_a_pod_without_reason_is_told_by_its_events() -> None:
    event = {"type": "Warning", "reason": "FailedMount", "message": "no such claim"}
    cluster = Cluster([pod(status={})], events=[event])
    error = cluster.fault()
    assert error.fault is Fault.VOLUME
    assert "no such claim" in str(error)
    assert {"fieldSelector": "involvedObject.uid=uid-db-0", "limit": "500"} in [
        query for path, query in cluster.queries if path.endswith("/events")
    ]


def test_a_quota_that_keeps_pods_from_being_made_is_told() -> None:
    event = {
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'pods "db-0" is forbidden: exceeded quota: small',
    }
    error = Cluster([], events=[event]).fault(LABELLED)
    assert error.fault is Fault.QUOTA
    assert str(error) == (
        'pod shop/app=db is not made: pods "db-0" is forbidden: exceeded quota: small; waited 10 s'
    )


def test_one_pod_too_few_is_told() -> None:
    assert Cluster([pod("a")]).fault(LABELLED).fault is Fault.MISSING


def test_a_cluster_that_is_away_all_the_time_is_that_error() -> None:
    def send(_path: str, _query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        raise ConnectionResetError

    time = Time()
    with pytest.raises(ClusterError) as caught:
        wait_ready(Client(send, AT, patience=0), NAMED, clock=time.clock(), seconds=5, log_lines=0)
    assert caught.value.cause is Cause.UNREACHABLE


def namespace(api: KubeApi, name: str) -> str:
    """The path of a new namespace that takes pods; each test has its own, for any order."""
    path = "/api/v1/namespaces"
    api.request("POST", path, {"metadata": {"name": name}})
    account = f"{path}/{name}/serviceaccounts/default"
    until(lambda: True if api.exists(account) else None, Clock(), 60, interval=0.2)
    return f"{path}/{name}"


def real(api: KubeApi, wanted: Wanted, seconds: float, act: Callable[[], Any] | None = None) -> Any:
    client = connect(parse(api.kubeconfig), patience=0)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if act is not None:
            act()

    clock = Clock(now=lambda: sum(slept), sleep=sleep)
    return wait_ready(client, wanted, clock=clock, seconds=seconds, log_lines=3)


@pytest.mark.tools
def test_a_real_pod_is_told_and_then_found_ready(api: KubeApi) -> None:
    shop = namespace(api, "shop")
    content = {"metadata": {"name": "db-0"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    api.request("POST", f"{shop}/pods", content)
    with pytest.raises(NotReadyError) as caught:
        real(api, NAMED, 2)
    assert caught.value.fault is Fault.STARTING
    merge = "application/merge-patch+json"

    def act() -> None:
        api.request("PATCH", f"{shop}/pods/db-0/status", {"status": READY}, merge)

    assert real(api, NAMED, 5, act).seconds == FIRST_PAUSE_SECONDS


@pytest.mark.tools
def test_a_real_quota_is_told_by_the_controller_it_hit(api: KubeApi) -> None:
    full = namespace(api, "full")
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/pods": "0"}}}
    api.request("POST", f"{full}/resourcequotas", quota)

    def counted() -> Any:
        held = api.request("GET", f"{full}/resourcequotas/none")
        return (held.get("status") or {}).get("hard")

    until(counted, Clock(), 60, interval=0.2)
    labels = {"app": "web"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pods}
    api.request(
        "POST",
        "/apis/apps/v1/namespaces/full/deployments",
        {"metadata": {"name": "web"}, "spec": spec},
    )
    client = connect(parse(api.kubeconfig), patience=0)
    refusals = f"{full}/events?fieldSelector=reason%3DFailedCreate"
    until(lambda: api.request("GET", refusals)["items"] or None, Clock(), 60, interval=0.2)
    with pytest.raises(NotReadyError) as caught:
        wait_ready(client, Wanted("full", labels=labels), clock=Clock(), seconds=2, log_lines=0)
    assert caught.value.fault is Fault.QUOTA
    assert "exceeded quota: none" in str(caught.value)
