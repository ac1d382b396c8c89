"""What the records of a volume say, against what lies there: faults, oddities, and no race."""

import datetime
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drills.backupstore.catalog import BackupStore
from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.objects import Objects
from drills.longhorn import shares
from drills.longhorn.lineage import GHOST, Lineage
from drills.longhorn.records import Reader
from drills.longhorn.shelf import Shelf, Stray, folders, shelf, shelves
from drills.verdict import Reason
from tests.drills.longhorn.acting import Acting
from tests.drills.longhorn.site import NOW, OF_CANARY, OF_SHOP, RAW, Site
from tests.support.longhorn_store import (
    BLOCK,
    VolumeWriter,
    constant,
    content,
    folder_of,
    into_folder,
    put_lock,
)

OF_BACKUP = "backups/backup_backup-c3.cfg"


def objects(site: Site) -> FolderObjects:
    return FolderObjects(site.store)


def reader(held: Objects) -> Reader:
    return Reader(BackupStore(held), shares.full(NOW.date()), NOW, 2, threading.Event())


def read(site: Site, volume: str = OF_CANARY, held: Objects | None = None) -> Lineage:
    held = held or objects(site)
    found = [one for one in shelves(held) if isinstance(one, Shelf) and one.volume == volume]
    return reader(held).read(found[0])


def reasons(found: Lineage) -> list[Reason | None]:
    return [one.reason for one in found.checks]


def blocks_of(site: Site, volume: str, backup: str) -> list[Path]:
    """The files of a backup's blocks, by offset."""
    record = json.loads(site.object(f"{folder_of(volume)}backups/backup_{backup}.cfg").read_text())
    checksums = [one["BlockChecksum"] for one in record["Blocks"]]
    return [
        site.object(f"{folder_of(volume)}blocks/{one[:2]}/{one[2:4]}/{one}.blk")
        for one in checksums
    ]


def remove_backup(site: Site, volume: str, backup: str) -> None:
    site.object(f"{folder_of(volume)}backups/backup_{backup}.cfg").unlink()


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def age(path: Path, seconds: float) -> None:
    moment = NOW.timestamp() - seconds
    os.utime(path, (moment, moment))


def test_a_sound_volume_has_all_its_backups_by_time_and_all_its_blocks(site: Site) -> None:
    found = read(site)
    assert [one.name for one in found.kept] == ["backup-c1", "backup-c2", "backup-c3"]
    assert found.newest is not None
    assert found.newest.blocks == 6
    assert found.newest.data == 6 * BLOCK
    assert (found.listed, found.to_read, found.orphans) == (10, 10, 0)
    assert list(found.checks) == []
    assert list(found.aside) == []
    listed = [one for due in found.due for one in due.listed()]
    assert len({checksum for checksum, _, _ in listed}) == 10
    assert {(str(way), size) for _, way, size in listed} == {("lz4", BLOCK)}


def test_each_block_is_due_once_however_many_backups_list_it(site: Site) -> None:
    found = read(site)
    assert sum(one.blocks for one in found.kept) == 18
    assert found.to_read == 10


def test_only_the_share_is_due(site: Site) -> None:
    held = objects(site)
    total = 0
    for part in range(3):
        day = NOW.date() + datetime.timedelta(days=part)
        one = replace(reader(held), share=shares.quick(day, 3, 1))
        total += one.read(shelf(held, OF_CANARY)).to_read
    assert total == 10


def test_existence_and_size_come_from_one_listing(site: Site) -> None:
    acting = Acting(objects(site))
    found = [reader(acting).read(one) for one in shelves(acting) if isinstance(one, Shelf)]
    assert sum(one.listed for one in found) == 21
    assert acting.count("list") == 1
    assert acting.count("head") == 0
    assert acting.count("get", ".blk") == 0
    assert acting.count("get", ".cfg") == 3 + 6


def test_a_missing_block_is_lost_to_every_backup_that_lists_it(site: Site) -> None:
    # At offset 3, unchanged since the first backup.
    blocks_of(site, OF_CANARY, "backup-c1")[3].unlink()
    found = read(site)
    assert reasons(found) == [Reason.BLOCK_LOST] * 3
    assert "1 of them are missing" in found.checks[0].observed
    assert (found.listed, found.to_read) == (9, 9)


