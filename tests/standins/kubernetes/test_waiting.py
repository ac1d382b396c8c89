"""Waiting: kind by kind, until it is ready, with the reason where it is not.

No kubelet runs here: the test writes the status that one would write.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2

from tests.standins.kubernetes.conftest import settings_of
from tests.standins.kubernetes.harness import (
    Plugin,
    Props,
    Reply,
    refusal,
    running_plugin,
    unfinished,
)
from tests.support.kube_api import KubeApi, RefusedError

pytestmark = [pytest.mark.tools]

LABELS = {"app": "web"}
CONTAINER = {"name": "c", "image": "docker.io/lab/pause:1"}
DEPLOYMENT = "apps/v1:Deployment"


def deployment(namespace: str, image: str = "docker.io/lab/pause:1") -> Props:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"containers": [{**CONTAINER, "image": image}]},
            },
        },
    }


def pods(api: KubeApi, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.request("GET", f"/api/v1/namespaces/{namespace}/pods")[
        "items"
    ]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def run_pods(api: KubeApi, namespace: str) -> None:
    """Write the status of every pod as its kubelet does once it runs."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
    status = {"phase": "Running", "conditions": [ready], "podIP": "10.0.0.1"}
    for pod in pods(api, namespace):
        # A controller that is told of it again and again never comes to rest.
        if (pod.get("status") or {}).get("phase") == "Running":
            continue
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
        try:
            api.patch(path, {"status": status})
        except RefusedError as refused:
            if refused.status != 404:
                raise


