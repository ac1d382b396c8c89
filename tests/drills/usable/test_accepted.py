"""A real API server and its controllers take what is made for checks, and start what is held.

There is no node: a thread plays the kubelet and says that each pod is ready, or that the pod of a
Job has ended well. Commands in pods are the made-up cluster's.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drills.frame import Clock
from drills.sandbox import fence
from drills.sandbox.marks import RUN_LABEL
from drills.usable.edges import Edges
from drills.usable.objects import ALLOW
from drills.usable.run import use
from drills.usable.start import plan
from drills.verdict import Verdict, judge
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.kubeconfig import parse
from kube.writer import open_writer
from tests.drills.sandbox.runs import RUN_ID, run
from tests.drills.usable.clusters import APPS, JOBS, NAMESPACE, POLICIES, TERMS, Cluster, Wire
from tests.drills.usable.samples import MAPPING, SANDBOX, archive, check, checks, workload
from tests.support.kube_api import KubeApi, RefusedError, running_kube_api

pytestmark = pytest.mark.tools

SECONDS = 60.0
HIGH = {"priorityClassName": "system-node-critical"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("kube")) as running:
        yield running


def restored(api: KubeApi) -> dict[Any, Any]:
    """A fence, workloads held at zero, and a pod that held a copy under a StatefulSet's name."""
    web, db = workload("Deployment", "web", **HIGH), workload("StatefulSet", "db", 3)
    db["spec"]["serviceName"] = "db"
    api.request("POST", "/api/v1/namespaces", fence.namespace(run(), SANDBOX))
    api.request("POST", POLICIES, fence.deny_all(run(), SANDBOX))
    settled(lambda: api.exists(f"{NAMESPACE}/serviceaccounts/default"))
    for plural, one in (("deployments", web), ("statefulsets", db)):
        held = {**one, "metadata": {"name": one["metadata"]["name"], "namespace": SANDBOX}}
        held["spec"] = {**one["spec"], "replicas": 0}
        api.request("POST", f"{APPS}/{plural}", held)
    metadata = {"name": "db-0", "labels": run().labels()}
    spec = {"containers": [{"name": "idle", "image": "helper:1"}]}
    api.request("POST", f"{NAMESPACE}/pods", {"metadata": metadata, "spec": spec})
    api.request("POST", f"{NAMESPACE}/resourcequotas", fence.quota(run(), SANDBOX, pods=1))
    return archive(web, db)


def settled(look: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline, "the controllers did nothing"
        time.sleep(0.1)


@contextmanager
def kubelet(api: KubeApi) -> Iterator[None]:
    over, faults = threading.Event(), []

    def play() -> None:
        while not over.wait(0.1):
            try:
                for pod in api.request("GET", f"{NAMESPACE}/pods")["items"]:
                    answer(api, pod)
            except Exception as error:  # noqa: BLE001  (for the test)
                faults.append(error)
                return

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
    assert faults == []


def answer(api: KubeApi, pod: dict[str, Any]) -> None:
    done = "batch.kubernetes.io/job-name" in pod["metadata"]["labels"]
    if pod["status"].get("phase") in ("Running", "Succeeded"):
        return
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"phase": "Succeeded"} if done else {"phase": "Running", "conditions": [ready]}
    path = f"{NAMESPACE}/pods/{pod['metadata']['name']}/status"
    try:
        api.patch(path, {"status": status})
    except RefusedError as refused:
        if refused.status != 404:
            raise


def test_workloads_start_within_their_room_and_checks_pass(api: KubeApi) -> None:
    objects = restored(api)
    told: list[str] = []
    talk = Cluster()

    def dial(path: str, query: Any) -> Wire:
        if api.exists(f"{POLICIES}/{ALLOW}"):
            talk.put(f"{POLICIES}/{ALLOW}", {})
        return talk._dial(path, query)

    kubeconfig = parse(api.kubeconfig)
    edges = Edges(
        connect(kubeconfig), open_writer(kubeconfig, patience=10), dial, KubeClock(), Clock(),
        told.append,
    )  # fmt: skip
    given = checks(check("http"), check("command", "rows"), check("job", "report"))
    with kubelet(api):
        found = use(edges, run(), plan(given, objects, MAPPING), TERMS)
    judgement = judge(found.checks)
    assert judgement.verdict is Verdict.PROVEN, judgement.detail
    assert len(found.compared) == 3
    pods = api.request("GET", f"{NAMESPACE}/pods")["items"]
    alive = [one for one in pods if one["status"]["phase"] == "Running"]
    names = {one["metadata"]["name"].partition("-5")[0].split("-")[0] for one in alive}
    assert (len(alive), names) == (3, {"web", "db", "backstop"})
    (db,) = [one for one in alive if one["metadata"]["name"] == "db-0"]
    assert db["spec"]["containers"][0]["image"] == "db:1"
    assert all(one["spec"]["priority"] == 0 for one in alive)
    assert talk.ran == [("db-0", ["true"])]
    (job,) = api.request("GET", JOBS)["items"]
    assert job["metadata"]["labels"][RUN_LABEL] == RUN_ID
    quota = api.request("GET", f"{NAMESPACE}/resourcequotas/{fence.QUOTA}")["status"]
    assert quota["hard"]["pods"] == "4"
