"""The provider's configuration: what is accepted, what replaces, what cannot be reached."""

import grpc
import pytest
import yaml
from pulumi.runtime.proto import provider_pb2

from tests.standins.kubernetes.conftest import settings_of
from tests.standins.kubernetes.harness import (
    UNKNOWN,
    Plugin,
    Props,
    Reply,
    detailed,
    refusal,
    running_plugin,
    secret,
    struct,
)
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.tools]

CONFIG_MAP = "core/v1:ConfigMap"
PROVIDER = "urn:pulumi:dev::test::pulumi:providers:kubernetes::cluster"


def config_map(namespace: str) -> Props:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace},
        "data": {"a": "1"},
    }


def diff_config(plugin: Plugin, old: Props, new: Props) -> list[str]:
    request = provider_pb2.DiffRequest(id="x", urn=PROVIDER, olds=struct(old), news=struct(new))
    return sorted(plugin.call("DiffConfig", request).replaces)


def elsewhere(text: str) -> str:
    found = yaml.safe_load(text)
    found["clusters"][0]["cluster"]["server"] = "https://elsewhere.example.com:6443"
    return yaml.safe_dump(found)


def renewed(text: str) -> str:
    found = yaml.safe_load(text)
    found["users"][0]["user"] = {"token": "another"}
    return yaml.safe_dump(found)


def test_what_replaces_every_resource_is_the_identifier_where_there_is_one(
    plugin: Plugin, api: KubeApi
) -> None:
    here = {"kubeconfig": api.kubeconfig, "clusterIdentifier": "site"}
    there = {"kubeconfig": elsewhere(api.kubeconfig), "clusterIdentifier": "site"}
    assert diff_config(plugin, here, there) == []
    assert diff_config(plugin, here, {**here, "clusterIdentifier": "other"}) == [
        "clusterIdentifier"
    ]
    bare = {"kubeconfig": api.kubeconfig}
    assert diff_config(plugin, bare, {"kubeconfig": elsewhere(api.kubeconfig)}) == ["kubeconfig"]
    assert diff_config(plugin, bare, {"kubeconfig": renewed(api.kubeconfig)}) == []
    assert diff_config(plugin, bare, {"kubeconfig": UNKNOWN}) == ["kubeconfig"]
    assert diff_config(plugin, bare, bare) == []


@pytest.mark.stand_in
@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"deleteUnreachable": "true"}, "deleteUnreachable is not supported"),
        ({"skipUpdateUnreachable": True}, "skipUpdateUnreachable is not supported"),
        ({"renderYamlToDirectory": "out"}, "renderYamlToDirectory is not supported"),
        ({"enableServerSideApply": "false"}, "server-side apply only"),
        ({"strictMode": "true"}, "kubeconfig must be set"),
        ({"kubeconfg": "x"}, "kubeconfg is not one of its settings"),
        ({"helmReleaseSettings": '{"drivers": "x"}'}, "helmReleaseSettings.drivers"),
        ({"enableSecretMutable": "yes"}, "enableSecretMutable must be a boolean"),
    ],
)
def test_a_setting_that_is_wrong_or_not_supported_is_refused_in_one_sentence(
    plugin: Plugin, settings: Props, complaint: str
) -> None:
    request = provider_pb2.CheckRequest(urn=PROVIDER, news=struct(settings))
    failures = plugin.call("CheckConfig", request).failures
    assert complaint in failures[0].reason
    with running_plugin() as other, pytest.raises(grpc.RpcError) as refused:
        other.configure(settings)
    assert complaint in refusal(refused)


def test_a_file_may_stand_for_the_kubeconfig(api: KubeApi, namespace: str) -> None:
    with running_plugin() as other:
        other.configure({"kubeconfig": str(api.kubeconfig_file)})
        made = other.create(CONFIG_MAP, config_map(namespace))
        other.delete(CONFIG_MAP, made)


def test_the_providers_namespace_is_the_default_for_kinds_that_have_one(
    api: KubeApi, namespace: str
) -> None:
    with running_plugin() as other:
        other.configure(settings_of(api, namespace=namespace))
        inputs = config_map("")
        del inputs["metadata"]["namespace"]
        assert other.create(CONFIG_MAP, inputs).id == f"{namespace}/settings"
        wide = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
        assert "namespace" not in other.checked("core/v1:Namespace", wide)["metadata"]