@contextmanager
def meanwhile(work: Callable[[], None], every: float = 0.3) -> Iterator[None]:
    """Does `work` again and again while the block runs."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(every):
            work()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_deployment_is_made_when_its_pods_are_ready_and_updated_when_the_new_ones_are(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    with meanwhile(lambda: run_pods(api, namespace)):
        made = plugin.create(DEPLOYMENT, deployment(namespace), timeout=120)
        assert made.state["status"]["readyReplicas"] == 1
        assert plugin.read(DEPLOYMENT, made).id == made.id
        wanted = deployment(namespace, "docker.io/lab/demo:1")
        changed = plugin.update(DEPLOYMENT, made, wanted, timeout=120)
    images = {pod["spec"]["containers"][0]["image"] for pod in pods(api, namespace)}
    assert "docker.io/lab/demo:1" in images
    assert plugin.changes(DEPLOYMENT, changed, wanted) == {}


def test_a_deployment_that_does_not_start_is_kept_with_the_reason_of_its_pod(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    def stuck() -> None:
        waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
        one = {
            "name": "c",
            "image": "i",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": waiting},
        }
        for pod in pods(api, namespace):
            path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
            api.patch(path, {"status": {"phase": "Pending", "containerStatuses": [one]}})

    with meanwhile(stuck), pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, deployment(namespace), timeout=15)
    kept = unfinished(failed)
    assert kept.id == f"{namespace}/web"
    assert "Back-off pulling image" in refusal(failed) + " ".join(plugin.engine.messages)
    # A refresh says, too, that it is not ready, and keeps it.
    with pytest.raises(grpc.RpcError) as seen:
        plugin.read(DEPLOYMENT, Reply(kept.id, kept.state, deployment(namespace)))
    assert unfinished(seen).id == kept.id
    with meanwhile(lambda: run_pods(api, namespace)):
        plugin.update(
            DEPLOYMENT,
            Reply(kept.id, kept.state, deployment(namespace)),
            deployment(namespace),
            timeout=120,
        )


@pytest.mark.stand_in
def test_the_sentence_names_the_object_the_pod_and_the_container(
    plugin: Plugin, namespace: str
) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, deployment(namespace), timeout=2)
    words = refusal(failed)
    assert words.startswith(f"the Deployment {namespace}/web is not ready after 2 s: ")
    reasons = ("0 of 1 pods", "not made yet", "has not seen it yet")
    assert any(reason in words for reason in reasons), words


def test_skipped_waiting_is_not_waiting(plugin: Plugin, namespace: str) -> None:
    wanted = deployment(namespace)
    wanted["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    made = plugin.create(DEPLOYMENT, wanted)
    assert plugin.read(DEPLOYMENT, made).id == made.id


def test_a_job_is_waited_for_until_it_is_complete_and_its_failure_is_an_error_at_once(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    def end_pods(phase: str) -> None:
        for pod in pods(api, namespace):
            path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
            api.patch(path, {"status": {"phase": phase}})

    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": namespace},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}},
        },
    }
    with meanwhile(lambda: end_pods("Succeeded")):
        made = plugin.create("batch/v1:Job", job, timeout=120)
    assert made.state["status"]["succeeded"] == 1
    plugin.delete("batch/v1:Job", made)
    with meanwhile(lambda: end_pods("Failed")), pytest.raises(grpc.RpcError) as failed:
        plugin.create("batch/v1:Job", job, timeout=120)
    assert unfinished(failed).id == f"{namespace}/work"
    assert "BackoffLimitExceeded" in refusal(failed) or "backoff limit" in refusal(failed)


def test_stateful_and_daemon_sets_are_ready_with_their_pods(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    stateful = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "store", "namespace": namespace},
        "spec": {
            "serviceName": "store",
            "selector": {"matchLabels": LABELS},
            "template": template,
        },
    }
    with meanwhile(lambda: run_pods(api, namespace)):
        made = plugin.create("apps/v1:StatefulSet", stateful, timeout=120)
    assert made.state["status"]["readyReplicas"] == 1
    daemon = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": namespace},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template},
    }
    # There is no node, so none of its pods is missing.
    made = plugin.create("apps/v1:DaemonSet", daemon, timeout=120)
    assert made.state["status"]["desiredNumberScheduled"] == 0


def service(namespace: str, **spec: Any) -> Props:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def test_a_service_waits_for_the_pods_it_selects_unless_it_has_no_selector_or_address(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    token = "core/v1:Service"
    made = plugin.create(token, service(namespace))
    plugin.delete(token, made)
    made = plugin.create(token, service(namespace, clusterIP="None", selector=LABELS))
    plugin.delete(token, made)
    wanted = deployment(namespace)
    wanted["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    plugin.create(DEPLOYMENT, wanted)
    with meanwhile(lambda: run_pods(api, namespace)):
        plugin.create(token, service(namespace, selector=LABELS), timeout=120)


def test_a_load_balancer_without_an_address_is_not_ready(plugin: Plugin, namespace: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create("core/v1:Service", service(namespace, type="LoadBalancer"), timeout=2)
    assert unfinished(failed).id == f"{namespace}/web"


def claim(namespace: str, storage_class: str) -> Props:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def test_a_claim_is_bound_or_waits_for_its_first_pod(plugin: Plugin, namespace: str) -> None:
    token = "core/v1:PersistentVolumeClaim"
    late = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": f"late-{namespace}"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    plugin.create("storage.k8s.io/v1:StorageClass", late)
    made = plugin.create(token, claim(namespace, f"late-{namespace}"), timeout=60)
    assert made.state["status"]["phase"] == "Pending"
    plugin.delete(token, made)
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(token, claim(namespace, f"none-{namespace}"), timeout=3)
    kept = unfinished(failed)
    plugin.delete(token, Reply(kept.id, kept.state))
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"v-{namespace}"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": f"early-{namespace}",
            "nfs": {"server": "a", "path": "/"},
        },
    }
    made = plugin.create("core/v1:PersistentVolume", volume, timeout=60)
    assert made.state["status"]["phase"] == "Available"
    made = plugin.create(token, claim(namespace, f"early-{namespace}"), timeout=60)
    assert made.state["status"]["phase"] == "Bound"


def test_an_object_deleted_while_it_is_waited_for_is_an_error(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"

    def remove() -> None:
        if api.exists(path):
            api.request("DELETE", path)

    with meanwhile(remove, every=0.5), pytest.raises(grpc.RpcError):
        plugin.create(DEPLOYMENT, deployment(namespace), timeout=20)


def test_a_server_that_restarts_while_an_object_is_waited_for_does_no_harm(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    def restart() -> None:
        while not api.exists(f"/apis/apps/v1/namespaces/{namespace}/deployments/web"):
            time.sleep(0.1)
        api.stop("kube-apiserver")
        time.sleep(2)
        api.start()
        while not pods(api, namespace):
            time.sleep(0.2)
        run_pods(api, namespace)

    restarter = threading.Thread(target=restart)
    restarter.start()
    try:
        made = plugin.create(DEPLOYMENT, deployment(namespace), timeout=150)
    finally:
        restarter.join()
    assert made.state["status"]["readyReplicas"] == 1


def test_an_engine_that_ends_ends_the_wait_and_keeps_the_object(
    api: KubeApi, namespace: str
) -> None:
    with running_plugin() as other:
        other.configure(settings_of(api))
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"

        def end() -> None:
            while not api.exists(path):
                time.sleep(0.1)
            time.sleep(0.5)
            other.call("Cancel", empty_pb2.Empty())

        ender = threading.Thread(target=end)
        ender.start()
        with pytest.raises(grpc.RpcError) as failed:
            other.create(DEPLOYMENT, deployment(namespace), timeout=150)
        ender.join()
    assert unfinished(failed).id == f"{namespace}/web"
