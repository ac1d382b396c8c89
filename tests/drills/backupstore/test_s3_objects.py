"""A store in a bucket of a real server: what is there, in order and within bounds."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import Fault
from drills.backupstore.s3_objects import S3Objects
from drills.backupstore.url import Target
from s3.client import Credential, Session
from s3.errors import Cause, StoreError
from tests.drills.backupstore.samples import FIXTURE, TRUTH, chain, fault_of, image_sha256
from tests.support.longhorn_store import Put, into_bucket

pytestmark = pytest.mark.tools

_numbers = itertools.count()


@pytest.fixture
def bucket(store_session: Session) -> str:
    name = f"objects-{next(_numbers)}"
    assert store_session.send("PUT", name).ok
    return name


def objects_of(session: Session, bucket: str, prefix: str = "") -> S3Objects:
    assert session.credential is not None
    target = Target(bucket, session.endpoint.region, prefix)
    return S3Objects(session.endpoint, session.credential, target)


@pytest.mark.parametrize("prefix", ["", "cluster a/ü+&=%/"])
def test_the_engines_store_is_read_from_a_bucket(
    store_session: Session, bucket: str, prefix: str
) -> None:
    put = into_bucket(store_session, bucket, prefix)
    root = FIXTURE / "bucket"
    for path in sorted(root.rglob("*")):
        if path.is_file():
            put(path.relative_to(root).as_posix(), path.read_bytes())
    store = BackupStore(objects_of(store_session, bucket, prefix))
    assert store.volumes() == ["pvc-app", "pvc-gzip", "pvc-none"]
    for name in store.volumes():
        volume = store.volume(name)
        for backup in store.backups(name):
            assert image_sha256(store, volume, backup) == TRUTH[backup]["sha256"]
        assert len(list(store.blocks(name))) == volume.block_count


def test_objects_are_listed_in_pages_in_order_and_by_folder(
    store_session: Session, bucket: str
) -> None:
    put = into_bucket(store_session, bucket, "p/")
    keys = sorted([f"a/{number:04}" for number in range(1100)] + ["a b/ü+&=", "a-b/x/y", "top"])
    for key in keys:
        put(key, b"1")
    into_bucket(store_session, bucket)("other", b"")
    objects = objects_of(store_session, bucket, "p/")
    found = list(objects.list(""))
    assert [one.key for one in found] == sorted(keys, key=str.encode)
    assert abs(found[0].modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert {one.size for one in found} == {1}
    assert list(objects.folders("")) == ["a b", "a-b", "a"]
    assert list(objects.folders("a-b/")) == ["x"]
    assert list(objects.folders("none/")) == list(objects.folders("a/")) == []


def test_an_object_is_read_up_to_a_limit(store_session: Session, bucket: str) -> None:
    into_bucket(store_session, bucket, "p/")("a/ü b.cfg", b"12345")
    objects = objects_of(store_session, bucket, "p/")
    assert objects.get("a/ü b.cfg", 5) == b"12345"
    assert fault_of(lambda: objects.get("a/ü b.cfg", 4)) is Fault.TOO_LARGE
    found = objects.head("a/ü b.cfg")
    assert found is not None
    assert (found.key, found.size, found.modified.tzinfo) == ("a/ü b.cfg", 5, UTC)
    # A HEAD says whole seconds.
    assert next(objects.list("a/")).modified - found.modified < timedelta(seconds=1)


def test_missing_is_told_apart_from_every_other_fault(store_session: Session, bucket: str) -> None:
    objects = objects_of(store_session, bucket)
    assert objects.head("none") is None
    assert fault_of(lambda: objects.get("none.cfg", 9), "none.cfg") is Fault.RECORD_MISSING
    assert fault_of(lambda: objects.get("none.blk", 9), "none.blk") is Fault.BLOCK_MISSING
    nowhere = objects_of(store_session, "no-such-bucket")
    endpoint = store_session.endpoint
    stranger = S3Objects(endpoint, Credential("no", "body"), Target(bucket, endpoint.region, ""))
    for broken, cause in ((nowhere, Cause.BUCKET_MISSING), (stranger, Cause.KEY_UNKNOWN)):
        with pytest.raises(StoreError) as caught:
            broken.get("none", 9)
        assert caught.value.cause is cause
        with pytest.raises(StoreError) as caught:
            list(broken.list(""))
        assert caught.value.cause is cause
    with pytest.raises(StoreError) as caught:
        stranger.head("none")
    assert caught.value.cause is Cause.ACCESS_DENIED


def test_a_ghost_of_a_bucket_with_versions_is_told(store_session: Session, bucket: str) -> None:
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert store_session.send("PUT", bucket, query={"versioning": ""}, body=body).ok
    put: Put = into_bucket(store_session, bucket)
    chain(put, "pvc-kept")
    volume, _ = chain(put, "pvc-gone")
    store = BackupStore(objects_of(store_session, bucket))
    for found in list(store.objects.list(volume.folder)):
        assert store_session.send("DELETE", bucket, found.key).ok
    assert list(store.objects.list(volume.folder)) == []
    assert store.volumes() == ["pvc-kept"]
    assert set(store.survey().ghosts) <= {"pvc-gone"}


class Liar:
    """An SDK whose server lists what it likes."""

    def __init__(self, *names: str, error: Exception | None = None) -> None:
        self._names = names
        self._error = error

    def list_objects(self, *_: Any, **__: Any) -> Iterator[Any]:
        for name in self._names:
            yield SimpleNamespace(
                object_name=name, is_dir=False, size=1, last_modified=datetime.now(UTC)
            )
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize(
    "liar",
    [
        Liar("p/a", "p/a"),
        Liar("p/b", "p/a"),
        Liar("elsewhere"),
        Liar(error=ValueError("no XML")),
        Liar(error=KeyError("Name")),
    ],
    ids=["twice", "backwards", "elsewhere", "no XML", "no name"],
)
def test_a_listing_that_cannot_be_is_a_fault_of_the_store(
    store_session: Session, bucket: str, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = objects_of(store_session, bucket, "p/")
    monkeypatch.setattr(objects, "_sdk", liar)
    with pytest.raises(StoreError) as caught:
        list(objects.list(""))
    assert caught.value.cause is Cause.OTHER
    assert store_session.endpoint.url in str(caught.value)
