"""One of Velero's files comes whole and unpacked, or the reason why not; its address is secret."""

import base64
import gzip
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import ProtocolError

from kube.errors import Cause, ClusterError
from kube.velero.api import Velero
from kube.velero.download import DownloadCause, DownloadError, download
from tests.kube.fakes import Server, ok, status
from tests.kube.velero.conftest import NAMESPACE, Hands
from tests.support.kube_api import Authority, KubeApi

SIGNED = "https://store.example/b?X-Amz-Signature=SENTINEL"
RESTORE = {"metadata": {"name": "r1"}, "spec": {"backupName": "b1"}}
BACKUP = {"metadata": {"name": "b1"}, "spec": {"storageLocation": "default"}}
REQUEST = {"metadata": {"name": "r1-x"}, "status": {"phase": "Processed", "downloadURL": SIGNED}}
RESULTS = json.dumps({"errors": {}, "warnings": {"namespaces": {"a": ["b"]}}}).encode()
Fetched = tuple[int, Iterator[bytes]]


def location(**store: Any) -> dict[str, Any]:
    return {"spec": {"objectStorage": {"bucket": "x", **store}}}


def get(
    fetch: Callable[[str, str | None], Fetched],
    kind: str = "RestoreResults",
    *,
    limit: int = 10_000,
    held: dict[str, Any] | None = None,
    found: dict[str, Any] | None = None,
) -> bytes:
    answers = [ok(RESTORE)] if kind.startswith("Restore") else []
    answers += [ok(BACKUP), ok(held or location()), ok(REQUEST), ok(found or REQUEST)]
    server = Server([*answers, ok({})])
    velero = Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())
    try:
        return download(velero, kind, "r1", seconds=5, limit=limit, fetch=fetch)
    finally:
        assert server.asked[-1][0] == "DELETE"


def body(*parts: bytes) -> Callable[[str, str | None], Fetched]:
    return lambda _address, _ca: (200, iter(parts))


def fault_of(fetch: Callable[[str, str | None], Fetched], **more: Any) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        get(fetch, **more)
    assert "SENTINEL" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def test_a_file_comes_unpacked_and_a_tarball_as_it_is() -> None:
    packed = gzip.compress(RESULTS, mtime=0)
    assert get(body(packed)) == RESULTS
    assert get(body(packed[:5], b"", packed[5:])) == RESULTS
    assert get(body(packed), "BackupContents") == packed


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1_000_000])
def test_files_of_any_size_are_whole(size: int) -> None:
    packed = gzip.compress(b"x" * size, mtime=0)
    assert get(body(packed), limit=2_000_000) == b"x" * size
    pieces = [packed[place : place + 7] for place in range(0, len(packed), 7)]
    assert get(body(*pieces), limit=2_000_000) == b"x" * size


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused_early() -> None:
    packed = gzip.compress(b"\0" * 50_000_000, mtime=0)
    read: list[int] = []

    def fetch(_address: str, _ca: str | None) -> Fetched:
        def parts() -> Iterator[bytes]:
            for place in range(0, len(packed), 500):
                read.append(place)
                yield packed[place : place + 500]

        return 200, parts()

    assert fault_of(fetch).cause is DownloadCause.TOO_LARGE
    assert len(read) < 5


@pytest.mark.parametrize(
    ("fetch", "cause"),
    [
        (body(gzip.compress(RESULTS, mtime=0)[:-9]), DownloadCause.DAMAGED),
        (body(), DownloadCause.DAMAGED),
        (body(b"<html>"), DownloadCause.DAMAGED),
        (lambda _a, _c: (404, iter(())), DownloadCause.MISSING),
        (lambda _a, _c: (403, iter(())), DownloadCause.DENIED),
        (lambda _a, _c: (500, iter(())), DownloadCause.UNREACHABLE),
    ],
)
def test_what_does_not_come_has_its_cause(
    fetch: Callable[[str, str | None], Fetched], cause: DownloadCause
) -> None:
    assert fault_of(fetch).cause is cause


