"""A wait sees every state, over breaks of the watch and restarts of the API server, and ends."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from kube.client import Clock, Object, connect
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from kube.waiting import (
    OUTAGE_SECONDS,
    REFUSAL_SECONDS,
    WINDOW_SECONDS,
    Seen,
    TimeoutPassedError,
    WaitTimeoutError,
    phase_of,
    until,
    wait_for,
)
from tests.kube.fakes import Server, Time, chunks, event, items, ok, status
from tests.support.kube_api import KubeApi

PATH = "/apis/x/v1/namespaces/n/things/a"
BROKEN = ProtocolError("reset")
SILENT = ReadTimeoutError(None, "", "silent")  # type: ignore[arg-type]


def thing(phase: str) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "status": {"phase": phase}}


def done(found: Object | None) -> bool:
    return phase_of(found) == "Done"


def wait(server: Server, met: Any = done, *, seconds: float = 600, **more: Any) -> Seen:
    return wait_for(server.client(), PATH, met, clock=server.time.clock(), seconds=seconds, **more)


def quiet(server: Server) -> Any:
    """A watch in which nothing happens until its window is over."""

    def body() -> Iterator[bytes]:
        server.time.pass_by(WINDOW_SECONDS)
        yield from ()

    return body


@pytest.mark.parametrize(
    ("interval", "pauses"),
    [(2.0, [0.25, 0.5, 1, 2, 2]), (1.0, [0.25, 0.5, 1, 1]), (0.2, [0.2] * 9)],
)
def test_a_young_wait_asks_more_often_than_an_old_one(interval: float, pauses: list[float]) -> None:
    time_passing, slept = Time(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time_passing.pass_by(seconds)

    clock = Clock(lambda: time_passing.now, sleep)
    answer = until(lambda: len(slept) == len(pauses) or None, clock, 60, interval=interval)
    assert answer is True
    assert slept == pauses


def test_a_wait_never_sleeps_beyond_its_end() -> None:
    passing = Time()
    with pytest.raises(TimeoutPassedError):
        until(lambda: None, passing.clock(), 10)
    assert 8 < passing.now <= 10


def test_what_is_so_already_is_not_waited_for() -> None:
    server = Server([items(thing("Done"))])
    seen = wait(server)
    assert seen.found == thing("Done")
    assert seen.seconds == 0
    assert len(server.asked) == 1


def test_changes_come_by_watch_from_the_state_that_was_listed() -> None:
    stream = event("MODIFIED", thing("Busy")) + event("MODIFIED", thing("Done"))
    server = Server([items(thing("New"), version="42")], [chunks(stream)])
    said: list[str] = []
    wait(server, say=said.append)
    assert said == ["New", "Busy", "Done"]
    (_, first, query), (_, second, watch) = server.asked
    assert first == second == PATH.rpartition("/")[0]
    assert query["fieldSelector"] == watch["fieldSelector"] == "metadata.name=a"
    assert watch["resourceVersion"] == "42"


def test_the_same_state_is_said_once() -> None:
    server = Server([items(thing("New")), items(thing("New")), items(thing("Done"))])
    server.streams = [quiet(server)]
    said: list[str] = []
    wait(server, say=said.append)
    assert said == ["New", "Done"]


def test_an_object_may_come_and_go() -> None:
    server = Server([items()], [chunks(event("ADDED", thing("Done")))])
    assert wait(server).found == thing("Done")
    server = Server([items(thing("Busy"))], [chunks(event("DELETED", thing("Busy")))])
    assert wait(server, lambda found: found is None).found is None


@pytest.mark.parametrize("fault", [BROKEN, SILENT, status(410, "too old"), status(500, "down")])
def test_where_no_watch_works_it_is_asked_again_and_again(fault: Any) -> None:
    server = Server([items(thing("New")), items(thing("Busy")), items(thing("Done"))], [fault])
    assert wait(server).seconds == pytest.approx(4)


def test_a_restart_of_the_api_server_is_waited_out() -> None:
    away = [BROKEN] * 10
    server = Server([items(thing("Busy")), *away, status(503, "starting"), items(thing("Done"))])
    server.streams = [chunks(event("MODIFIED", thing("Busy")), BROKEN)]
    said: list[str] = []
    assert wait(server, say=said.append).found == thing("Done")
    assert said == ["Busy", "Done"]


def test_an_api_server_that_stays_away_is_an_error_before_time_is_up() -> None:
    server = Server([items(thing("Busy")), BROKEN], [BROKEN])
    with pytest.raises(ClusterError) as caught:
        wait(server, seconds=10_000)
    assert caught.value.cause is Cause.UNREACHABLE
    assert OUTAGE_SECONDS < server.time.now < OUTAGE_SECONDS + 10


def test_absences_count_only_in_a_row() -> None:
    server = Server([], [BROKEN])
    for _ in range(5):
        server.answers += [*[BROKEN] * 60, items(thing("Busy"))]
    server.answers.append(items(thing("Done")))
    assert wait(server, seconds=10_000).seconds > OUTAGE_SECONDS * 2


@pytest.mark.parametrize("answer", [status(403, "no"), status(404, "no such kind")])
def test_a_refusal_is_believed_after_a_while(answer: Any) -> None:
    server = Server([answer])
    if answer[0] == 404:
        with pytest.raises(ClusterError):
            wait(server, seconds=10_000)
        assert REFUSAL_SECONDS < server.time.now < REFUSAL_SECONDS + 10
    else:
        with pytest.raises(ClusterError) as caught:
            wait(server, seconds=10_000)
        assert caught.value.cause is Cause.FORBIDDEN


def test_who_may_read_by_name_only_is_served_too() -> None:
    no = status(403, "no")
    server = Server([no, ok(thing("New")), no, status(404, "none"), no, ok(thing("Done"))])
    assert wait(server).seconds == pytest.approx(4)


@pytest.mark.parametrize(
    "answer", [status(401, "who"), (200, b"<html>"), status(422, "bad", "Invalid")]
)
def test_what_does_not_pass_is_an_error_at_once(answer: Any) -> None:
    server = Server([answer])
    with pytest.raises(ClusterError):
        wait(server)
    assert server.time.now == 0


def test_time_that_is_up_says_what_was_seen_last() -> None:
    server = Server([items(thing("Busy"))])
    server.streams = [quiet(server)]
    with pytest.raises(WaitTimeoutError) as caught:
        wait(server, seconds=60)
    assert caught.value.found == thing("Busy")
    assert caught.value.last is None
    assert caught.value.seconds == pytest.approx(60, abs=2)
    assert str(caught.value) == f"{PATH}: not so within 60 s; last seen: Busy"


def test_time_that_is_up_while_the_server_is_away_says_so() -> None:
    server = Server([items(thing("Busy")), BROKEN], [BROKEN])
    with pytest.raises(WaitTimeoutError) as caught:
        wait(server, seconds=20)
    assert caught.value.last is not None
    assert caught.value.found == thing("Busy")
    assert "does not answer" in str(caught.value)


def test_a_busy_watch_does_not_outlast_the_wait() -> None:
    server = Server([items(thing("Busy"))])

    def endless() -> Iterator[bytes]:
        while True:
            server.time.pass_by(1)
            yield event("MODIFIED", thing("Busy"))

    server.streams = [endless]
    with pytest.raises(WaitTimeoutError):
        wait(server, seconds=15)
    assert server.time.now == pytest.approx(15, abs=2)


def test_no_time_at_all_is_one_look() -> None:
    server = Server([items(thing("Done"))])
    assert wait(server, seconds=0).found == thing("Done")
    with pytest.raises(WaitTimeoutError):
        wait(Server([items(thing("Busy"))]), seconds=0)


def test_what_the_condition_raises_ends_the_wait() -> None:
    def met(found: Object | None) -> bool:
        raise KeyError(phase_of(found))

    with pytest.raises(KeyError):
        wait(Server([items(thing("Busy"))]), met)


def test_an_encoded_name_is_asked_for_as_it_is() -> None:
    server = Server([items(thing("Done"))])
    wait_for(server.client(), "/x/things/a%3Ab", done, clock=server.time.clock(), seconds=1)
    assert server.asked[0][2]["fieldSelector"] == "metadata.name=a:b"


# On a real API server, with real time.

MAPS = "/api/v1/namespaces/default/configmaps"


def word(found: Object | None) -> str:
    return "absent" if found is None else str((found.get("data") or {}).get("word"))


def told_once_looked(
    work: Callable[[], None],
) -> tuple[list[str], Callable[[str], None], threading.Thread]:
    """What was said, what says it, and a thread that works from the first word on."""
    said: list[str] = []
    worker = threading.Thread(target=work)

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            worker.start()

    return said, say, worker


@pytest.mark.tools
def test_real_changes_are_seen_at_once(api: KubeApi) -> None:
    def work() -> None:
        api.request("POST", MAPS, {"metadata": {"name": "waited"}, "data": {"word": "one"}})
        api.patch(f"{MAPS}/waited", {"data": {"word": "two"}})
        api.request("DELETE", f"{MAPS}/waited")

    said, say, worker = told_once_looked(work)
    client = connect(parse(api.kubeconfig), patience=0)
    began = time.monotonic()
    wait_for(
        client,
        f"{MAPS}/waited",
        lambda found: found is None and "two" in said,
        clock=Clock(),
        seconds=60,
        describe=word,
        say=say,
    )
    worker.join()
    assert said == ["absent", "one", "two", "absent"]
    assert time.monotonic() - began < 30


@pytest.mark.tools
def test_a_real_restart_in_the_middle_is_survived(api: KubeApi) -> None:
    api.request("POST", MAPS, {"metadata": {"name": "restarted"}, "data": {"word": "one"}})

    def work() -> None:
        time.sleep(0.5)  # so that its watch is open
        # The controllers too: one that is just starting does not survive it.
        api.stop("kube-controller-manager", "kube-apiserver")
        api.start()
        api.patch(f"{MAPS}/restarted", {"data": {"word": "two"}})

    said, say, worker = told_once_looked(work)
    seen = wait_for(
        connect(parse(api.kubeconfig), patience=0),
        f"{MAPS}/restarted",
        lambda found: word(found) == "two",
        clock=Clock(),
        seconds=120,
        describe=word,
        say=say,
    )
    worker.join()
    assert said == ["one", "two"]
    assert seen.found is not None
    api.request("DELETE", f"{MAPS}/restarted")
