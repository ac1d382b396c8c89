"""Pages, watches and streams: long answers in parts, none of them ever shorter than it looks."""

from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from kube.client import RESTARTS, SilenceError, connect
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from kube.writer import open_writer
from tests.kube.fakes import Server, chunks, event, items, status
from tests.support.kube_api import KubeApi

EXPIRED = status(410, "The provided continue parameter is too old", "Expired")
SILENT = ReadTimeoutError(None, "", "silent")  # type: ignore[arg-type]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["n"] for one in found]


def test_pages_are_asked_for_one_after_the_other() -> None:
    server = Server([items({"n": "a"}, following="x"), items({"n": "b"}, version="8")])
    pages = server.client().pages("/x", limit=1, labels={"a": "b"}, fields={"c": "d"})
    assert next(pages).items == [{"n": "a"}]
    assert len(server.asked) == 1
    last = next(pages)
    assert (last.resource_version, last.anew) == ("8", False)
    assert next(pages, None) is None
    common = {"limit": "1", "labelSelector": "a=b", "fieldSelector": "c=d"}
    assert [query for _, _, query in server.asked] == [common, {**common, "continue": "x"}]


def test_a_listing_that_grew_too_old_begins_again_and_says_so() -> None:
    server = Server(
        [items({"n": "a"}, following="x"), EXPIRED, items({"n": "c"}, following="y"), items()]
    )
    pages = list(server.client().pages("/x"))
    assert [page.anew for page in pages] == [False, True, False]
    assert "continue" not in server.asked[2][2]


def test_a_list_holds_nothing_of_the_attempt_that_was_given_up() -> None:
    server = Server([items({"n": "a"}, following="x"), EXPIRED, items({"n": "b"})])
    assert names(server.client().list("/x")) == ["b"]


def test_a_listing_that_never_ends_is_given_up() -> None:
    answers: list[Any] = [items({"n": "a"}, following="x"), EXPIRED] * (RESTARTS + 1)
    server = Server([*answers, items()])
    with pytest.raises(ClusterError) as caught:
        server.client().list("/x")
    assert caught.value.cause is Cause.GONE
    assert len(server.asked) == 2 * (RESTARTS + 1)


def test_a_watch_tells_what_changes() -> None:
    lines = event("ADDED", {"n": 1}) + event("DELETED", {"n": 2})
    server = Server(streams=[chunks(lines[:20], lines[20:])])
    assert list(server.client().watch("/x", since="7", seconds=2.4)) == [
        ("ADDED", {"n": 1}),
        ("DELETED", {"n": 2}),
    ]
    assert server.asked == [
        ("STREAM", "/x", {"watch": "1", "resourceVersion": "7", "timeoutSeconds": "3"})
    ]


def test_a_quiet_watch_ends_without_a_fault() -> None:
    server = Server(streams=[chunks(event("ADDED", {"n": 1}), SILENT)])
    assert list(server.client().watch("/x", since="7", seconds=2)) == [("ADDED", {"n": 1})]
    assert list(Server(streams=[SILENT]).client().watch("/x", since="7", seconds=2)) == []


def test_a_state_that_the_server_forgot_is_told_by_its_cause() -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    for server in (Server(streams=[chunks(event("ERROR", gone))]), Server(streams=[EXPIRED])):
        with pytest.raises(ClusterError) as caught:
            list(server.client().watch("/x", since="7", seconds=2))
        assert caught.value.cause is Cause.GONE


@pytest.mark.parametrize("line", [b"<html>\n", b"[]\n", b'{"type": "ADDED", "object": 1}\n'])
def test_what_is_no_watch_is_told(line: bytes) -> None:
    with pytest.raises(ClusterError) as caught:
        list(Server(streams=[chunks(line)]).client().watch("/x", since="7", seconds=2))
    assert caught.value.cause is Cause.NO_API


def test_a_stream_that_breaks_is_no_short_one() -> None:
    client = Server(streams=[chunks(b"ab", ProtocolError("cut"))]).client()
    found = client.stream("/x", {}, silence=2)
    assert next(found) == b"ab"
    with pytest.raises(ClusterError) as caught:
        next(found)
    assert caught.value.cause is Cause.UNREACHABLE