@pytest.mark.stand_in
@pytest.mark.parametrize(
    ("kubeconfig", "complaint"),
    [
        ("nothing: here\n", "it has no list of clusters"),
        ("/no/such/file", "it has no list of clusters"),
        ("{", "it is no YAML document"),
        ("clusters: []\n", "no current-context"),
        ("clusters: []\ncurrent-context: a\n", "it has no context 'a' among its contexts"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_said_in_one_sentence(
    namespace: str, kubeconfig: str, complaint: str
) -> None:
    with running_plugin() as other:
        other.configure({"kubeconfig": secret(kubeconfig)})
        with pytest.raises(grpc.RpcError) as refused:
            other.create(CONFIG_MAP, config_map(namespace))
    assert complaint in refusal(refused)
    assert "\n" not in refusal(refused)


def test_while_the_kubeconfig_is_unknown_a_preview_goes_on(namespace: str) -> None:
    with running_plugin() as other:
        other.configure({"kubeconfig": UNKNOWN})
        previewed = other.create(CONFIG_MAP, config_map(namespace), preview=True)
    assert previewed.state["data"] == {"a": "1"}


@pytest.mark.stand_in
def test_a_server_that_cannot_be_reached_is_an_error_everywhere_and_nothing_is_forgotten(
    api: KubeApi, namespace: str
) -> None:
    with running_plugin() as other:
        other.configure(settings_of(api))
        made = other.create(CONFIG_MAP, config_map(namespace))
        changed = {**config_map(namespace), "data": {"a": "2"}}
        api.stop("kube-apiserver")
        try:
            for ask in (
                lambda: other.read(CONFIG_MAP, made),
                lambda: other.update(CONFIG_MAP, made, changed),
                lambda: other.delete(CONFIG_MAP, made),
                lambda: other.create(CONFIG_MAP, config_map(namespace)),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    ask()
                assert "cannot be reached: nothing listens there" in refusal(refused)
            with running_plugin() as fresh:
                fresh.configure(settings_of(api))
                for preview in (
                    lambda: fresh.create(CONFIG_MAP, config_map(namespace), preview=True),
                    lambda: fresh.diff(CONFIG_MAP, made, changed),
                ):
                    with pytest.raises(grpc.RpcError) as refused:
                        preview()
                    assert "cannot be reached" in refusal(refused)
        finally:
            api.start()
        assert other.read(CONFIG_MAP, made).id == made.id


@pytest.mark.stand_in
def test_a_wrong_authority_or_client_is_said_in_one_sentence(api: KubeApi, namespace: str) -> None:
    wrong = yaml.safe_load(api.kubeconfig)
    del wrong["clusters"][0]["cluster"]["certificate-authority-data"]
    anonymous = yaml.safe_load(api.kubeconfig)
    anonymous["users"][0]["user"] = {"token": "not-a-token"}
    for found, complaint in (
        (wrong, "its certificate is not trusted"),
        (anonymous, "nauthorized"),
    ):
        with running_plugin() as other:
            other.configure({"kubeconfig": secret(yaml.safe_dump(found))})
            with pytest.raises(grpc.RpcError) as refused:
                other.create(CONFIG_MAP, config_map(namespace))
        assert complaint in refusal(refused)
        assert "not-a-token" not in refusal(refused)


@pytest.mark.stand_in
@pytest.mark.parametrize(
    "token",
    ["yaml/v2:ConfigGroup", "helm.sh/v4:Chart", "kustomize/v2:Directory", "core/v1:PodList"],
)
def test_components_and_lists_are_refused_in_one_sentence(plugin: Plugin, token: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        plugin.check(token, {})
    assert "\n" not in refusal(refused)
    assert token in refusal(refused)


def test_a_warning_of_the_server_or_a_dropped_field_does_not_stop_a_creation(
    plugin: Plugin, namespace: str
) -> None:
    odd = {**config_map(namespace), "daata": {"a": "1"}}
    made = plugin.create(CONFIG_MAP, odd)
    assert made.id == f"{namespace}/settings"
    assert "daata" not in made.state


def test_a_replaced_job_that_is_not_complete(plugin: Plugin, namespace: str) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "work",
            "namespace": namespace,
            "annotations": {
                "pulumi.com/skipAwait": "true",
                "pulumi.com/replaceUnready": "true",
            },
        },
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "c", "image": "docker.io/lab/pause:1"}],
                    "restartPolicy": "Never",
                }
            }
        },
    }
    made = plugin.create("batch/v1:Job", job)
    reply = plugin.diff("batch/v1:Job", Reply(made.id, made.state, made.inputs), job)
    assert reply.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert len(reply.replaces) == 1
    assert detailed(reply) == {}
