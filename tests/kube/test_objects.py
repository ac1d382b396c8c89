"""Every object of some namespaces over all kinds, and what became of each listing."""

import json
from typing import Any

import pytest

from kube.client import connect
from kube.discovery import Resource, discover
from kube.errors import ClusterError
from kube.kubeconfig import parse
from kube.objects import NO_CONTENT, Listing, Stage, in_namespaces, of_cluster
from tests.kube.fakes import Server, items, status
from tests.support.kube_api import KubeApi

LIST = frozenset({"list"})
PODS = Resource("", "v1", "pods", "Pod", True, LIST)
EVENTS = Resource("", "v1", "events", "Event", True, LIST)
NODES = Resource("", "v1", "nodes", "Node", False, LIST)


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


def test_namespaces_then_kinds_each_object_whole() -> None:
    server = Server([items(named("a")), items(named("b"), version="9")])
    told: list[Listing] = []
    found = list(
        in_namespaces(server.client(), [PODS, EVENTS, NODES], ["x", "y"], tell=told.append)
    )
    assert [(one.name, each["metadata"]["name"]) for one, each in found] == [
        ("pods", "a"),
        ("pods", "b"),
    ]
    assert (found[0][1]["apiVersion"], found[0][1]["kind"]) == ("v1", "Pod")
    assert [path for _, path, _ in server.asked] == [
        "/api/v1/namespaces/x/pods",
        "/api/v1/namespaces/y/pods",
    ]
    skipped = Listing(EVENTS, "x", Stage.SKIPPED, why=NO_CONTENT["events"])
    assert told[:2] == [Listing(PODS, "x", Stage.DONE, 1, "7"), skipped]
    assert told[2] == Listing(PODS, "y", Stage.DONE, 1, "9")


def test_one_page_is_held_at_a_time() -> None:
    server = Server([items(named("a"), following="n"), items(named("b"))])
    found = in_namespaces(server.client(), [PODS], ["x"])
    next(found)
    assert len(server.asked) == 1
    next(found)
    assert len(server.asked) == 2


def test_exclusions_are_data() -> None:
    told: list[Listing] = []
    server = Server([items(named("a"))])
    excluded = {"nodes": "because"}
    assert list(of_cluster(server.client(), [NODES], excluded=excluded, tell=told.append)) == []
    assert told == [Listing(NODES, "", Stage.SKIPPED, why="because")]
    assert len(list(of_cluster(server.client(), [PODS, NODES], excluded={}))) == 1


def test_a_listing_that_begins_again_is_told_before_its_objects_come_again() -> None:
    expired = status(410, "too old", "Expired")
    server = Server([items(named("a"), following="n"), expired, items(named("b"), version="9")])
    told: list[Listing] = []
    kept: list[str] = []
    for _, each in in_namespaces(server.client(), [PODS], ["x"], tell=told.append):
        if told and told[-1].stage is Stage.ANEW:
            kept.clear()
        kept.append(each["metadata"]["name"])
    assert kept == ["b"]
    assert told == [Listing(PODS, "x", Stage.ANEW), Listing(PODS, "x", Stage.DONE, 1, "9")]


def test_a_kind_that_left_is_told_and_a_forbidden_one_is_an_error() -> None:
    told: list[Listing] = []
    gone = Server([status(404, "not found")])
    assert list(of_cluster(gone.client(), [NODES], tell=told.append)) == []
    assert told[0].stage is Stage.SKIPPED
    with pytest.raises(ClusterError):
        list(of_cluster(Server([status(403, "no")]).client(), [NODES]))


def test_every_exclusion_says_why() -> None:
    assert all(len(why) > 10 for why in NO_CONTENT.values())


@pytest.mark.tools
def test_a_real_namespace_is_listed_whole(api: KubeApi) -> None:
    path = "/api/v1/namespaces"
    api.request("POST", path, {"metadata": {"name": "listed"}})
    for number in range(3):
        api.request("POST", f"{path}/listed/configmaps", named(f"c{number}"))
    api.request("POST", f"{path}/listed/secrets", named("s"))
    lease = {"metadata": {"name": "l"}, "spec": {}}
    api.request("POST", "/apis/coordination.k8s.io/v1/namespaces/listed/leases", lease)
    client = connect(parse(api.kubeconfig))
    served = discover(client)
    told: list[Listing] = []
    found = {
        (one.name, each["metadata"]["name"])
        for one, each in in_namespaces(client, served.resources, ["listed"], tell=told.append)
    }
    assert {("configmaps", "c0"), ("configmaps", "c2"), ("secrets", "s"),
            ("leases.coordination.k8s.io", "l")} <= found  # fmt: skip
    assert all(
        each["metadata"]["namespace"] == "listed"
        for _, each in in_namespaces(client, served.resources, ["listed"])
    )
    asked = {one.resource.name for one in told}
    assert asked == {one.name for one in served.resources if one.namespaced}
    assert {one.resource.name for one in told if one.stage is Stage.SKIPPED} <= set(NO_CONTENT)
    everything = [
        (each["apiVersion"], each["kind"], each["metadata"]["name"])
        for _, each in of_cluster(client, served.resources)
    ]
    assert ("v1", "Namespace", "listed") in everything
    assert len(everything) == len(set(everything))
    assert json.dumps(everything)
