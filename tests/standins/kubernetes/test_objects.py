"""Objects through the plugin on a real API server: made, changed, read, given back, deleted."""

import base64
from typing import Any

import grpc
import pytest

from tests.standins.kubernetes.harness import (
    UNKNOWN,
    Plugin,
    Props,
    Reply,
    is_secret,
    refusal,
    secret,
)
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.tools]

CONFIG_MAP = "core/v1:ConfigMap"
SECRET_TOKEN = "core/v1:Secret"


def config_map(namespace: str, name: str = "settings", **data: Any) -> Props:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data or {"a": "1"},
    }


def path(namespace: str, name: str = "settings", plural: str = "configmaps") -> str:
    return f"/api/v1/namespaces/{namespace}/{plural}/{name}"


def test_an_object_is_made_with_its_id_and_the_servers_fields(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace))
    assert made.id == f"{namespace}/settings"
    live = api.request("GET", path(namespace))
    assert made.state["metadata"]["uid"] == live["metadata"]["uid"]
    assert made.state["__initialApiVersion"] == "v1"
    assert made.state["__fieldManager"].startswith("pulumi-kubernetes-")
    assert made.state["__inputs"]["data"] == {"a": "1"}
    assert plugin.changes(CONFIG_MAP, made, config_map(namespace)) == {}


def test_a_name_is_made_where_the_program_gives_none_and_kept_from_then_on(
    plugin: Plugin, namespace: str
) -> None:
    inputs = {**config_map(namespace), "metadata": {"namespace": namespace}}
    made = plugin.create(CONFIG_MAP, inputs)
    name = made.state["metadata"]["name"]
    assert name.startswith("it-")
    assert made.state["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert plugin.checked(CONFIG_MAP, inputs, made.inputs)["metadata"]["name"] == name
    assert plugin.changes(CONFIG_MAP, made, inputs) == {}


def test_what_exists_already_is_an_error_when_made_and_silent_at_preview(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map(namespace, b="2"))
    previewed = plugin.create(CONFIG_MAP, config_map(namespace), preview=True)
    assert previewed.id == ""
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create(CONFIG_MAP, config_map(namespace))
    assert "already exists" in refusal(refused)
    assert api.request("GET", path(namespace))["data"] == {"b": "2"}


def test_a_preview_makes_nothing_and_knows_what_the_server_would_set(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"ports": [{"port": 80}]},
    }
    previewed = plugin.create("core/v1:Service", service, preview=True)
    assert previewed.id == ""
    assert previewed.state["spec"]["type"] == "ClusterIP"
    assert "status" not in previewed.state
    assert not api.exists(path(namespace, "web", "services"))


def test_a_preview_with_an_unknown_value_answers_the_inputs(plugin: Plugin, namespace: str) -> None:
    previewed = plugin.create(CONFIG_MAP, config_map(namespace, a=UNKNOWN), preview=True)
    assert previewed.state["data"] == {"a": UNKNOWN}


def test_a_preview_refuses_what_the_server_would_refuse(plugin: Plugin, namespace: str) -> None:
    wrong = config_map(namespace, name="Not A Name")
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create(CONFIG_MAP, wrong, preview=True)
    assert "RFC 1123" in refusal(refused)


def test_a_preview_into_a_namespace_still_to_be_made_is_quiet(plugin: Plugin) -> None:
    assert plugin.create(CONFIG_MAP, config_map("not-yet"), preview=True).id == ""


def test_an_update_changes_adds_and_removes_fields(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace, a="1", b="2"))
    wanted = config_map(namespace, a="changed", c="3")
    assert plugin.changes(CONFIG_MAP, made, wanted) == {
        "data.a": "UPDATE",
        "data.b": "DELETE",
        "data.c": "ADD",
    }
    previewed = plugin.update(CONFIG_MAP, made, wanted, preview=True)
    assert previewed.state["data"]["a"] == "changed"
    assert api.request("GET", path(namespace))["data"] == {"a": "1", "b": "2"}
    changed = plugin.update(CONFIG_MAP, made, wanted)
    assert api.request("GET", path(namespace))["data"] == {"a": "changed", "c": "3"}
    assert changed.state["__fieldManager"] == made.state["__fieldManager"]
    assert plugin.changes(CONFIG_MAP, changed, wanted) == {}
    again = plugin.update(CONFIG_MAP, changed, config_map(namespace, a="x"))
    assert api.request("GET", path(namespace))["data"] == {"a": "x"}
    assert plugin.changes(CONFIG_MAP, again, config_map(namespace, a="x")) == {}


