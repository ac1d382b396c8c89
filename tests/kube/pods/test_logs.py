"""Logs come streamed, never more than was asked for, and a break is no end."""

import pytest
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from kube.errors import ClusterError
from kube.pods.container import Container
from kube.pods.logs import last_lines, logs
from tests.kube.fakes import Server, chunks, status

WHERE = Container("shop", "db-0", "main")
SILENT = ReadTimeoutError(None, "", "silent")  # type: ignore[arg-type]


def test_it_is_asked_for_as_the_caller_wants_it() -> None:
    server = Server(streams=[chunks(b"\xff\x00one\n", b"two\n")])
    found = logs(
        server.client(), WHERE, limit=100, seconds=5, follow=True, previous=True, tail=7,
        clock=server.time.clock(),
    )  # fmt: skip
    assert b"".join(found) == b"\xff\x00one\ntwo\n"
    assert server.asked == [
        (
            "STREAM",
            "/api/v1/namespaces/shop/pods/db-0/log",
            {
                "container": "main",
                "limitBytes": "100",
                "follow": "true",
                "previous": "true",
                "tailLines": "7",
            },
        )
    ]


def test_a_server_that_gives_more_than_was_asked_for_is_cut() -> None:
    server = Server(streams=[chunks(b"abc", b"def", b"ghi", ProtocolError("never reached"))])
    assert b"".join(logs(server.client(), WHERE, limit=5, seconds=5)) == b"abcde"


def test_following_ends_in_time_and_reading_does_not_end_early() -> None:
    server = Server(streams=[chunks(b"abc", SILENT)])
    assert list(logs(server.client(), WHERE, limit=99, seconds=5, follow=True)) == [b"abc"]
    with pytest.raises(ClusterError):
        list(logs(server.client(), WHERE, limit=99, seconds=5))


def test_a_busy_log_is_followed_for_the_given_time_only() -> None:
    server = Server()

    def endless():  # type: ignore[no-untyped-def]  # noqa: ANN202
        while True:
            server.time.pass_by(1)
            yield b"x"

    server.streams = [endless]
    found = logs(
        server.client(), WHERE, limit=1000, seconds=5, follow=True, clock=server.time.clock()
    )
    assert len(list(found)) == 5


def test_a_log_that_breaks_off_is_an_error() -> None:
    server = Server(streams=[chunks(b"abc", ProtocolError("cut"))])
    with pytest.raises(ClusterError):
        list(logs(server.client(), WHERE, limit=99, seconds=5))


def test_the_last_lines_are_of_the_container_that_ended() -> None:
    server = Server(streams=[chunks(b"one\n\ntwo \xff\n", b"three")])
    assert last_lines(server.client(), WHERE, 2) == ["two \ufffd", "three"]


def test_a_container_that_has_not_begun_again_shows_its_forerunners() -> None:
    server = Server(streams=[status(400, "waiting to start"), chunks(b"why\n")])
    assert last_lines(server.client(), WHERE, 3) == ["why"]
    assert server.asked[1][2]["previous"] == "true"


def test_no_log_is_no_lines() -> None:
    assert last_lines(Server(streams=[status(404, "no")]).client(), WHERE, 3) == []
    assert last_lines(Server(streams=[chunks()]).client(), WHERE, 3) == []
