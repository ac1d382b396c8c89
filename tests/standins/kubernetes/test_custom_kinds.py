"""Definitions and the objects of their kinds: order, waiting for a status, import, patches."""

import threading
import time
import uuid
from collections.abc import Iterator

import grpc
import pytest

from tests.standins.kubernetes.harness import UNKNOWN, Plugin, Props, Reply, refusal, unfinished
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.tools]

CRD = "apiextensions.k8s.io/v1:CustomResourceDefinition"


def definition(group: str, kind: str = "Place", scope: str = "Namespaced") -> Props:
    plural = f"{kind.lower()}s"
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x_kubernetes_preserve_unknown_fields": True},
            "status": {"type": "object", "x_kubernetes_preserve_unknown_fields": True},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "preserveUnknownFields": False,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


@pytest.fixture
def group() -> str:
    return f"g{uuid.uuid4().hex[:8]}.example.com"


@pytest.fixture
def token(plugin: Plugin, api: KubeApi, group: str) -> Iterator[str]:
    """A custom kind whose definition is there, and which is served."""
    made = plugin.create(CRD, definition(group))
    deadline = time.monotonic() + 60
    while not api.exists(f"/apis/{group}/v1/places"):
        assert time.monotonic() < deadline, "it is not served"
        time.sleep(0.05)
    yield f"{group}/v1:Place"
    plugin.delete(CRD, made)


def place(token: str, namespace: str, **spec: object) -> Props:
    group_version, _, kind = token.partition(":")
    return {
        "apiVersion": group_version,
        "kind": kind,
        "metadata": {"name": "here", "namespace": namespace},
        "spec": spec or {"size": 1},
    }


def path(token: str, namespace: str) -> str:
    return f"/apis/{token.partition(':')[0]}/namespaces/{namespace}/places/here"


def test_a_definition_is_established_quiet_when_repeated_and_changed_as_a_whole(
    plugin: Plugin, api: KubeApi, group: str
) -> None:
    wanted = definition(group)
    made = plugin.create(CRD, wanted)
    types = {one["type"]: one["status"] for one in made.state["status"]["conditions"]}
    assert types["Established"] == "True"
    version = made.state["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert version["properties"]["spec"]["x_kubernetes_preserve_unknown_fields"] is True
    assert plugin.changes(CRD, made, wanted) == {}
    assert plugin.changes(CRD, plugin.read(CRD, made), wanted) == {}
    wanted["spec"]["names"]["shortNames"] = ["pl"]
    assert plugin.changes(CRD, made, wanted) == {"spec.names.shortNames": "ADD"}
    made = plugin.update(CRD, made, wanted)
    live = api.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{made.id}")
    assert live["spec"]["names"]["shortNames"] == ["pl"]
    plugin.delete(CRD, made)
    assert plugin.read(CRD, made).id == ""


def test_without_its_definition_an_object_previews_and_its_creation_waits_for_it(
    plugin: Plugin, api: KubeApi, namespace: str, group: str
) -> None:
    token = f"{group}/v1:Place"
    previewed = plugin.create(token, place(token, namespace), preview=True)
    assert previewed.state["spec"] == {"size": 1}
    body = definition(group)
    schema = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for part in schema.values():
        part["x-kubernetes-preserve-unknown-fields"] = part.pop(
            "x_kubernetes_preserve_unknown_fields"
        )

    def later() -> None:
        time.sleep(1.5)
        api.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)

    maker = threading.Thread(target=later)
    maker.start()
    made = plugin.create(token, place(token, namespace))
    maker.join()
    assert made.id == f"{namespace}/here"
    plugin.delete(token, made)


def test_what_lost_its_definition_counts_as_deleted(
    plugin: Plugin, namespace: str, group: str
) -> None:
    token = f"{group}/v1:Place"
    made = plugin.create(CRD, definition(group))
    one = plugin.create(token, place(token, namespace))
    plugin.delete(CRD, made)
    assert plugin.read(token, one).id == ""
    plugin.delete(token, one)