def test_a_backup_that_retention_deletes_while_it_is_read_is_no_fault(site: Site) -> None:
    """Its record first, as Longhorn does, then the blocks that nothing else lists."""

    def retention() -> None:
        own = blocks_of(site, OF_CANARY, "backup-c1")[:1]
        remove_backup(site, OF_CANARY, "backup-c1")
        for block in own:
            block.unlink()

    acting = Acting(objects(site), {"get " + folder_of(OF_CANARY) + "backups": retention})
    found = read(site, held=acting)
    assert list(found.checks) == []
    assert [one.name for one in found.kept] == ["backup-c2", "backup-c3"]
    assert [why for _, why in found.aside] == ["they were deleted while they were read"]


def test_blocks_that_go_after_a_record_was_read_are_no_fault_if_it_is_gone_as_well(
    site: Site,
) -> None:
    own = blocks_of(site, OF_CANARY, "backup-c1")[0]
    own.unlink()
    second_look = f"list {folder_of(OF_CANARY)}"
    acting = Acting(
        objects(site), {second_look: lambda: remove_backup(site, OF_CANARY, "backup-c1")}
    )
    found = read(site, held=acting)
    assert list(found.checks) == []
    assert [one.name for one in found.kept] == ["backup-c2", "backup-c3"]


def test_a_record_that_is_finished_while_it_is_read_may_list_newer_blocks(site: Site) -> None:
    writer = VolumeWriter(into_folder(site.store), "pvc-busy", 4 * BLOCK)
    writer.backup("backup-1", [0], content("b1", noise=0.01))
    writer.begin("backup-2")

    def finish() -> None:
        writer.backup("backup-2", [BLOCK], content("b2", noise=0.01))

    acting = Acting(objects(site), {f"get {folder_of('pvc-busy')}volume.cfg": finish})
    found = read(site, "pvc-busy", acting)
    assert list(found.checks) == []
    assert [one.name for one in found.kept] == ["backup-1", "backup-2"]


def test_a_volume_that_grows_while_it_is_read_is_no_fault(site: Site) -> None:
    writer = VolumeWriter(into_folder(site.store), "pvc-grows", 2 * BLOCK)
    writer.backup("backup-1", [0], content("g1", noise=0.01))

    def grow() -> None:
        writer.size = 4 * BLOCK
        writer.backup("backup-1", [3 * BLOCK], content("g2", noise=0.01))

    acting = Acting(objects(site), {f"get {folder_of('pvc-grows')}backups": grow})
    assert list(read(site, "pvc-grows", acting).checks) == []


def test_an_unfinished_backup_is_named_and_turns_nothing_red(site: Site) -> None:
    VolumeWriter(into_folder(site.store), OF_CANARY, 8 * BLOCK).begin("backup-c4")
    found = read(site)
    assert list(found.checks) == []
    assert list(found.aside) == [
        (f"backup backup-c4 of {OF_CANARY}", "it is being made, or was broken off")
    ]
    assert found.newest is not None
    assert found.newest.name == "backup-c3"


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["Blocks"][-1].update(Offset=64 * BLOCK),
        lambda record: record["Blocks"][-1].update(Offset=7),
        lambda record: record.update(Blocks="none"),
        lambda record: record.update(VolumeName="pvc-other"),
        lambda record: record.update(CompressionMethod="zstd"),
    ],
    ids=["beyond the end", "not aligned", "no list", "another volume's", "unknown compression"],
)
def test_a_record_that_cannot_be_is_named(
    site: Site, change: Callable[[dict[str, Any]], object]
) -> None:
    edited(site.object(folder_of(OF_CANARY) + OF_BACKUP), change)
    found = read(site)
    named = [one.check for one in found.checks if one.reason is Reason.RESTORE_POINT_DAMAGED]
    aside = [what for what, _ in found.aside]
    assert named == ["record of backup backup-c3"] or aside == [f"backup backup-c3 of {OF_CANARY}"]
    assert [one.name for one in found.kept] == ["backup-c1", "backup-c2"]


def test_a_record_that_is_no_json_is_damaged(site: Site) -> None:
    site.object(folder_of(OF_CANARY) + OF_BACKUP).write_bytes(b"\x00" * 100)
    assert reasons(read(site)) == [Reason.RESTORE_POINT_DAMAGED]


def test_the_last_backup_that_a_volume_names_has_to_be_there(site: Site) -> None:
    remove_backup(site, OF_CANARY, "backup-c3")
    found = read(site)
    assert reasons(found) == [Reason.RESTORE_POINT_DAMAGED]
    assert found.checks[0].observed == "backup-c3 is not there"


def test_while_a_deletion_is_under_way_no_last_backup_is_missed(site: Site) -> None:
    remove_backup(site, OF_CANARY, "backup-c3")
    key = put_lock(into_folder(site.store), OF_CANARY, "lock-1", 2)
    age(site.object(key), 30)
    assert reasons(read(site)) == []
    age(site.object(key), 600)
    assert reasons(read(site)) == [Reason.RESTORE_POINT_DAMAGED]


