"""A command's output comes byte for byte, and nothing that broke looks like an end."""

import hashlib
import json
import os
import random
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kube.client import Clock
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from kube.pods import channels
from kube.pods.channels import Dial, open_dial
from kube.pods.container import Container
from kube.pods.execution import (
    STDERR_BYTES,
    ExecCause,
    ExecError,
    capture,
    execute,
    exit_code,
    sealed,
)
from kube.waiting import until
from tests.kube.pods.command_server import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    SUCCESS,
    CommandServer,
    Peer,
    command_server,
    failed,
)
from tests.support.kube_api import KubeApi
from tests.support.ports import free_port

WHERE = Container("shop", "db-0", "main")
EVERY_BYTE = bytes(range(256)) * 40

Serve = Callable[[Callable[[Peer], None]], AbstractContextManager[CommandServer]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    @contextmanager
    def serving(act: Callable[[Peer], None]) -> Iterator[CommandServer]:
        with command_server(tmp_path / "tls", act) as server:
            yield server

    return serving


def run(dial: Dial, **more: Any) -> Any:
    return capture(dial, WHERE, ["true"], seconds=20, limit=1_000_000, **more)


def fault_of(dial: Dial, **more: Any) -> ExecError:
    with pytest.raises(ExecError) as caught:
        run(dial, **more)
    assert "\n" not in str(caught.value)
    return caught.value


def test_output_of_every_byte_and_both_ends(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        peer.say(1, b"")  # how the API server says that it is there
        peer.say(1, EVERY_BYTE)
        peer.say(2, b"\xff a warning")
        peer.say(1, b"\n\r\x00")
        peer.say(3, failed(3))

    with serve(act) as server:
        out, ended = run(open_dial(server.cluster))
    assert out == EVERY_BYTE + b"\n\r\x00"
    assert (ended.exit_code, ended.stderr, ended.stderr_cut) == (3, b"\xff a warning", False)
    assert ended.received == len(out)
    (peer,) = server.peers
    assert peer.path == "/api/v1/namespaces/shop/pods/db-0/exec"
    assert peer.headers["sec-websocket-protocol"] == "v5.channel.k8s.io,v4.channel.k8s.io"
    assert ("stdin", "true") not in peer.query


def test_the_command_arrives_word_for_word(serve: Serve) -> None:
    command = ["sh", "-c", 'echo "a b" & 100% +ü', "--", "=x"]
    with serve(lambda peer: peer.say(3, SUCCESS)) as server:
        capture(open_dial(server.cluster), WHERE, command, seconds=20, limit=10, stdin=b"")
    (peer,) = server.peers
    assert [value for key, value in peer.query if key == "command"] == command
    assert ("container", "main") in peer.query
    assert ("stdin", "true") in peer.query


def test_input_of_any_size_is_sent_and_ended(serve: Serve) -> None:
    given = os.urandom(300_000)
    seen: list[bytes] = []

    def act(peer: Peer) -> None:
        seen.append(peer.input())
        peer.say(1, hashlib.sha256(seen[0]).hexdigest().encode())
        peer.say(3, SUCCESS)

    with serve(act) as server:
        out, _ = run(open_dial(server.cluster), stdin=given)
        assert out.decode() == hashlib.sha256(given).hexdigest()
        assert run(open_dial(server.cluster), stdin=b"")[1].exit_code == 0
    assert seen == [given, b""]


def test_a_command_that_answers_before_it_has_read_all_does_not_block(serve: Serve) -> None:
    given = os.urandom(3_000_000)

    def act(peer: Peer) -> None:
        # As `cat` does, while nobody reads on the other side of it.
        for _ in range(300):
            peer.say(1, b"x" * 10_000)
        assert peer.input() == given
        peer.say(3, SUCCESS)

    with serve(act) as server:
        out, _ = capture(
            open_dial(server.cluster), WHERE, ["cat"], seconds=30, limit=4_000_000, stdin=given
        )
    assert out == b"x" * 3_000_000


def test_a_server_that_cannot_end_an_input_is_told(serve: Serve) -> None:
    with serve(lambda peer: peer.say(3, SUCCESS)) as server:
        server.protocol = "v4.channel.k8s.io"
        assert run(open_dial(server.cluster))[1].exit_code == 0
        error = fault_of(open_dial(server.cluster), stdin=b"x")
    assert error.cause is ExecCause.NO_INPUT_END
    assert "1.30" in str(error)


@pytest.mark.parametrize(
    "end",
    [
        Peer.cut,
        lambda peer: peer.frame(CLOSE, b"\x03\xe8"),
        lambda peer: peer.wire.unwrap(),
        lambda peer: peer.wire.sendall(b"\x82\x7e\xff"),
        lambda peer: peer.wire.sendall(b"\xf3\x01x"),
    ],
    ids=["cut", "closed", "closed-without-a-word", "in-a-frame", "no-frame"],
)
def test_a_connection_that_ends_is_no_end(serve: Serve, end: Callable[[Peer], Any]) -> None:
    def act(peer: Peer) -> None:
        peer.say(1, b"half of it")
        end(peer)
        time.sleep(0.1)

    with serve(act) as server:
        error = fault_of(open_dial(server.cluster))
    assert error.cause is ExecCause.BROKEN
    assert error.received == len(b"half of it")
    assert "lost" in str(error)


def test_a_connection_that_goes_silent_is_no_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "PING_SECONDS", 0.05)
    monkeypatch.setattr(channels, "SILENCE_SECONDS", 0.5)
    over = threading.Event()
    with serve(lambda _: over.wait(20) and None) as server:
        error = fault_of(open_dial(server.cluster))
        over.set()
    assert error.cause is ExecCause.BROKEN
    assert "nothing came" in str(error)


def test_a_quiet_command_on_a_live_connection_is_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "PING_SECONDS", 0.05)
    monkeypatch.setattr(channels, "SILENCE_SECONDS", 0.5)
    pings: list[bytes] = []

    def act(peer: Peer) -> None:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            opcode, data = peer.hear()
            assert opcode == PING
            pings.append(data)
            peer.frame(PONG, data)
        peer.say(3, SUCCESS)

    with serve(act) as server:
        assert run(open_dial(server.cluster))[1].exit_code == 0
    assert len(pings) > 5


