"""The stand-in's S3 client against a real MinIO, and its words for what goes wrong."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from drills.backupstore.catalog import BackupStore
from drills.backupstore.s3_objects import S3Objects
from drills.backupstore.url import parse_target
from kube.longhorn import cures
from s3.client import Credential as S3Credential
from s3.client import StoreEndpoint, connect
from standins.longhorn.bucket import Bucket
from standins.longhorn.store import delete_all
from standins.longhorn.store_errors import MissingError, StoreError
from standins.longhorn.target import Credential, open_bucket
from tests.drills.backupstore.samples import image_sha256
from tests.standins.longhorn.backups import back_up, image
from tests.support.minio_server import MinioServer, running_minio
from tests.support.ports import free_port

pytestmark = pytest.mark.tools
URL = "s3://longhorn@eu-west-1/dev/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("longhorn")) as running:
        connect(endpoint(running), root(running)).make_bucket("longhorn")
        yield running


def endpoint(server: MinioServer) -> StoreEndpoint:
    return StoreEndpoint(server.url, server.region, server.ca_pem)


def root(server: MinioServer) -> S3Credential:
    return S3Credential(server.root_user, server.root_password)


def secret(server: MinioServer, **more: str) -> Credential:
    return {
        "AWS_ACCESS_KEY_ID": server.root_user,
        "AWS_SECRET_ACCESS_KEY": server.root_password,
        "AWS_ENDPOINTS": server.url,
        "AWS_CERT": server.ca_pem,
        **more,
    }


@pytest.fixture
def bucket(server: MinioServer) -> Bucket:
    opened = open_bucket(URL, secret(server))
    delete_all(opened, "")
    return opened


def test_objects_are_written_read_listed_and_removed(bucket: Bucket) -> None:
    assert bucket.folders("a/") == bucket.files("a/") == []
    assert list(bucket.every("")) == []
    bucket.put("a/b/one.cfg", b"one")
    bucket.put("a/two words+~.cfg", b"")
    assert bucket.folders("a/") == ["b"]
    assert bucket.files("a/") == ["two words+~.cfg"]
    assert [(one.key, one.size) for one in bucket.every("a/")] == [
        ("a/b/one.cfg", 3),
        ("a/two words+~.cfg", 0),
    ]
    assert bucket.get("a/b/one.cfg") == b"one"
    assert bucket.get("a/two words+~.cfg") == b""
    assert bucket.exists("a/b/one.cfg")
    assert abs(bucket.modified("a/b/one.cfg") - datetime.now(UTC)) < timedelta(minutes=1)
    bucket.delete("a/b/one.cfg")
    bucket.delete("a/b/one.cfg")
    assert not bucket.exists("a/b/one.cfg")
    for ask in (bucket.get, bucket.modified):
        with pytest.raises(MissingError):
            ask("a/b/one.cfg")


def test_a_listing_of_many_pages_is_whole(bucket: Bucket) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: bucket.put(f"many/{number:04}", b""), range(1005)))
    assert len(list(bucket.every("many/"))) == len(bucket.files("many/")) == 1005


def test_a_backup_in_it_is_read_by_the_drills(
    bucket: Bucket, server: MinioServer, tmp_path: Path
) -> None:
    path = image(tmp_path / "image", {0: b"first" * 1000, 5: b"second", 15: b"third"})
    wanted = back_up(bucket, path)
    store = BackupStore(S3Objects(endpoint(server), root(server), parse_target(URL)))
    assert store.volumes() == ["pvc-data"]
    volume = store.volume("pvc-data")
    assert store.backups("pvc-data") == [wanted.backup.name]
    expected = sha256(path.read_bytes()).hexdigest()
    assert image_sha256(store, volume, wanted.backup.name) == expected
    assert store.locks("pvc-data") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "api error InvalidAccessKeyId: "),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "api error SignatureDoesNotMatch: "),
        ({"AWS_CERT": ""}, "x509: certificate signed by unknown authority"),
        ({"AWS_ENDPOINTS": "https://{localhost}"}, ""),
        ({"AWS_ENDPOINTS": "https://127.1:{port}"}, "x509: certificate is not valid for"),
        ({"AWS_ENDPOINTS": "https://127.0.0.1:{closed}"}, "connect: connection refused"),
        ({"AWS_ENDPOINTS": "https://no.such.host.invalid:{port}"}, ": no such host"),
    ],
    ids=["key", "secret", "authority", "name", "address", "closed", "host"],
)
def test_what_is_wrong_is_said_in_words_that_have_a_cure(
    server: MinioServer, change: dict[str, str], said: str
) -> None:
    port = server.endpoint.rpartition(":")[2]
    places = {"port": port, "closed": str(free_port()), "localhost": f"localhost:{port}"}
    held = {key: value.format(**places) for key, value in change.items()}
    opened = open_bucket(URL, secret(server, **held))
    if not said:
        opened.folders("")
        return
    with pytest.raises(StoreError) as caught:
        opened.folders("backupstore/system-backups/")
    assert said in str(caught.value)
    assert cures.find(str(caught.value)) is not None


def test_a_bucket_that_is_not_there_is_said(server: MinioServer) -> None:
    opened = open_bucket("s3://nothing@eu-west-1/", secret(server))
    with pytest.raises(StoreError, match="StatusCode: 404, api error NoSuchBucket: ") as caught:
        opened.folders("")
    assert not isinstance(caught.value, MissingError)


def test_a_clock_that_is_wrong_is_said(server: MinioServer) -> None:
    opened = open_bucket(URL, secret(server))
    late = Bucket(
        opened.place,
        opened.keys,
        opened.context,
        now=lambda: datetime.now(UTC) - timedelta(hours=1),
    )
    with pytest.raises(StoreError, match="api error RequestTimeTooSkewed: "):
        late.folders("")


def test_a_connection_that_the_store_closed_is_opened_anew(
    bucket: Bucket, server: MinioServer
) -> None:
    bucket.put("a", b"1")
    server.stop()
    server.start()
    assert bucket.get("a") == b"1"


def test_a_store_that_is_gone_is_given_up_after_a_few_attempts(
    bucket: Bucket, server: MinioServer
) -> None:
    slept: list[float] = []
    gone = Bucket(bucket.place, bucket.keys, bucket.context, sleep=slept.append)
    server.stop()
    try:
        with pytest.raises(StoreError, match="connection refused"):
            gone.get("a")
    finally:
        server.start()
    assert slept == [0.5, 1.0]
