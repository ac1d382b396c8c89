"""Changes are sent again only where that is safe, and each is what the server then holds."""

import pytest
import yaml
from urllib3.exceptions import NewConnectionError, ProtocolError

from kube.client import Clock
from kube.connection import open_exchange
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from kube.waiting import until
from kube.writer import ExistsError, Writer, open_writer
from tests.kube import kubeconfigs
from tests.kube.fakes import AT, Answer, Server, ok, status
from tests.support.kube_api import KubeApi
from tests.support.ports import free_port

MAPS = "/api/v1/namespaces/default/configmaps"
NOT_SENT = NewConnectionError(None, "refused")  # type: ignore[arg-type]
LOST = ProtocolError("connection reset")
COUNTED = status(409, "Operation cannot be fulfilled on resourcequotas", "Conflict")


def test_nothing_is_repeated_without_patience() -> None:
    server = Server([status(503, "starting"), ok({})])
    with pytest.raises(ClusterError):
        server.writer().merge("/x", {})
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", [NOT_SENT, LOST, status(503, "starting"), status(429, "slow")])
def test_what_is_the_same_twice_is_repeated(fault: Answer) -> None:
    for change in ("apply", "merge", "delete"):
        server = Server([fault, fault, ok({"kind": "ConfigMap"})])
        writer = server.writer(patience=20)
        writer.delete("/x") if change == "delete" else getattr(writer, change)("/x", {})
        assert len(server.asked) == 3
        assert 0 < server.time.now < 20


@pytest.mark.parametrize(
    "fault",
    [
        NOT_SENT,
        status(429, "too many requests"),
        status(403, 'pods "a" is forbidden: not yet ready to handle request'),
        COUNTED,
    ],
)
def test_a_creation_that_was_surely_not_made_is_repeated(fault: Answer) -> None:
    server = Server([fault, ok({"metadata": {"uid": "u"}})])
    assert server.writer(patience=20).create("/x", {})["metadata"]["uid"] == "u"


@pytest.mark.parametrize("fault", [LOST, status(500, "etcd timed out"), status(504, "timeout")])
def test_a_creation_whose_answer_was_lost_is_not(fault: Answer) -> None:
    server = Server([fault, ok({})])
    with pytest.raises(ClusterError):
        server.writer(patience=20).create("/x", {})
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        status(422, "wrong", "Invalid"),
        status(403, 'pods "a" is forbidden: exceeded quota: q'),
        status(400, 'admission webhook "w" denied the request: no'),
        status(500, 'Internal error occurred: failed calling webhook "w"'),
    ],
)
def test_a_refusal_for_good_is_not_repeated(fault: Answer) -> None:
    server = Server([fault, ok({})])
    writer = server.writer(patience=20)
    for change in (writer.create, writer.apply, writer.merge):
        server.answers = [fault, ok({})]
        with pytest.raises(ClusterError):
            change("/x", {})
    assert len(server.asked) == 3


def test_patience_ends() -> None:
    server = Server([NOT_SENT])
    with pytest.raises(ClusterError) as caught:
        server.writer(patience=20).create("/x", {})
    assert caught.value.cause is Cause.UNREACHABLE
    assert 10 < server.time.now <= 20


def test_an_object_that_exists_is_told_apart_from_a_conflict() -> None:
    with pytest.raises(ExistsError):
        Server([status(409, "exists", "AlreadyExists")]).writer(20).create("/x", {})
    with pytest.raises(ClusterError) as caught:
        Server([COUNTED]).writer().create("/x", {})
    assert not isinstance(caught.value, ExistsError)


def test_a_deletion_says_what_it_means() -> None:
    server = Server([ok({})])
    server.writer().delete("/x", propagation="Orphan", uid="u", grace_seconds=0)
    assert server.bodies == [
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Orphan",
            "preconditions": {"uid": "u"},
            "gracePeriodSeconds": 0,
        }
    ]
    server.writer().delete("/x")
    assert "preconditions" not in server.bodies[1]


def test_what_is_gone_is_deleted() -> None:
    Server([status(404, "not found")]).writer().delete("/x")


# On a real API server: what it makes of them.