def test_a_slow_reader_does_not_take_the_other_end_for_silent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "PING_SECONDS", 0.05)
    monkeypatch.setattr(channels, "SILENCE_SECONDS", 0.3)

    def act(peer: Peer) -> None:
        for _ in range(3):
            peer.say(1, b"a")
            assert peer.hear()[0] == PING
            peer.frame(PONG, b"")
        peer.say(3, SUCCESS)

    with serve(act) as server:
        dial = open_dial(server.cluster)
        with execute(dial, WHERE, ["true"], seconds=20) as running:
            for _ in running:
                time.sleep(0.6)
            assert running.ended().exit_code == 0


def test_pings_of_the_server_are_answered_and_parts_joined(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        peer.frame(PING, b"are you there")
        assert peer.hear() == (PONG, b"are you there")
        peer.frame(BINARY, b"\x01one ", last=False)
        peer.frame(0, b"\x01two", last=True)  # a continuation has no channel of its own
        peer.frame(BINARY, b"")
        peer.say(3, SUCCESS)

    with serve(act) as server:
        assert run(open_dial(server.cluster))[0] == b"one \x01two"


def test_a_command_that_takes_too_long_is_told(serve: Serve) -> None:
    over = threading.Event()

    def act(peer: Peer) -> None:
        peer.say(1, b"begun")
        over.wait(20)

    with serve(act) as server:
        began = time.monotonic()
        with pytest.raises(ExecError) as caught:
            capture(open_dial(server.cluster), WHERE, ["x"], seconds=0.5, limit=100)
        over.set()
    assert caught.value.cause is ExecCause.TIMEOUT
    assert time.monotonic() - began < 5


def test_endless_output_does_not_outlast_its_time(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        while True:
            peer.say(1, b"y\n" * 1000)

    with serve(act) as server:
        error = None
        with execute(open_dial(server.cluster), WHERE, ["yes"], seconds=0.5) as running:
            try:
                for _ in running:
                    pass
            except ExecError as caught:
                error = caught
        assert error is not None
        assert error.cause is ExecCause.TIMEOUT
        assert error.received > 0
        with pytest.raises(ExecError) as much:
            capture(open_dial(server.cluster), WHERE, ["yes"], seconds=20, limit=5000)
    assert much.value.cause is ExecCause.TOO_MUCH


def test_output_that_was_not_read_to_the_end_has_no_end(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        peer.say(1, b"a")
        peer.say(1, b"b")
        peer.say(3, SUCCESS)

    with (
        serve(act) as server,
        execute(open_dial(server.cluster), WHERE, ["x"], seconds=20) as running,
    ):
        next(iter(running))
        with pytest.raises(ExecError, match="not read to the end"):
            running.ended()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"status": "Failure", "reason": "InternalError", "message": "no\nsuch file"},
         "no such file"),
        ({"status": "Failure", "reason": "NotFound", "message": ""}, "NotFound"),
        ({"status": "Failure", "reason": "NonZeroExitCode"}, "NonZeroExitCode"),
        ([], "no reason given"),
    ],
)  # fmt: skip
def test_a_command_that_was_not_run_is_told(serve: Serve, status: Any, said: str) -> None:
    with serve(lambda peer: peer.say(3, json.dumps(status).encode())) as server:
        error = fault_of(open_dial(server.cluster))
    assert error.cause is ExecCause.NOT_STARTED
    assert said in str(error)