def test_a_custom_object_is_changed_in_place_and_quiet_afterwards(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    wanted = place(token, namespace, size=1, on=False, words=["a", "b"], empty={})
    made = plugin.create(token, wanted)
    assert plugin.changes(token, made, wanted) == {}
    assert plugin.changes(token, plugin.read(token, made), wanted) == {}
    wanted = place(token, namespace, size=2, on=False, words=["a"])
    assert plugin.changes(token, made, wanted) == {
        "spec.empty": "DELETE",
        "spec.size": "UPDATE",
        "spec.words[1]": "DELETE",
    }
    plugin.update(token, made, wanted)
    live = api.request("GET", path(token, namespace))
    assert live["spec"] == {"size": 2, "on": False, "words": ["a"]}


def test_a_creation_waits_for_the_status_it_was_told_to_wait_for(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    wanted = place(token, namespace)
    wanted["metadata"]["annotations"] = {
        "pulumi.com/waitFor": '["jsonpath={.status.phase}=Available", "condition=Ready"]'
    }

    def later() -> None:
        while not api.exists(path(token, namespace)):
            time.sleep(0.1)
        ready = [{"type": "Ready", "status": "True"}]
        api.patch(path(token, namespace) + "/status", {"status": {"phase": "Unavailable"}})
        time.sleep(0.5)
        status = {"status": {"phase": "Available", "conditions": ready}}
        api.patch(path(token, namespace) + "/status", status)

    writer = threading.Thread(target=later)
    writer.start()
    made = plugin.create(token, wanted)
    writer.join()
    assert made.state["status"]["phase"] == "Available"


def test_what_never_becomes_ready_is_kept_with_the_reason(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    wanted = place(token, namespace)
    wanted["metadata"]["annotations"] = {
        "pulumi.com/waitFor": "jsonpath={.status.phase}=Available",
        "pulumi.com/timeoutSeconds": "2",
    }
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(token, wanted)
    kept = unfinished(failed)
    assert kept.id == f"{namespace}/here"
    assert kept.state["__inputs"]["spec"] == {"size": 1}
    api.patch(path(token, namespace) + "/status", {"status": {"phase": "Available"}})
    made = plugin.update(token, Reply(kept.id, kept.state, wanted), wanted)
    assert made.state["status"]["phase"] == "Available"


@pytest.mark.stand_in
def test_the_reason_is_what_the_object_itself_says(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    wanted = place(token, namespace)
    wanted["metadata"]["annotations"] = {"pulumi.com/waitFor": "jsonpath={.status.phase}=Available"}

    def later() -> None:
        while not api.exists(path(token, namespace)):
            time.sleep(0.1)
        said = {"status": {"phase": "Unavailable", "message": "the key is wrong"}}
        api.patch(path(token, namespace) + "/status", said)

    writer = threading.Thread(target=later)
    writer.start()
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(token, wanted, timeout=4)
    writer.join()
    assert f"the Place {namespace}/here is not ready after 4 s" in refusal(failed)
    assert "the key is wrong" in refusal(failed)


@pytest.mark.stand_in
@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("status.phase=Available", "begin with jsonpath= or condition="),
        ("jsonpath=.status", "write jsonpath={.path}"),
        ("jsonpath={.a[}", "not understood"),
        ("condition=", "name the condition"),
        ("[]", "empty list"),
    ],
)
def test_a_wait_that_cannot_be_understood_is_refused_at_once(
    plugin: Plugin, namespace: str, token: str, written: str, complaint: str
) -> None:
    wanted = place(token, namespace)
    wanted["metadata"]["annotations"] = {"pulumi.com/waitFor": written}
    failures = plugin.check(token, wanted).failures
    assert len(failures) == 1
    assert complaint in failures[0].reason


def test_an_import_of_a_custom_object_finds_its_identity_and_the_next_update_the_rest(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    body = place(token, namespace, size=1)
    api.request("POST", path(token, namespace).removesuffix("/here"), body)
    found = plugin.read(token, Reply(f"{namespace}/here", {}))
    assert found.inputs["metadata"] == {"name": "here", "namespace": namespace}
    assert found.state["spec"] == {"size": 1}
    assert set(plugin.changes(token, found, body)) <= {"spec"}
    made = plugin.update(token, found, body)
    assert plugin.changes(token, made, body) == {}


def test_a_patch_sets_its_fields_only_and_gives_them_up_when_deleted(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    api.request("POST", path(token, namespace).removesuffix("/here"), place(token, namespace))
    patch = place(token, namespace, extra="ours")
    patched = f"{token}Patch"
    made = plugin.create(patched, patch)
    assert made.id == f"{namespace}/here"
    live = api.request("GET", path(token, namespace))
    assert live["spec"] == {"size": 1, "extra": "ours"}
    assert plugin.changes(patched, made, patch) == {}
    assert plugin.read(patched, made).inputs["spec"] == {"extra": "ours"}
    patch["spec"] = {"extra": "other"}
    assert plugin.changes(patched, made, patch) == {"spec.extra": "UPDATE"}
    made = plugin.update(patched, made, patch)
    plugin.delete(patched, made)
    assert api.request("GET", path(token, namespace))["spec"] == {"size": 1}


def test_a_patch_of_a_field_of_another_manager_needs_force(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    collection = path(token, namespace).removesuffix("/here") + "?fieldManager=owner"
    api.request("POST", collection, place(token, namespace))
    patch = place(token, namespace, size=2)
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create(f"{token}Patch", patch)
    assert "owner" in refusal(refused)
    patch["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    plugin.create(f"{token}Patch", patch)
    assert api.request("GET", path(token, namespace))["spec"] == {"size": 2}


def test_a_patch_of_a_known_kind_and_one_without_a_name(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    patch = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"a": "b"}},
    }
    made = plugin.create("core/v1:NamespacePatch", patch)
    live = api.request("GET", f"/api/v1/namespaces/{namespace}")
    assert live["metadata"]["labels"]["a"] == "b"
    plugin.delete("core/v1:NamespacePatch", made)
    live = api.request("GET", f"/api/v1/namespaces/{namespace}")
    assert "a" not in live["metadata"]["labels"]
    nameless = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"labels": {"a": "b"}}}
    with pytest.raises(grpc.RpcError) as refused:
        plugin.check("core/v1:NamespacePatch", nameless)
    assert "metadata.name" in refusal(refused)


def test_another_field_manager_takes_the_fields_of_the_first(
    plugin: Plugin, api: KubeApi, namespace: str, token: str
) -> None:
    wanted = place(token, namespace)
    made = plugin.create(token, wanted)
    made = plugin.update(token, made, place(token, namespace, size=2))
    wanted["spec"] = {"size": 2}
    wanted["metadata"]["annotations"] = {"pulumi.com/patchFieldManager": "backstop"}
    made = plugin.update(token, made, wanted)
    assert made.state["__fieldManager"] == "backstop"
    live = api.request("GET", path(token, namespace))
    owners = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert "backstop" in owners
    assert not any(owner.startswith("pulumi-kubernetes-") for owner in owners)


def test_a_preview_of_an_update_with_an_unknown_value_answers_the_inputs(
    plugin: Plugin, namespace: str, token: str
) -> None:
    made = plugin.create(token, place(token, namespace))
    wanted = place(token, namespace, size=UNKNOWN)
    assert plugin.changes(token, made, wanted) == {"spec.size": "UPDATE"}
    previewed = plugin.update(token, made, wanted, preview=True)
    assert previewed.state["spec"] == {"size": UNKNOWN}
