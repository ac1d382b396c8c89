"""What a store holds, and what does not belong there: told, never stumbled over."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drills.backupstore import layout
from drills.backupstore.catalog import BackupStore, Foreign
from drills.backupstore.errors import Fault
from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.objects import Found
from drills.backupstore.records import LockType
from tests.drills.backupstore.samples import chain, fault_of, store_in
from tests.support.longhorn_store import (
    BLOCK,
    VolumeWriter,
    constant,
    folder_of,
    put_backing_image,
    put_lock,
    put_system_backup,
)


def test_volumes_ghosts_and_strangers_are_told_apart(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    chain(put, "pvc-b")
    chain(put, "pvc-a")
    put(folder_of("pvc-ghost") + "backups/backup_b-1.cfg", b"{}")
    put("backupstore/volumes/00/00/pvc-elsewhere/volume.cfg", b"{}")
    put("backupstore/volumes/00/00/a b/volume.cfg", b"{}")
    put("backupstore/volumes/stray", b"")
    put("backupstore/volumes/00/stray", b"")
    put("README.md", b"")
    put_lock(put, "BACKINGIMAGE", "lock-1")
    survey = store.survey()
    assert (survey.volumes, survey.ghosts) == (("pvc-a", "pvc-b"), ("pvc-ghost",))
    assert {one.object for one in survey.foreign} == {
        "backupstore/volumes/00/00/pvc-elsewhere/",
        "backupstore/volumes/00/00/a b/",
    }
    assert store.volumes() == ["pvc-a", "pvc-b"]


def test_an_empty_target_holds_nothing(tmp_path: Path) -> None:
    store, _ = store_in(tmp_path)
    assert (store.volumes(), store.backing_images()) == ([], [])
    assert store.system_backups().found == ()
    assert store.backups("pvc-a") == []
    assert list(store.blocks("pvc-a")) == []
    assert store.locks("pvc-a") == []


def test_backups_are_named_unfinished_ones_too(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    volume.begin("backup-4")
    foreign: list[Foreign] = []
    for file in ("note.txt", "backup_.cfg", "backup_b 5.cfg", "more/backup_b-6.cfg"):
        put(volume.folder + "backups/" + file, b"")
    assert store.backups("pvc-data", foreign) == ["backup-1", "backup-2", "backup-3", "backup-4"]
    assert len(foreign) == 4
    record = store.volume("pvc-data")
    assert fault_of(lambda: store.backup(record, "backup-4"), "backup-4") is Fault.UNFINISHED


def test_what_is_asked_for_and_missing_is_named(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    chain(put)
    volume = store.volume("pvc-data")
    key = layout.backup_key("pvc-data", "backup-9")
    assert fault_of(lambda: store.backup(volume, "backup-9"), key) is Fault.RECORD_MISSING
    key = layout.volume_key("pvc-none")
    assert fault_of(lambda: store.volume("pvc-none"), key) is Fault.RECORD_MISSING


@pytest.mark.parametrize("name", ["", "a", "../pvc-data", "pvc data", "pvc\n"])
def test_no_other_name_becomes_a_key(tmp_path: Path, name: str) -> None:
    store, put = store_in(tmp_path)
    chain(put)
    volume = store.volume("pvc-data")
    for work in (
        lambda: store.volume(name),
        lambda: store.backup(volume, name),
        lambda: store.backups(name),
        lambda: list(store.blocks(name)),
        lambda: store.locks(name),
    ):
        assert fault_of(work) is Fault.NAME


def test_a_record_of_another_is_not_taken(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    record = store.volume("pvc-data")
    other = store.objects.get(layout.backup_key("pvc-data", "backup-1"), 1 << 20)
    put(layout.backup_key("pvc-data", "backup-2"), other)
    assert fault_of(lambda: store.backup(record, "backup-2"), "backup-2") is Fault.RECORD
    put(layout.volume_key("pvc-twin"), store.objects.get(volume.folder + "volume.cfg", 1 << 20))
    assert fault_of(lambda: store.volume("pvc-twin"), "pvc-twin") is Fault.RECORD


def test_blocks_are_listed_whether_a_backup_lists_them_or_not(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    volume = VolumeWriter(put, "pvc-one", 4 * BLOCK)
    made = volume.backup("backup-1", [0, BLOCK], constant(b"x" * BLOCK))
    orphan = volume.orphan(b"y" * BLOCK)
    (shared,) = set(made.blocks.values())
    put(volume.folder + "blocks/zz", b"")
    put(volume.folder + f"blocks/00/00/{shared}.blk", b"")
    put(volume.block_key("C" * 64), b"")
    foreign: list[Foreign] = []
    found = list(store.blocks("pvc-one", foreign))
    assert [block.checksum for block in found] == sorted([shared, orphan])
    assert [block.key for block in found] == [
        volume.block_key(checksum) for checksum in sorted([shared, orphan])
    ]
    assert all(block.size == (tmp_path / block.key).stat().st_size for block in found)
    assert len(foreign) == 3


def test_locks_are_read_with_their_age(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    now = datetime.now(UTC)
    for name, kind, age in (("lock-old", 2, 151), ("lock-new", 1, 10)):
        key = put_lock(put, "pvc-data", name, kind, acquired=age > 100)
        then = (now - timedelta(seconds=age)).timestamp()
        os.utime(tmp_path / key, (then, then))
    for file in ("lock-bad.lck", "a b.lck", "note"):
        put(folder_of("pvc-data") + "locks/" + file, b"{}")
    foreign: list[Foreign] = []
    new, old = store.locks("pvc-data", foreign)
    assert (new.type, new.acquired, new.expired(now)) == (LockType.BACKUP_OR_RESTORE, False, False)
    assert (old.type, old.acquired, old.expired(now)) == (LockType.DELETION, True, True)
    assert len(foreign) == 3


class Late(FolderObjects):
    """Lists what was there a moment before."""

    def list(self, folder: str) -> Iterator[Found]:
        yield Found(f"{folder}lock-1.lck", 50, datetime.now(UTC))


def test_a_lock_let_go_while_it_is_listed_is_none(tmp_path: Path) -> None:
    foreign: list[Foreign] = []
    assert (BackupStore(Late(tmp_path)).locks("pvc-data", foreign), foreign) == ([], [])


def test_system_backups_are_listed_and_faulty_ones_told(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    put_system_backup(put, "daily-1")
    put_system_backup(put, "daily-0", "v1.11.3")
    put_system_backup(put, "renamed", edit=lambda record: record.update(Name="another"))
    put_system_backup(put, "unsigned", edit=lambda record: record.update(Checksum="x"))
    put("backupstore/system-backups/v1.12.1/half/system-backup.zip", b"")
    (tmp_path / put_system_backup(put, "bare") / "system-backup.zip").unlink()
    found = store.system_backups()
    assert [(one.version, one.name) for one in found.found] == [
        ("v1.11.3", "daily-0"),
        ("v1.12.1", "daily-1"),
    ]
    assert found.found[0].created.isoformat() == "2026-03-01T12:00:00.123456+00:00"
    assert {(one.object.split("/")[3], one.fault) for one in found.faults} == {
        ("bare", Fault.RECORD_MISSING),
        ("half", Fault.RECORD_MISSING),
        ("renamed", Fault.RECORD),
        ("unsigned", Fault.RECORD),
    }


def test_backing_images_are_named(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    put_backing_image(put, "debian-13")
    put("backupstore/backing-images/backing-images/half/x", b"")
    put("backupstore/backing-images/blocks/00/00/x.blk", b"")
    assert store.backing_images() == ["debian-13"]