def test_a_status_may_come_in_parts(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        peer.say(3, failed(7)[:20])
        peer.say(3, failed(7)[20:])

    with serve(act) as server:
        assert run(open_dial(server.cluster))[1].exit_code == 7


def test_a_status_that_never_ends_is_told(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        for _ in range(100):
            peer.say(3, b"{" * 1000)

    with serve(act) as server:
        assert fault_of(open_dial(server.cluster)).cause is ExecCause.BROKEN


def test_of_endless_errors_the_last_are_kept(serve: Serve) -> None:
    def act(peer: Peer) -> None:
        for number in range(3000):
            peer.say(2, b"error %06d\n" % number)
        peer.say(3, failed(1))

    with serve(act) as server:
        _, ended = run(open_dial(server.cluster))
    assert ended.stderr_cut
    assert len(ended.stderr) == STDERR_BYTES
    assert ended.stderr.endswith(b"error 002999\n")


MARK = b"0123456789abcdef" * 2


@pytest.mark.parametrize("sizes", [[1], [31], [32], [33], [5, 100], [1000]])
def test_a_mark_is_taken_off_whatever_the_pieces(serve: Serve, sizes: list[int]) -> None:
    whole = EVERY_BYTE[:777] + MARK

    def act(peer: Peer) -> None:
        place = 0
        while place < len(whole):
            size = random.choice(sizes)  # noqa: S311  (not for secrets)
            peer.say(1, whole[place : place + size])
            place += size
        peer.say(3, SUCCESS)

    with serve(act) as server:
        out, ended = run(open_dial(server.cluster), mark=MARK)
    assert out == whole[: -len(MARK)]
    assert ended.received == 777


@pytest.mark.parametrize("said", [b"", b"half", MARK[:-1], MARK + b"x", b"x" * 100])
def test_output_without_its_mark_is_broken_whatever_the_status_says(
    serve: Serve, said: bytes
) -> None:
    def act(peer: Peer) -> None:
        peer.say(1, said)
        peer.say(3, SUCCESS)

    with serve(act) as server:
        error = fault_of(open_dial(server.cluster), mark=MARK)
    assert error.cause is ExecCause.BROKEN
    assert "cut off" in str(error)


def test_a_sealed_command_says_its_mark_last_and_keeps_its_exit_code() -> None:
    import subprocess  # noqa: PLC0415

    for script, code in (("printf 'a\\nb'", 0), ("printf x; exit 9", 9), ("nowhere-at-all", 127)):
        command, mark = sealed(["sh", "-c", script])
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == code
        assert done.stdout.endswith(mark)
    assert sealed(["a"])[1] != sealed(["a"])[1]
    command, mark = sealed(["printf", "%s", "a b", "$0"])
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"a b$0" + mark


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"status": "Success"}, 0),
        ({"status": "Failure", "reason": "NonZeroExitCode",
          "details": {"causes": [{"reason": "Other", "message": "1"},
                                 {"reason": "ExitCode", "message": "137"}]}}, 137),
        ({"status": "Failure", "reason": "NonZeroExitCode",
          "details": {"causes": [{"reason": "ExitCode", "message": "many"}]}}, None),
        ({"status": "Failure"}, None),
        ("Success", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_exit_code_is_read_strictly(status: Any, code: int | None) -> None:
    assert exit_code(status) == code


def test_a_refusal_has_its_cause_and_shows_no_credential(serve: Serve) -> None:
    body = json.dumps({"kind": "Status", "message": 'pods "db-0" not found'}).encode()
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with serve(lambda _: None) as server:
        server.refusal = answer
        with pytest.raises(ClusterError) as caught:
            run(open_dial(server.cluster))
        assert caught.value.cause is Cause.MISSING
        assert 'pods "db-0" not found' in str(caught.value)
        server.refusal = b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n"
        with pytest.raises(ClusterError):
            run(open_dial(server.cluster))
        server.refusal = b"HTTP/1.1 403 Forbidden\r\n\r\n"
        with pytest.raises(ClusterError) as caught:
            run(open_dial(server.cluster))
        assert caught.value.cause is Cause.NO_API


def test_a_server_of_another_authority_is_told_apart(serve: Serve, tmp_path: Path) -> None:
    with (
        serve(lambda peer: peer.say(3, SUCCESS)) as server,
        command_server(tmp_path / "other", lambda _: None) as other,
    ):
        text = server.cluster.text.replace(server.cluster.server, other.cluster.server)
        with pytest.raises(ClusterError) as caught:
            run(open_dial(parse(text)))
    assert caught.value.cause is Cause.TLS_UNKNOWN_AUTHORITY


def test_nobody_listening_is_told_with_the_address(serve: Serve) -> None:
    with serve(lambda _: None) as server:
        pass
    with pytest.raises(ClusterError) as caught:
        run(open_dial(server.cluster))
    assert caught.value.cause is Cause.UNREACHABLE
    assert server.cluster.server in str(caught.value)


def test_much_output_is_streamed_in_little_memory(serve: Serve) -> None:
    piece = os.urandom(32_768)
    count = 2000

    def act(peer: Peer) -> None:
        for _ in range(count):
            peer.say(1, piece)
        peer.say(1, MARK)
        peer.say(3, SUCCESS)

    expected = hashlib.sha256(piece * count).hexdigest()
    with serve(act) as server:
        dial, seen = open_dial(server.cluster), hashlib.sha256()
        tracemalloc.start()
        try:
            with execute(dial, WHERE, ["x"], seconds=60, mark=MARK, clock=Clock()) as running:
                for chunk in running:
                    seen.update(chunk)
                ended = running.ended()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert seen.hexdigest() == expected
    assert ended.received == len(piece) * count
    assert peak < 4_000_000


@pytest.mark.tools
def test_a_real_api_server_takes_the_connection_and_says_why_nothing_runs(api: KubeApi) -> None:
    """A node that does not answer: the server upgrades first, and reports that afterwards."""
    dial = open_dial(parse(api.kubeconfig))
    with pytest.raises(ClusterError) as caught:
        capture(dial, Container("default", "nowhere"), ["true"], seconds=20, limit=1)
    assert caught.value.cause is Cause.MISSING
    assert 'pods "nowhere" not found' in str(caught.value)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    until(lambda: True if api.exists(account) else None, Clock(), 60, interval=0.2)
    api.request("POST", "/api/v1/nodes", {"metadata": {"name": "silent"}})
    reached = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": free_port()}},
    }
    merge = "application/merge-patch+json"
    api.request("PATCH", "/api/v1/nodes/silent/status", {"status": reached}, merge)
    containers = [{"name": "main", "image": "i"}]
    pod = {"metadata": {"name": "placed"}, "spec": {"nodeName": "silent", "containers": containers}}
    api.request("POST", "/api/v1/namespaces/default/pods", pod)
    try:
        placed = Container("default", "placed", "main")
        with pytest.raises(ExecError) as met:
            capture(dial, placed, ["true"], seconds=30, limit=1, stdin=b"")
    finally:
        api.request("DELETE", "/api/v1/namespaces/default/pods/placed?gracePeriodSeconds=0")
        api.request("DELETE", "/api/v1/nodes/silent")
    assert met.value.cause is ExecCause.NOT_STARTED
    assert "connection refused" in str(met.value)