def test_errors_that_repeat_the_address_do_not_show_it() -> None:
    def broken(address: str, _ca: str | None) -> Fetched:
        raise ProtocolError(f"no answer from {address}")

    def untrusted(address: str, _ca: str | None) -> Fetched:
        error = ssl.SSLCertVerificationError(f"{address}: unknown authority")
        error.verify_code = 20
        raise error

    assert fault_of(broken).cause is DownloadCause.UNREACHABLE
    assert fault_of(untrusted).cause is DownloadCause.TLS


def test_a_server_that_gives_no_address_is_told() -> None:
    error = fault_of(body(), found={"metadata": {"name": "r1-x"}, "status": {"phase": "New"}})
    assert error.cause is DownloadCause.NOT_PROCESSED
    assert "within 5 s" in str(error)


def test_a_restore_that_does_not_exist_is_told_before_anything_is_asked() -> None:
    server = Server([status(404, "not found")])
    velero = Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())
    with pytest.raises(ClusterError) as caught:
        download(velero, "RestoreLog", "r1", seconds=5, limit=10)
    assert caught.value.cause is Cause.MISSING
    assert len(server.asked) == 1


def test_the_ca_of_the_location_is_used() -> None:
    given: list[str | None] = []

    def fetch(_address: str, ca: str | None) -> Fetched:
        given.append(ca)
        return 200, iter([gzip.compress(b"", mtime=0)])

    get(fetch, held=location(caCert=base64.b64encode(b"PEM").decode()))
    get(fetch)
    assert given == ["PEM", None]


@pytest.mark.parametrize("ca", ["no base64!", base64.b64encode(b"\xff").decode()])
def test_a_ca_that_is_none_is_told(ca: str) -> None:
    server = Server([ok(RESTORE), ok(BACKUP), ok(location(caCert=ca))])
    velero = Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())
    with pytest.raises(DownloadError) as caught:
        download(velero, "RestoreLog", "r1", seconds=5, limit=10)
    assert caught.value.cause is DownloadCause.TLS


# The whole way: a real API server with Velero's definitions, and a store behind TLS.


class Store(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        content = gzip.compress(RESULTS, mtime=0)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def store(folder: Path) -> Iterator[str]:
    authority = Authority(folder)
    authority.issue("store", "store", server=True)
    server = http.server.HTTPServer(("127.0.0.1", 0), Store)
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(folder / "store.crt", folder / "store.key")
    server.socket = trust.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/results?signature=SENTINEL"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.tools
def test_the_whole_way_with_the_locations_own_ca(
    api: KubeApi, velero: Velero, hands: Hands, tmp_path: Path
) -> None:
    hands.make("restores", "Restore", "r1", spec={"backupName": "b1"})
    hands.make("backups", "Backup", "b1", spec={"storageLocation": "default"})
    objects = {"bucket": "x", "caCertRef": {"name": "store-ca", "key": "ca.crt"}}
    hands.make("backupstoragelocations", "BackupStorageLocation", "default",
               spec={"provider": "aws", "objectStorage": objects})  # fmt: skip
    secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    with store(tmp_path) as address:
        ca = {"ca.crt": base64.b64encode((tmp_path / "ca.crt").read_bytes()).decode()}
        api.request("POST", secrets, {"metadata": {"name": "store-ca"}, "data": ca})

        def answer() -> None:
            path = hands.path("downloadrequests")
            for one in api.request("GET", path)["items"]:
                done = {"phase": "Processed", "downloadURL": address}
                api.patch(f"{path}/{one['metadata']['name']}", {"status": done}, "velero-server")

        try:
            hands.deeds = [answer]
            assert download(velero, "RestoreResults", "r1", seconds=30, limit=1000) == RESULTS
            assert api.request("GET", hands.path("downloadrequests"))["items"] == []
            wrong = tmp_path / "other"
            wrong.mkdir()
            Authority(wrong)
            other = base64.b64encode((wrong / "ca.crt").read_bytes()).decode()
            api.patch(f"{secrets}/store-ca", {"data": {"ca.crt": other}})
            hands.deeds = [answer]
            with pytest.raises(DownloadError) as caught:
                download(velero, "RestoreResults", "r1", seconds=30, limit=1000)
            assert caught.value.cause is DownloadCause.TLS
            assert "SENTINEL" not in str(caught.value)
        finally:
            api.request("DELETE", f"{secrets}/store-ca")
