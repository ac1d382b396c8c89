"""Lists beside a backup in the store, whole and in every way that they can be wrong."""

import gzip
from typing import Any

import pytest

from drills.coverage import backup_files
from drills.coverage.backup_files import BackupFileError, MissingFileError
from s3.errors import Cause, StoreError
from tests.drills.coverage.sites import COPIED, COPY, MOVED, Store, files, packed

PATH = "backups/b1/b1-{}.json.gz"
LISTS = ["volumeinfo", "podvolumebackups", "resource-list"]


def read(store: Store, kind: str) -> object:
    if kind == "resource-list":
        return backup_files.namespaces(store, "b1")
    return backup_files.volume_records(store, "b1")


def test_volumes_are_read_and_copies_that_the_list_forgot_are_added() -> None:
    listed = Store(files("b1", volumes=[MOVED], copies=[]))
    forgotten = Store(files("b1", volumes=[], copies=[COPY]))
    for store, size in ((listed, 9), (forgotten, 7)):
        (record,) = backup_files.volume_records(store, "b1")
        assert (record.namespace, record.claim, record.size) == ("shop", "data", size)
        assert record.has_data


def test_a_backup_without_volumes_has_lists_of_nothing() -> None:
    assert backup_files.volume_records(Store(files("b1", volumes=None, copies=[])), "b1") == ()


def test_namespaces_are_those_listed_and_those_with_something_inside() -> None:
    held = {
        "v1/Namespace": ["empty", "shop"],
        "v1/Pod": ["shop/web-0", "team/x"],
        "rbac.authorization.k8s.io/v1/ClusterRole": ["system:admin"],
    }
    store = Store(files("b1", resources=held))
    assert backup_files.namespaces(store, "b1") == {"empty", "shop", "team"}


def test_a_file_that_is_not_there_is_told_as_missing() -> None:
    for kind in ("volumeinfo", "resource-list"):
        store = Store(files("b1"))
        del store.held[PATH.format(kind)]
        with pytest.raises(MissingFileError, match="of backup b1 is not in the store"):
            read(store, kind)


def test_copies_may_be_missing_only_where_no_volume_was_copied() -> None:
    store = Store(files("b1", volumes=[MOVED], copies=None))
    assert len(backup_files.volume_records(store, "b1")) == 1
    store = Store(files("b1", volumes=[COPIED], copies=None))
    with pytest.raises(MissingFileError, match="the list of file-system copies of backup b1"):
        backup_files.volume_records(store, "b1")


WHOLE = packed([MOVED] * 50)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "damaged",
    [b"", b"no gzip", WHOLE[:-20], WHOLE[:30] + b"\xff\x00" + WHOLE[32:], WHOLE + b"more",
     gzip.compress(b"[{", mtime=0), gzip.compress(b"\xff\xfe", mtime=0),
     gzip.compress(b"[" * 100_000, mtime=0)],
)  # fmt: skip
def test_a_damaged_list_is_one_sentence_and_names_the_backup(kind: str, damaged: bytes) -> None:
    store = Store(files("b1"))
    store.held[PATH.format(kind)] = damaged
    with pytest.raises(BackupFileError, match="of backup b1 cannot be read") as refused:
        read(store, kind)
    assert not isinstance(refused.value, MissingFileError)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("volumeinfo", {"a": 1}),
        ("volumeinfo", [MOVED, {"pvcName": 3}]),
        ("podvolumebackups", {"a": 1}),
        ("podvolumebackups", ["text"]),
        ("podvolumebackups", [{"status": {"progress": {"totalBytes": "much"}}}]),
        ("resource-list", ["v1/Pod"]),
        ("resource-list", None),
        ("resource-list", {"v1/Pod": "shop/web-0"}),
        ("resource-list", {"v1/Pod": [3]}),
    ],
)
def test_a_list_of_another_form_is_refused(kind: str, content: Any) -> None:
    store = Store(files("b1"))
    store.held[PATH.format(kind)] = packed(content)
    with pytest.raises(BackupFileError, match="backup b1 is not as Velero writes it"):
        read(store, kind)


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_unpacks_to_too_much_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_files, "FILE_BYTES", 1000)
    store = Store(files("b1"))
    store.held[PATH.format(kind)] = gzip.compress(b" " * 1001, mtime=0)
    with pytest.raises(BackupFileError, match="unpacks to more than 1000 bytes"):
        read(store, kind)


@pytest.mark.parametrize("kind", LISTS)
def test_a_store_that_refuses_is_no_fault_of_the_backup(kind: str) -> None:
    store = Store(files("b1"), fault=StoreError(Cause.ACCESS_DENIED, "denied"))
    with pytest.raises(StoreError, match="denied"):
        read(store, kind)
