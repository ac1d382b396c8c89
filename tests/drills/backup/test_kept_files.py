"""Files kept beside the truths: on disk alone, or in the evidence bucket as well."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio

from drills.backup import kept_files
from drills.backup.kept_files import KeptFiles
from drills.backup.truths import NotKeptError, Shelf, Truths
from s3.client import Credential, StoreEndpoint, connect
from s3.errors import Cause, StoreError
from tests.support.minio_server import MinioServer, running_minio

NAME = "daily-1.volumes/shop/data-0.json.gz"
MIB = 1 << 20


def source(folder: Path, content: bytes) -> Path:
    place = folder / "source"
    place.write_bytes(content)
    return place


def read(files: KeptFiles, name: str = NAME) -> bytes | None:
    pieces = files.pieces(name)
    return None if pieces is None else b"".join(pieces)


def test_a_site_without_evidence_has_them_on_its_disk(tmp_path: Path) -> None:
    files = KeptFiles(Truths(tmp_path / "receipts"))
    assert read(files) is None
    where = files.keep(NAME, source(tmp_path, b"content"))
    assert read(files) == b"content"
    assert where == str(tmp_path / "receipts" / "truths" / NAME)
    assert stat.S_IMODE(Path(where).stat().st_mode) == 0o600
    assert [one.name for one in Path(where).parent.iterdir()] == ["data-0.json.gz"]
    files.keep(NAME, source(tmp_path, b"anew"))
    assert read(files) == b"anew"


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "truths").write_text("a file in the way")
    with pytest.raises(NotKeptError, match=r"data-0.json.gz cannot be written .* make it writable"):
        KeptFiles(Truths(tmp_path)).keep(NAME, source(tmp_path, b""))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("kept")) as running:
        yield running


def shelf(server: MinioServer, bucket: str) -> Shelf:
    own = Credential(server.root_user, server.root_password)
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    return Shelf(endpoint, bucket, "receipts/dev/", own, own)


def client(server: MinioServer) -> Minio:
    own = shelf(server, "")
    return connect(own.endpoint, own.writer)


@pytest.fixture(scope="module")
def bucket(server: MinioServer) -> str:
    client(server).make_bucket("evidence", object_lock=True)
    return "evidence"


@pytest.mark.tools
@pytest.mark.parametrize("size", [0, 1000, 6 * MIB], ids=["empty", "one-piece", "in-parts"])
def test_the_bucket_has_them_first(
    server: MinioServer, bucket: str, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_files, "PART_BYTES", 5 * MIB)
    content = os.urandom(size)
    files = KeptFiles(Truths(tmp_path, shelf(server, bucket)))
    where = files.keep(NAME, source(tmp_path, content))
    assert where == f"evidence/receipts/dev/truths/{NAME}"
    place = tmp_path / "truths" / NAME
    assert place.read_bytes() == content
    place.write_bytes(b"of the disk")
    assert read(files) == content


@pytest.mark.tools
def test_the_disk_has_what_the_bucket_lacks(
    server: MinioServer, bucket: str, tmp_path: Path
) -> None:
    files = KeptFiles(Truths(tmp_path, shelf(server, bucket)))
    name = "daily-2.volumes.json"
    assert read(files, name) is None
    KeptFiles(Truths(tmp_path)).keep(name, source(tmp_path, b"of the disk"))
    assert read(files, name) == b"of the disk"


@pytest.mark.tools
@pytest.mark.parametrize("size", [10, 6 * MIB], ids=["one-piece", "in-parts"])
def test_a_bucket_that_refuses_is_told(
    server: MinioServer, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_files, "PART_BYTES", 5 * MIB)
    files = KeptFiles(Truths(tmp_path, shelf(server, "not-there")))
    with pytest.raises(StoreError, match="not-there") as caught:
        files.keep(NAME, source(tmp_path, b"x" * size))
    assert caught.value.cause is Cause.BUCKET_MISSING
    with pytest.raises(StoreError):
        files.pieces(NAME)