def content(name: str, **data: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


@pytest.fixture
def writer(api: KubeApi) -> Writer:
    return open_writer(parse(api.kubeconfig), patience=5)


@pytest.mark.tools
def test_apply_makes_changes_and_takes_away(api: KubeApi, writer: Writer) -> None:
    path = f"{MAPS}/applied"
    assert writer.apply(path, content("applied", a="1", b="2"))["data"] == {"a": "1", "b": "2"}
    assert writer.apply(path, content("applied", a="3"))["data"] == {"a": "3"}
    api.patch(path, {"data": {"a": "by hand"}})
    with pytest.raises(ClusterError) as caught:
        writer.apply(path, content("applied", a="4"))
    assert caught.value.cause is Cause.CONFLICT
    assert writer.apply(path, content("applied", a="4"), force=True)["data"] == {"a": "4"}


@pytest.mark.tools
def test_creating_twice_is_said(writer: Writer) -> None:
    writer.create(MAPS, content("once"))
    with pytest.raises(ExistsError, match="already"):
        writer.create(MAPS, content("once"))


@pytest.mark.tools
def test_only_the_object_that_is_meant_is_deleted(api: KubeApi, writer: Writer) -> None:
    made = writer.create(MAPS, content("meant"))
    path = f"{MAPS}/meant"
    with pytest.raises(ClusterError) as caught:
        writer.delete(path, uid="11111111-2222-3333-4444-555555555555")
    assert caught.value.cause is Cause.CONFLICT
    writer.merge(path, {"data": {"a": "b"}})
    with pytest.raises(ClusterError) as caught:
        writer.delete(path, resource_version=made["metadata"]["resourceVersion"])
    assert caught.value.cause is Cause.CONFLICT
    writer.delete(path, uid=made["metadata"]["uid"])
    assert not api.exists(path)
    writer.delete(path, uid=made["metadata"]["uid"])


@pytest.mark.tools
def test_a_merge_of_a_state_that_passed_is_refused(writer: Writer) -> None:
    made = writer.create(MAPS, content("merged"))
    version = made["metadata"]["resourceVersion"]
    writer.merge(f"{MAPS}/merged", {"metadata": {"resourceVersion": version}, "data": {"a": "1"}})
    with pytest.raises(ClusterError) as caught:
        writer.merge(f"{MAPS}/merged", {"metadata": {"resourceVersion": version}})
    assert caught.value.cause is Cause.CONFLICT
    with pytest.raises(ClusterError) as caught:
        writer.merge(
            f"{MAPS}/merged", {"metadata": {"uid": "11111111-2222-3333-4444-555555555555"}}
        )
    assert caught.value.cause is Cause.INVALID


@pytest.mark.tools
def test_a_quota_that_is_used_up_is_said(api: KubeApi, writer: Writer) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "narrow"}})
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"count/configmaps": "1"}}}
    path = "/api/v1/namespaces/narrow"
    api.request("POST", f"{path}/resourcequotas", quota)

    def counted() -> bool | None:
        held = api.request("GET", f"{path}/resourcequotas/small").get("status", {})
        return True if held.get("used") else None

    until(counted, Clock(), 60, interval=0.2)
    with pytest.raises(ClusterError) as caught:
        _fill(writer, f"{path}/configmaps")
    assert caught.value.cause is Cause.QUOTA
    assert "exceeded quota: small" in str(caught.value)


def _fill(writer: Writer, path: str) -> None:
    """One more than there is room for, whether or not the controllers' own was counted yet."""
    for name in ("one", "two"):
        writer.create(path, {"metadata": {"name": name}})


@pytest.mark.tools
def test_a_webhook_that_is_down_is_said(api: KubeApi, writer: Writer) -> None:
    hook = {
        "metadata": {"name": "down"},
        "webhooks": [
            {
                "name": "down.example.com",
                "clientConfig": {"url": f"https://127.0.0.1:{free_port()}/"},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["endpoints"],
                    }
                ],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
            }
        ],
    }
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    api.request("POST", hooks, hook)
    path = "/api/v1/namespaces/default/endpoints"

    def refused() -> ClusterError | None:
        try:
            writer.create(path, {"metadata": {"generateName": "tried-"}})
        except ClusterError as error:
            return error
        return None

    try:
        # The server takes a moment until it knows of the webhook.
        error = until(refused, Clock(), 30, interval=0.2)
    finally:
        api.request("DELETE", f"{hooks}/down")
    assert error.cause is Cause.WEBHOOK_FAILED
    assert "down.example.com" in str(error)


@pytest.mark.tools
def test_what_pod_security_forbids_is_no_missing_right(api: KubeApi, writer: Writer) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "strict", "labels": labels}})
    account = "/api/v1/namespaces/strict/serviceaccounts/default"
    until(lambda: True if api.exists(account) else None, Clock(), 60, interval=0.2)
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(ClusterError) as caught:
        writer.create("/api/v1/namespaces/strict/pods", pod)
    assert caught.value.cause is Cause.ADMISSION
    assert "violates PodSecurity" in str(caught.value)


@pytest.mark.tools
def test_a_namespace_that_goes_is_said(api: KubeApi, writer: Writer) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "going"}})
    path = "/api/v1/namespaces/going"
    held = {"metadata": {"name": "held", "finalizers": ["example.com/held"]}}
    api.request("POST", f"{path}/configmaps", held)
    api.request("DELETE", path)
    with pytest.raises(ClusterError) as caught:
        writer.create(f"{path}/configmaps", {"metadata": {"name": "late"}})
    assert caught.value.cause is Cause.TERMINATING
    api.patch(f"{path}/configmaps/held", {"metadata": {"finalizers": None}})


@pytest.mark.tools
def test_an_invalid_object_is_said(writer: Writer) -> None:
    with pytest.raises(ClusterError) as caught:
        writer.create(MAPS, {"metadata": {"name": "Not A Name"}})
    assert caught.value.cause is Cause.INVALID


def test_nobody_listening_leaves_a_creation_unmade() -> None:
    away = AT.replace("10.0.0.1:6443", f"127.0.0.1:{free_port()}")
    held = kubeconfigs.content(server=away)
    del held["clusters"][0]["cluster"]["certificate-authority-data"]
    kubeconfig = parse(yaml.safe_dump(held))
    slept: list[float] = []
    clock = Clock(now=lambda: sum(slept), sleep=slept.append)
    with pytest.raises(ClusterError) as caught:
        Writer(open_exchange(kubeconfig), away, clock=clock, patience=3).create("/x", {})
    assert caught.value.cause is Cause.UNREACHABLE
    assert slept == [0.5, 1.0]