def test_fields_of_others_stay_and_make_no_difference(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace))
    api.patch(path(namespace), {"data": {"theirs": "x"}, "metadata": {"labels": {"by": "hand"}}})
    seen = plugin.read(CONFIG_MAP, made)
    assert seen.inputs["data"] == {"a": "1"}
    assert seen.state["data"] == {"a": "1", "theirs": "x"}
    assert plugin.changes(CONFIG_MAP, seen, config_map(namespace)) == {}
    plugin.update(CONFIG_MAP, seen, config_map(namespace, a="2"))
    live = api.request("GET", path(namespace))
    assert live["data"] == {"a": "2", "theirs": "x"}
    assert live["metadata"]["labels"] == {"by": "hand"}


def test_a_field_of_ours_changed_by_hand_shows_after_a_refresh(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace, a="1", b="2"))
    api.patch(path(namespace), {"data": {"a": "by hand", "b": None}})
    seen = plugin.read(CONFIG_MAP, made)
    assert seen.inputs["data"] == {"a": "by hand"}
    wanted = config_map(namespace, a="1", b="2")
    assert plugin.changes(CONFIG_MAP, seen, wanted) == {"data.a": "UPDATE", "data.b": "ADD"}


def test_a_field_that_another_manager_owns_is_a_conflict_until_forced(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace))
    api.patch(path(namespace), {"data": {"a": "by hand"}}, manager="somebody")
    seen = plugin.read(CONFIG_MAP, made)
    with pytest.raises(grpc.RpcError) as refused:
        plugin.update(CONFIG_MAP, seen, config_map(namespace, a="2"))
    assert "somebody" in refusal(refused)
    forced = config_map(namespace, a="2")
    forced["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    plugin.update(CONFIG_MAP, seen, forced)
    assert api.request("GET", path(namespace))["data"] == {"a": "2"}


def test_an_ignored_field_keeps_what_another_manager_set(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace, a="1", b="1"))
    # What the program sends no longer contains the field once its creator's fields are taken over.
    made = plugin.update(CONFIG_MAP, made, config_map(namespace, a="1", b="2"))
    api.patch(path(namespace), {"data": {"a": "theirs"}}, manager="somebody")
    seen = plugin.read(CONFIG_MAP, made)
    wanted = config_map(namespace, a="1", b="3")
    reply = plugin.diff(CONFIG_MAP, seen, wanted, ignore=("data.a",))
    assert sorted(reply.detailedDiff) == ["data.b"]
    plugin.update(CONFIG_MAP, seen, wanted, ignore=("data.a",))
    assert api.request("GET", path(namespace))["data"] == {"a": "theirs", "b": "3"}


def test_what_was_deleted_by_hand_is_gone_after_a_refresh_and_an_error_for_an_update(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace))
    api.request("DELETE", path(namespace))
    assert plugin.read(CONFIG_MAP, made).id == ""
    with pytest.raises(grpc.RpcError):
        plugin.update(CONFIG_MAP, made, config_map(namespace, a="2"))
    plugin.delete(CONFIG_MAP, made)


def test_an_import_finds_the_inputs_of_a_known_kind(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    body = config_map(namespace, a="1")
    made = f"/api/v1/namespaces/{namespace}/configmaps?fieldManager=kubectl"
    api.request("POST", made, body)
    found = plugin.read(CONFIG_MAP, Reply(f"{namespace}/settings", {}))
    assert found.inputs == body
    assert plugin.changes(CONFIG_MAP, found, body) == {}
    plugin.update(CONFIG_MAP, found, config_map(namespace, a="2"))
    assert api.request("GET", path(namespace))["data"] == {"a": "2"}


def test_an_imported_secret_is_replaced_unless_the_program_declares_its_type(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "namespace": namespace},
        "data": {"cloud": "MQ=="},
    }
    api.request("POST", f"/api/v1/namespaces/{namespace}/secrets", body)
    found = plugin.read(SECRET_TOKEN, Reply(f"{namespace}/keys", {}))
    assert plugin.changes(SECRET_TOKEN, found, body) == {"type": "DELETE_REPLACE"}
    assert plugin.changes(SECRET_TOKEN, found, {**body, "type": "Opaque"}) == {}


def test_an_import_of_what_is_not_there_finds_nothing(plugin: Plugin, namespace: str) -> None:
    assert plugin.read(CONFIG_MAP, Reply(f"{namespace}/nothing", {})).id == ""


def test_a_deletion_waits_until_the_object_is_gone_and_may_be_repeated(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace))
    plugin.delete(CONFIG_MAP, made)
    assert not api.exists(path(namespace))
    plugin.delete(CONFIG_MAP, made)