def test_a_stream_that_goes_silent_is_told_apart() -> None:
    client = Server(streams=[chunks(b"ab", SILENT)]).client()
    with pytest.raises(SilenceError):
        list(client.stream("/x", {}, silence=2))


def test_a_stream_that_is_refused_is_told_by_its_cause() -> None:
    with pytest.raises(ClusterError) as caught:
        list(Server(streams=[status(403, "no")]).client().stream("/x", {}, silence=2))
    assert caught.value.cause is Cause.FORBIDDEN


# On a real API server.

MAPS = "/api/v1/namespaces/reading/configmaps"


@pytest.fixture(scope="module")
def make(api: KubeApi) -> Callable[[str], Any]:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "reading"}})
    return lambda name: api.request("POST", MAPS, {"metadata": {"name": name}})


@pytest.mark.tools
def test_real_pages_are_the_whole_collection(api: KubeApi, make: Callable[[str], Any]) -> None:
    made = {f"page-{number}" for number in range(5)}
    for name in made:
        make(name)
    pages = list(connect(parse(api.kubeconfig)).pages(MAPS, limit=2))
    assert len(pages) >= 3
    assert max(len(page.items) for page in pages) == 2
    assert made <= {one["metadata"]["name"] for page in pages for one in page.items}
    # One listing is one state of the cluster.
    assert len({page.resource_version for page in pages}) == 1


@pytest.mark.tools
def test_a_real_listing_that_is_too_old_begins_again(
    api: KubeApi, make: Callable[[str], Any]
) -> None:
    for number in range(3):
        make(f"old-{number}")
    pages = connect(parse(api.kubeconfig)).pages(MAPS, limit=2)
    first = next(pages)
    _forget_history(api, first.resource_version)
    make("old-late")
    rest = list(pages)
    assert rest[0].anew
    assert not any(page.anew for page in rest[1:])
    found = [one["metadata"]["name"] for page in rest for one in page.items]
    assert {"old-0", "old-1", "old-2", "old-late"} <= set(found)
    assert len(found) == len(set(found))


def _forget_history(api: KubeApi, version: str) -> None:
    """Compacts etcd, as the API server does every five minutes, and makes its cache anew."""
    (flag,) = [part for part in api._commands["kube-apiserver"] if "--etcd-servers" in part]
    store = flag.partition("=")[2]
    api.request("POST", MAPS, {"metadata": {"name": f"after-{version}"}})
    body = {"revision": str(int(version) + 1), "physical": True}
    answer = urllib3.request("POST", f"{store}/v3/kv/compaction", json=body)
    assert answer.status == 200, answer.data
    # The controllers too: one that is just starting does not survive it.
    api.stop("kube-controller-manager", "kube-apiserver")
    api.start()


@pytest.mark.tools
def test_a_real_watch_sees_an_object_come_and_go(api: KubeApi, make: Callable[[str], Any]) -> None:
    client, writer = connect(parse(api.kubeconfig)), open_writer(parse(api.kubeconfig))
    since = next(client.pages(MAPS)).resource_version
    make("watched")
    make("other")
    api.patch(f"{MAPS}/watched", {"data": {"a": "b"}})
    writer.delete(f"{MAPS}/watched")
    fields = {"metadata.name": "watched"}
    watch = client.watch(MAPS, since=since, fields=fields, seconds=20)
    seen = []
    for one in watch:
        seen.append(one)
        if one[0] == "DELETED":
            break
    watch.close()  # type: ignore[attr-defined]
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert {one["metadata"]["name"] for _, one in seen} == {"watched"}


@pytest.mark.tools
def test_a_real_watch_ends_in_time_and_when_it_is_left(api: KubeApi) -> None:
    client = connect(parse(api.kubeconfig))
    path = "/api/v1/namespaces"
    since = next(client.pages(path)).resource_version
    assert list(client.watch(path, since=since, seconds=0.3)) == []
    # From "0" it begins with what is there.
    watch = client.watch(path, since="0", seconds=30)
    assert next(watch)[0] == "ADDED"
    watch.close()  # type: ignore[attr-defined]
    assert client.get("/version")["gitVersion"]
