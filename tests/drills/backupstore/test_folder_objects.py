"""A store in a folder: what is there, in order, within bounds, and nothing outside of it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.folder_objects import FolderObjects
from s3.errors import Cause, StoreError
from tests.drills.backupstore.samples import fault_of
from tests.support.longhorn_store import into_folder

SEGMENT = st.text("ab-.0 ", min_size=1, max_size=3).filter(lambda text: text not in {".", ".."})
KEYS = st.lists(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), max_size=8)


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    put = into_folder(tmp_path / "store")
    for key in ("a/b/c.blk", "a/b.cfg", "a-b/x", "a/z", "top"):
        put(key, key.encode())
    (tmp_path / "outside").write_bytes(b"secret")
    return FolderObjects(tmp_path / "store")


def test_objects_are_listed_in_the_order_of_their_keys(objects: FolderObjects) -> None:
    keys = [found.key for found in objects.list("")]
    assert keys == sorted(keys) == ["a-b/x", "a/b.cfg", "a/b/c.blk", "a/z", "top"]
    assert [found.key for found in objects.list("a/b/")] == ["a/b/c.blk"]
    assert list(objects.folders("")) == ["a-b", "a"]
    assert list(objects.folders("a/")) == ["b"]
    assert list(objects.list("nowhere/")) == []
    assert list(objects.folders("nowhere/")) == []
    assert list(objects.list("top/")) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(KEYS)
def test_any_keys_are_listed_in_order(tmp_path: Path, keys: list[str]) -> None:
    root = tmp_path / f"{hash(tuple(keys))}"
    put = into_folder(root)
    written: set[str] = set()
    for key in keys:
        # A file cannot be a folder as well, as a key can be.
        if not any(other.startswith(key + "/") or key.startswith(other + "/") for other in written):
            put(key, b"")
            written.add(key)
    assert [found.key for found in FolderObjects(root).list("")] == sorted(written)


def test_an_object_is_read_up_to_a_limit(objects: FolderObjects) -> None:
    assert objects.get("a/z", 3) == b"a/z"
    assert fault_of(lambda: objects.get("a/z", 2), "a/z") is Fault.TOO_LARGE


def test_an_object_is_looked_at(objects: FolderObjects, tmp_path: Path) -> None:
    os.utime(tmp_path / "store/top", (1_700_000_000, 1_700_000_000))
    found = objects.head("top")
    assert found is not None
    assert (found.key, found.size) == ("top", 3)
    assert found.modified == datetime.fromtimestamp(1_700_000_000, UTC)
    assert objects.head("a") is None
    assert objects.head("top/x") is None


def test_what_is_missing_has_the_fault_of_its_kind(objects: FolderObjects) -> None:
    assert fault_of(lambda: objects.get("a/none.cfg", 9), "a/none.cfg") is Fault.RECORD_MISSING
    assert fault_of(lambda: objects.get("top/none.blk", 9), "none.blk") is Fault.BLOCK_MISSING
    assert fault_of(lambda: objects.get("a", 9), "a") is Fault.RECORD_MISSING


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "a\0b"])
def test_no_key_leads_out(objects: FolderObjects, key: str) -> None:
    for work in (lambda: objects.get(key, 99), lambda: objects.head(key)):
        assert fault_of(work) is Fault.NAME
    assert fault_of(lambda: list(objects.list(key))) is Fault.NAME


def test_links_and_pipes_are_no_objects(objects: FolderObjects, tmp_path: Path) -> None:
    (tmp_path / "store/link").symlink_to(tmp_path / "outside")
    (tmp_path / "store/away").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "store/pipe")
    for key in ("link", "pipe"):
        assert fault_of(lambda: objects.get(key, 99)) is Fault.RECORD_MISSING  # noqa: B023
        assert objects.head(key) is None
    assert "away" not in list(objects.folders(""))
    assert {found.key for found in objects.list("")}.isdisjoint({"link", "pipe", "away/outside"})


def test_a_share_that_fails_is_a_fault_of_the_store(
    objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", fails)
    monkeypatch.setattr(os, "scandir", fails)
    monkeypatch.setattr(Path, "lstat", fails)
    for work in (
        lambda: objects.get("top", 9),
        lambda: list(objects.list("")),
        lambda: objects.head("top"),
    ):
        with pytest.raises(StoreError, match="Input/output error") as caught:
            work()
        assert caught.value.cause is Cause.OTHER


def test_a_name_that_is_too_long_raises_nothing_else(objects: FolderObjects) -> None:
    with pytest.raises((StoreError, BackupStoreError)):
        objects.get("a" * 5000, 9)