def test_a_deletion_that_a_finalizer_holds_names_it(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    wanted = config_map(namespace)
    wanted["metadata"]["finalizers"] = ["example.com/hold"]
    made = plugin.create(CONFIG_MAP, wanted)
    with pytest.raises(grpc.RpcError) as refused:
        plugin.delete(CONFIG_MAP, made, timeout=1)
    assert api.exists(path(namespace))
    assert "example.com/hold" in refusal(refused) or "delet" in refusal(refused)
    api.patch(path(namespace), {"metadata": {"finalizers": None}})
    plugin.delete(CONFIG_MAP, made)


def test_a_namespace_is_gone_with_all_in_it_when_its_deletion_returns(
    plugin: Plugin, api: KubeApi
) -> None:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "leaving"}}
    made = plugin.create("core/v1:Namespace", inputs)
    assert made.id == "leaving"
    plugin.create(CONFIG_MAP, config_map("leaving"))
    plugin.delete("core/v1:Namespace", made)
    assert not api.exists("/api/v1/namespaces/leaving")


def test_the_data_of_a_secret_is_secret_whatever_the_program_said(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    inputs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "namespace": namespace},
        "stringData": secret({"cloud": "the password"}),
    }
    checked = plugin.checked(SECRET_TOKEN, inputs)
    assert is_secret(checked["data"])
    assert "stringData" not in checked
    made = plugin.create(SECRET_TOKEN, inputs)
    encoded = base64.b64encode(b"the password").decode()
    assert made.state["data"] == secret({"cloud": encoded})
    assert made.state["__inputs"]["data"] == secret({"cloud": encoded})
    assert plugin.changes(SECRET_TOKEN, made, inputs) == {}
    seen = plugin.read(SECRET_TOKEN, made)
    assert is_secret(seen.state["data"])
    assert is_secret(seen.inputs["data"])
    changed = {**inputs, "stringData": secret({"cloud": "another"})}
    assert plugin.changes(SECRET_TOKEN, seen, changed) == {"data.cloud": "UPDATE"}
    plugin.update(SECRET_TOKEN, seen, changed)
    live = api.request("GET", path(namespace, "keys", "secrets"))
    assert live["data"] == {"cloud": base64.b64encode(b"another").decode()}


@pytest.mark.stand_in
def test_what_kubectl_wrote_about_a_secret_is_secret_too(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    encoded = base64.b64encode(b"the password").decode()
    last = f'{{"data":{{"cloud":"{encoded}"}}}}'
    key = "kubectl.kubernetes.io/last-applied-configuration"
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "annotations": {key: last, "open": "yes"}},
        "data": {"cloud": encoded},
    }
    api.request("POST", f"/api/v1/namespaces/{namespace}/secrets", body)
    found = plugin.read(SECRET_TOKEN, Reply(f"{namespace}/keys", {}))
    assert found.state["metadata"]["annotations"] == {key: secret(last), "open": "yes"}
    assert key not in found.inputs["metadata"]["annotations"]


def test_a_secret_value_in_another_kind_stays_secret_where_it_is(
    plugin: Plugin, namespace: str
) -> None:
    made = plugin.create(CONFIG_MAP, config_map(namespace, a=secret("hidden"), b="open"))
    assert made.state["data"] == {"a": secret("hidden"), "b": "open"}
    seen = plugin.read(CONFIG_MAP, made)
    assert seen.state["data"]["a"] == secret("hidden")


def test_quantities_and_zeros_are_written_as_the_program_likes(
    plugin: Plugin, namespace: str
) -> None:
    inputs = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "idle",
            "namespace": namespace,
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
        "spec": {
            "hostNetwork": False,
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "c",
                    "image": "docker.io/lab/pause:1",
                    "env": [{"name": "EMPTY", "value": ""}],
                    "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}},
                }
            ],
        },
    }
    made = plugin.create("core/v1:Pod", inputs)
    assert plugin.changes("core/v1:Pod", made, inputs) == {}
    seen = plugin.read("core/v1:Pod", made)
    assert plugin.changes("core/v1:Pod", seen, inputs) == {}


@pytest.mark.stand_in
def test_a_refresh_of_zeros_gives_the_inputs_back_as_they_were(
    plugin: Plugin, namespace: str
) -> None:
    inputs = config_map(namespace, a="")
    made = plugin.create(CONFIG_MAP, inputs)
    assert plugin.read(CONFIG_MAP, made).inputs == made.inputs
