"""Every kind the cluster serves, each once and in the version it prefers."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kube.client import Client, connect
from kube.discovery import Resource, Served, discover
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from tests.kube.fakes import AT
from tests.support.kube_api import KubeApi

LIST = ["get", "list"]


def client(answers: Mapping[str, Any]) -> Client:
    def send(path: str, _query: Mapping[str, str], accept: str) -> tuple[int, bytes]:
        if path in ("/api", "/apis"):
            assert "APIGroupDiscoveryList" in accept
        found = answers.get(path, 404)
        if isinstance(found, int):
            return found, json.dumps({"kind": "Status", "message": "no"}).encode()
        return 200, json.dumps(found).encode()

    return Client(send, AT, patience=0)


def kind(plural: str, name: str, scope: str = "Namespaced", verbs: Any = LIST) -> dict[str, Any]:
    held = {"group": "", "version": "", "kind": name}
    return {"resource": plural, "responseKind": held, "scope": scope, "verbs": verbs}


def group(name: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name} if name else {}, "versions": list(versions)}


def version(name: str, *kinds: dict[str, Any], freshness: str = "Current") -> dict[str, Any]:
    return {"version": name, "freshness": freshness, "resources": list(kinds)}


def aggregated(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIGroupDiscoveryList", "items": list(groups)}


NEW = {
    "/api": aggregated(
        group(
            "",
            version(
                "v1",
                kind("pods", "Pod"),
                kind("nodes", "Node", "Cluster"),
                kind("bindings", "Binding", verbs=["create"]),
            ),
        )
    ),
    "/apis": aggregated(
        group(
            "apps",
            version("v1", kind("deployments", "Deployment")),
            version("v1beta1", kind("deployments", "Deployment"), kind("olds", "Old")),
        ),
        group("metrics.k8s.io", version("v1", freshness="Stale")),
    ),
}
OLD = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            },
            {
                "name": "metrics.k8s.io",
                "versions": [{"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            },
            {"name": "left", "versions": [{"version": "v1"}], "preferredVersion": {}},
        ],
    },
    "/api/v1": {
        "resources": [
            {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": LIST},
            {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
            {"name": "pods/status", "kind": "Pod", "namespaced": True, "verbs": LIST},
            {"name": "nodes", "kind": "Node", "namespaced": False, "verbs": LIST},
            {"name": "bindings", "kind": "Binding", "namespaced": True, "verbs": ["create"]},
        ]
    },
    "/apis/apps/v1": {
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": LIST}
        ]
    },
    "/apis/apps/v1beta1": {
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": LIST},
            {"name": "olds", "kind": "Old", "namespaced": True, "verbs": LIST},
        ]
    },
    "/apis/metrics.k8s.io/v1": 503,
}


def seen(served: Served) -> dict[str, tuple[str, bool]]:
    return {one.name: (one.api_version, one.namespaced) for one in served.resources}


@pytest.mark.parametrize("answers", [NEW, OLD], ids=["aggregated", "plain"])
def test_each_kind_comes_once_in_its_preferred_version(answers: dict[str, Any]) -> None:
    served = discover(client(answers))
    assert seen(served) == {
        "deployments.apps": ("apps/v1", True),
        "nodes": ("v1", False),
        "olds.apps": ("apps/v1beta1", True),
        "pods": ("v1", True),
    }
    assert served.unavailable == ("metrics.k8s.io/v1",)


def test_another_verb_chooses_others() -> None:
    assert seen(discover(client(NEW), verb="create")) == {"bindings": ("v1", True)}


def test_a_cluster_that_refuses_is_no_empty_one() -> None:
    with pytest.raises(ClusterError) as caught:
        discover(client({"/api": 403}))
    assert caught.value.cause is Cause.FORBIDDEN
    with pytest.raises(ClusterError):
        discover(client({**OLD, "/apis/apps/v1": 403}))


@pytest.mark.parametrize(
    ("group", "namespace", "path"),
    [
        ("", "", "/api/v1/things"),
        ("", "a", "/api/v1/namespaces/a/things"),
        ("x.example", "", "/apis/x.example/v1/things"),
        ("x.example", "a", "/apis/x.example/v1/namespaces/a/things"),
    ],
)
def test_a_kind_knows_its_path(group: str, namespace: str, path: str) -> None:
    one = Resource(group, "v1", "things", "Thing", True, frozenset(LIST))
    assert one.path(namespace) == path
    assert Served((one,)).named(one.name) is one
    assert Served((one,)).named("others") is None


@pytest.mark.tools
def test_a_real_server_says_the_same_in_both_ways(api: KubeApi) -> None:
    real = connect(parse(api.kubeconfig))
    served = discover(real)
    names = {one.name for one in served.resources}
    assert {"configmaps", "deployments.apps", "customresourcedefinitions.apiextensions.k8s.io",
            "volumeattachments.storage.k8s.io"} <= names  # fmt: skip
    assert served.unavailable == ()

    class Plain(Client):
        def get(self, path: str, *, accept: str = "application/json") -> dict[str, Any]:
            assert accept
            return real.get(path)

    def refuse(_path: str, _query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        raise AssertionError

    assert discover(Plain(refuse, AT)) == served
    for one in served.resources:
        next(real.pages(one.path(), limit=1))
