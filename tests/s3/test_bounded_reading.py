"""A reader that takes only so many bytes, against a server that sends what it likes."""

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3.client import Credential, Session, StoreEndpoint
from s3.errors import Cause, StoreError
from tests.support.minio_server import MinioServer, issue_certificate

Send = Callable[[bytes], object]
PIECE = b"x" * 65536


@contextmanager
def server_that(directory: Path, answers: Callable[[Send], object]) -> Iterator[Session]:
    """A TLS server on loopback that sends to every request what `answers` sends."""
    ca = issue_certificate(directory).read_text()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "public.crt", directory / "private.key")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as talk:
                    talk.recv(65536)
                    answers(talk.sendall)
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    endpoint = StoreEndpoint(f"https://127.0.0.1:{listener.getsockname()[1]}", "r", ca)
    try:
        yield Session.open(endpoint, Credential("reader", "secret"))
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


class Sent:
    """How much a server got rid of before its client hung up."""

    def __init__(self, head: bytes, *, chunked: bool = False) -> None:
        self.bytes = 0
        self._head = head
        self._piece = b"10000\r\n" + PIECE + b"\r\n" if chunked else PIECE

    def __call__(self, send: Send) -> None:
        send(self._head)
        while True:
            send(self._piece)
            self.bytes += len(self._piece)


@pytest.mark.parametrize(
    ("head", "chunked"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", True),
    ],
    ids=["endless", "huge", "chunked", "chunked with a length"],
)
def test_an_endless_answer_is_left_at_the_limit(tmp_path: Path, head: bytes, chunked: bool) -> None:
    sent = Sent(head, chunked=chunked)
    with server_that(tmp_path, sent) as session:
        assert session.get_up_to("bucket", "key", 1 << 20) is None
    # What was in the buffers of both sides is all that goes beyond it.
    assert sent.bytes < 16 << 20


def test_an_endless_error_is_left_too(tmp_path: Path) -> None:
    sent = Sent(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    with server_that(tmp_path, sent) as session, pytest.raises(StoreError) as caught:
        session.get_up_to("bucket", "key", 1 << 30)
    assert caught.value.cause is Cause.ACCESS_DENIED
    assert sent.bytes < 16 << 20


def test_what_is_packed_in_transit_stays_packed(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(8 << 20))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with server_that(tmp_path, lambda send: send(head + bomb)) as session:
        assert session.get_up_to("bucket", "key", len(bomb)) == bomb


def test_an_answer_that_breaks_off_is_no_content(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with (
        server_that(tmp_path, lambda send: send(head + b"x" * 99)) as session,
        pytest.raises(StoreError) as caught,
    ):
        session.get_up_to("bucket", "key", 1 << 20)
    assert caught.value.cause is Cause.UNREACHABLE
    assert "bucket/key" in str(caught.value)


def test_an_answer_that_is_no_http_is_a_fault_of_the_store(tmp_path: Path) -> None:
    with (
        server_that(tmp_path, lambda send: send(b"220 smtp ready\r\n")) as session,
        pytest.raises(StoreError),
    ):
        session.get_up_to("bucket", "key", 1 << 20)


@pytest.mark.tools
def test_an_object_is_read_whole_or_not_at_all(server: MinioServer) -> None:
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    session = Session.open(endpoint, Credential(server.root_user, server.root_password))
    assert session.send("PUT", "bounded-bucket").ok
    for key, content in (("full", bytes(3 << 20)), ("empty", b"")):
        session.put("bounded-bucket", key, content)
        assert session.get_up_to("bounded-bucket", key, len(content)) == content
    assert session.get_up_to("bounded-bucket", "full", (3 << 20) - 1) is None
    with pytest.raises(StoreError) as caught:
        session.get_up_to("bounded-bucket", "none", 10)
    assert caught.value.cause is Cause.OBJECT_MISSING