def test_a_lost_record_of_the_volume_takes_all_backups_with_it(site: Site) -> None:
    site.object(f"{folder_of(OF_CANARY)}volume.cfg").unlink()
    found = read(site)
    assert reasons(found) == [Reason.RESTORE_POINT_DAMAGED]
    assert "3 backups of it cannot be restored" in found.checks[0].observed
    assert found.kept == ()


def test_a_volume_that_is_deleted_while_it_is_read_is_a_ghost(site: Site) -> None:
    def delete() -> None:
        for path in sorted(site.object(folder_of(OF_CANARY)).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    acting = Acting(objects(site), {f"get {folder_of(OF_CANARY)}volume.cfg": delete})
    found = read(site, held=acting)
    assert list(found.checks) == []
    assert list(found.aside) == [(f"volume {OF_CANARY}", GHOST)]


def test_a_volume_of_an_engine_to_come_is_named_and_not_judged(site: Site) -> None:
    record = site.object(f"{folder_of(OF_CANARY)}volume.cfg")
    edited(record, lambda held: held.update(DataEngine='"v3"'))
    found = read(site)
    assert list(found.checks) == []
    assert [what for what, _ in found.aside] == [f"volume {OF_CANARY}"]


@pytest.mark.parametrize(
    ("volume", "backup", "cut"),
    [(OF_CANARY, "backup-c3", 0), (RAW, "backup-r1", 100), (RAW, "backup-r1", 0)],
)
def test_a_size_that_no_block_has_is_told_from_the_listing(
    site: Site, volume: str, backup: str, cut: int
) -> None:
    path = blocks_of(site, volume, backup)[0]
    path.write_bytes(path.read_bytes()[:cut])
    found = read(site, volume)
    assert reasons(found) == [Reason.RESTORE_POINT_DAMAGED]
    assert found.checks[0].check == "sizes of blocks"


def test_a_block_larger_than_any_is_told_too(site: Site) -> None:
    path = blocks_of(site, OF_SHOP, "backup-s2")[0]
    path.write_bytes(bytes(BLOCK + BLOCK // 10))
    assert reasons(read(site, OF_SHOP)) == [Reason.RESTORE_POINT_DAMAGED]


def test_orphans_locks_and_foreign_objects_are_counted(site: Site) -> None:
    put = into_folder(site.store)
    writer = VolumeWriter(put, OF_CANARY, 8 * BLOCK)
    writer.orphan(b"left behind" * 1000)
    age(site.object(put_lock(put, OF_CANARY, "lock-old")), 3600)
    age(site.object(put_lock(put, OF_CANARY, "lock-new")), 10)
    put(f"{folder_of(OF_CANARY)}blocks/00/00/not-a-block.txt", b"x")
    put(f"{folder_of(OF_CANARY)}notes/readme", b"x")
    found = read(site)
    assert list(found.checks) == []
    assert (found.orphans, found.expired_locks, found.foreign) == (1, 1, 2)
    assert found.orphan_bytes > 0


def test_what_belongs_to_no_volume_is_a_stray(site: Site) -> None:
    put = into_folder(site.store)
    put("backupstore/volumes/readme.txt", b"x")
    put("backupstore/volumes/aa/bb/pvc-moved/volume.cfg", b"{}")
    put("backupstore/volumes/aa/bb/BACKINGIMAGE/locks/lock-1.lck", b"{}")
    strays = {one.folder: one.count for one in shelves(objects(site)) if isinstance(one, Stray)}
    assert strays == {"backupstore/volumes/": 1, "backupstore/volumes/aa/bb/pvc-moved/": 1}
    names = [one.volume for one in shelves(objects(site)) if isinstance(one, Shelf)]
    assert sorted(names) == [OF_CANARY, OF_SHOP, RAW]


def test_folders_show_what_a_listing_does_not(site: Site) -> None:
    (site.store / "backupstore/volumes/00/11/pvc-ghost").mkdir(parents=True)
    found = folders(objects(site), 2, threading.Event())
    assert sorted(found) == [OF_CANARY, "pvc-ghost", OF_SHOP, RAW]


def test_an_empty_backup_of_an_empty_volume_is_a_backup(site: Site) -> None:
    writer = VolumeWriter(into_folder(site.store), "pvc-empty", 4 * BLOCK)
    writer.backup("backup-1", [], constant(bytes(BLOCK)))
    found = read(site, "pvc-empty")
    assert list(found.checks) == []
    assert found.newest is not None
    assert (found.newest.blocks, found.listed) == (0, 0)
