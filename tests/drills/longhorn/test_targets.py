"""Several backup targets: each volume is looked for in its own, and what is not read is named."""

import datetime
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from drills.backupstore.objects import Found, Objects
from drills.frame import Record
from drills.longhorn import controls
from drills.longhorn.controls import CONTROLS, planted, run_all
from drills.longhorn.drill import Lens
from drills.longhorn.history import REBUILT, History
from drills.verdict import Reason, Verdict
from s3.errors import Cause, store_error
from tests.drills.longhorn.site import (
    ARCHIVE,
    BUCKET,
    CANARY,
    CLAIM,
    HOUR,
    IN_ARCHIVE,
    NOW,
    OF_BOOKS,
    OF_CANARY,
    OF_SHOP,
    RAW,
    Site,
    further,
    payload_of,
    run_through,
    with_archive,
)
from tests.drills.longhorn.test_controls import OF_FURTHER, OF_LIVE
from tests.support.longhorn_store import (
    BLOCK,
    START,
    VolumeWriter,
    content,
    folder_of,
    into_folder,
)

OFFSITE = "offsite"
NO_KEY = "it lies in another store, of which the drill has no key"
UNREAD = [{"name": OFFSITE, "why": NO_KEY}]


@pytest.fixture
def two(site: Site) -> Site:
    """A site whose volumes go to two targets."""
    with_archive(site)
    return site


def proven(record: Record) -> bool:
    return record.judgement().verdict is Verdict.PROVEN


def reason(record: Record) -> Reason | None:
    return record.judgement().reason


def failed(record: Record) -> dict[str, str]:
    return {f"{one.client}: {one.check}": one.observed for one in record.checks if not one.ok}


def red(record: Record) -> dict[str, Reason]:
    return {one.check: one.reason for one in record.checks if one.reason is not None}


def compared(record: Record) -> dict[str, int]:
    return {one.what: one.count for one in record.compared}


def aside(record: Record) -> dict[str, str]:
    return {one.what: one.why for one in record.not_compared}


def test_each_volume_is_looked_for_in_its_own_target(two: Site) -> None:
    record = two.run(**further())
    assert proven(record), failed(record)
    told = compared(record)
    assert (told["records of backups"], told[f"records of backups{IN_ARCHIVE}"]) == (6, 2)
    assert told["coverage of volumes"] == 4
    assert told[f"image of {OF_BOOKS}{IN_ARCHIVE}"] == 1
    assert any(f"content of blocks{IN_ARCHIVE}" in what for what in (*told, *aside(record)))
    assert not any(what.startswith("coverage of pvc") for what in aside(record))
    assert {one.observed for one in record.checks if one.check == "backup target archive"} == {
        f"s3://{BUCKET}@eu-west-1/archive/"
    }
    assert list(two.scratch.iterdir()) == []


def test_lines_about_the_first_target_are_those_of_a_site_with_no_other(two: Site) -> None:
    with_other = two.run(**further(depth="full"))
    for path in [path for path in two.cluster.objects if path.endswith((OF_BOOKS, ARCHIVE))]:
        del two.cluster.objects[path]
    alone = two.run(depth="full")
    assert {one.what for one in alone.compared} < {one.what for one in with_other.compared}
    assert {(one.client, one.check) for one in alone.checks} < {
        (one.client, one.check) for one in with_other.checks
    }


def test_a_target_that_the_payload_does_not_know_is_named_with_its_volumes(two: Site) -> None:
    record = two.run()
    assert reason(record) is Reason.UNPROTECTED
    (seen,) = failed(record).values()
    assert seen.startswith("it is backed up to target archive, which is not drilled: the stack ")
    assert aside(record)[f"backups in target {ARCHIVE}"].endswith(
        "volumes of the cluster that are backed up to it: 1"
    )


def test_a_target_that_nobody_has_is_told_as_such(site: Site) -> None:
    site.add_volume(OF_SHOP, "shop", "data", backupTargetName="arhcive")
    record = site.run(**further(targets=[]))
    (seen,) = failed(record).values()
    assert "target arhcive, which is not drilled" in seen
    assert "and Longhorn has no such target" in seen
    assert "backups of it are in target default" in seen


def test_volumes_of_a_target_that_is_not_read_are_unprotected_by_name(two: Site) -> None:
    two.cluster.add("backuptargets", OFFSITE, spec={"backupTargetURL": "nfs://10.0.0.9:/share"},
                    status={"available": True})  # fmt: skip
    two.add_volume("pvc-far", "shop", "far", backupTargetName=OFFSITE)
    two.cluster.answer("volumes", "pvc-far", lastBackup="backup-f1")
    record = two.run(**further(unread=UNREAD))
    assert red(record) == {"pvc-far (shop/far)": Reason.UNPROTECTED}
    (seen,) = failed(record).values()
    assert NO_KEY in seen
    assert "Longhorn knows of backup-f1" in seen
    told = aside(record)[f"backups in target {OFFSITE}"]
    assert told == (
        f"{NO_KEY}; Longhorn has it at nfs://10.0.0.9:/share; "
        "volumes of the cluster that are backed up to it: 1"
    )
    excused = two.run(
        **further(unread=UNREAD, exceptions=[{"volume": "pvc-far", "why": "drilled by its owner"}])
    )
    assert proven(excused), failed(excused)
    assert aside(excused)["coverage of pvc-far (shop/far)"] == "excused: drilled by its owner"
    assert f"backups in target {OFFSITE}" in aside(excused)


def test_without_volumes_a_target_that_is_not_read_is_named_and_turns_nothing_red(
    two: Site,
) -> None:
    two.cluster.add("backuptargets", "by-hand", spec={}, status={})
    for changes in ({}, {"cluster": None, "canary": None}):
        record = two.run(**further(unread=UNREAD, **changes))
        assert proven(record), failed(record)
        assert aside(record)[f"backups in target {OFFSITE}"].startswith(NO_KEY)
    record = two.run(**further(unread=UNREAD))
    assert "declares no such target" in aside(record)["backups in target by-hand"]


def test_a_target_that_is_not_read_is_named_though_nothing_else_could_be_looked_at(
    two: Site,
) -> None:
    """Else a site with all its volumes there would not know where they are."""
    for root in (two.store, two.archive):
        shutil.rmtree(root)
        root.mkdir()
    record = two.run(**further(unread=UNREAD))
    assert reason(record) is Reason.RESTORE_POINT_MISSING
    assert f"backups in target {OFFSITE}" in aside(record)


def test_a_volume_of_no_job_and_no_read_target_is_told_for_both(two: Site) -> None:
    label = {"recurring-job.longhorn.io/gone": "enabled"}
    two.add_volume("pvc-far", labels=label, backupTargetName=OFFSITE)
    record = two.run(**further(unread=UNREAD))
    seen = [one.observed for one in record.checks if one.check == "pvc-far"]
    assert len(seen) == 2


def block_of(site: Site) -> Any:
    return min((site.archive / folder_of(OF_BOOKS) / "blocks").rglob("*.blk"))


def test_a_missing_block_in_a_further_target_is_red_and_names_it(two: Site) -> None:
    block_of(two).unlink()
    record = two.run(**further())
    assert reason(record) is Reason.BLOCK_LOST
    assert f"{OF_BOOKS}{IN_ARCHIVE}" in record.judgement().detail
    assert OF_SHOP not in record.judgement().detail


def test_a_damaged_block_in_a_further_target_is_red_and_names_it(two: Site) -> None:
    block = block_of(two)
    held = bytearray(block.read_bytes())
    held[len(held) // 2] ^= 1
    block.write_bytes(held)
    record = two.run(Lens(restores=False), **further(depth="full"))
    assert reason(record) is Reason.RESTORE_POINT_DAMAGED
    assert f"{OF_BOOKS}{IN_ARCHIVE}" in record.judgement().detail


def test_a_further_target_in_another_place_than_the_one_drilled_is_lost_scope(two: Site) -> None:
    moved = [{"name": ARCHIVE, "bucket": BUCKET, "prefix": "elsewhere/"}]
    record = two.run(**further(targets=moved))
    assert red(record) == {
        "backup target archive": Reason.SCOPE_LOST,
        f"{OF_BOOKS} (books/ledger)": Reason.VOLUME_LOST,
    }
    assert reason(record) is Reason.SCOPE_LOST
    seen = failed(record)[f"longhorn: {OF_BOOKS} (books/ledger)"]
    assert seen == "no finished backup of it is in target archive"


def test_a_further_target_that_is_away_protects_nothing(two: Site) -> None:
    two.cluster.answer("backuptargets", ARCHIVE, available=False)
    record = two.run(**further())
    assert red(record) == {"backup target archive": Reason.UNPROTECTED}


def test_backups_in_another_target_than_the_volumes_are_no_backups_of_it(two: Site) -> None:
    """It was moved, and its next backup is yet to be made where it goes now."""
    two.add_volume(OF_SHOP, "shop", "data", backupTargetName=ARCHIVE)
    record = two.run(**further())
    assert red(record) == {f"{OF_SHOP} (shop/data)": Reason.VOLUME_LOST}
    assert failed(record)[f"longhorn: {OF_SHOP} (shop/data)"] == (
        "no finished backup of it is in target archive; backups of it are in target default"
    )
    assert aside(record)[f"coverage of {OF_SHOP}"].startswith("the volume goes to target archive")
    rebuilt = {one.client for one in record.checks if one.check == REBUILT}
    assert OF_SHOP not in rebuilt


def test_a_volume_that_was_moved_is_as_young_as_where_it_goes_now(two: Site) -> None:
    limits = {"rtoSeconds": 600, "rpoSeconds": 4 * 3600 + 60}
    two.now = NOW + HOUR
    told = f"{OF_SHOP} (shop/data)"
    assert red(two.run(**further(limits=limits)))[told] is Reason.OVER_RPO
    two.add_volume(OF_SHOP, "shop", "data", backupTargetName=ARCHIVE)
    moved = VolumeWriter(into_folder(two.archive), OF_SHOP, 8 * BLOCK, start=START + 3 * HOUR)
    moved.backup("backup-m1", [0], content("m1", noise=0.01))
    assert told not in red(two.run(**further(limits=limits)))


def test_the_stalest_backup_is_told_with_its_target(two: Site) -> None:
    old = VolumeWriter(into_folder(two.archive), "pvc-old", 2 * BLOCK, start=START - HOUR)
    old.backup("backup-o1", [0], content("o1", noise=0.01))
    two.add_volume("pvc-old", backupTargetName=ARCHIVE)
    record = two.run(**further(limits={"rtoSeconds": 600, "rpoSeconds": 7 * 3600}, canary=None))
    assert proven(record), failed(record)
    assert record.point is not None
    assert record.point.name == f"pvc-old{IN_ARCHIVE}/backup-o1"


def test_an_empty_further_target_is_named_where_no_volume_goes_there(two: Site) -> None:
    shutil.rmtree(two.archive)
    for path in [path for path in two.cluster.objects if path.endswith(OF_BOOKS)]:
        del two.cluster.objects[path]
    two.archive.mkdir()
    record = two.run(**further())
    assert proven(record), failed(record)
    assert aside(record)[f"backups in target {ARCHIVE}"] == (
        f"no finished backup of any volume is below s3://{BUCKET}@eu-west-1/archive/"
    )


def test_without_a_cluster_an_empty_target_is_red(two: Site) -> None:
    assert proven(two.run(**further(cluster=None, canary=None)))
    shutil.rmtree(two.archive)
    two.archive.mkdir()
    record = two.run(**further(cluster=None, canary=None))
    assert reason(record) is Reason.RESTORE_POINT_MISSING
    assert list(failed(record)) == [f"store{IN_ARCHIVE}: backups"]


def test_an_empty_first_target_hides_no_other(two: Site) -> None:
    shutil.rmtree(two.store)
    two.store.mkdir()
    record = two.run(**further())
    lost = {f"{OF_CANARY} ({CANARY}/{CLAIM})", f"{OF_SHOP} (shop/data)", RAW}
    assert red(record) == dict.fromkeys(lost, Reason.VOLUME_LOST)
    assert compared(record)[f"records of backups{IN_ARCHIVE}"] == 2


def test_where_all_are_empty_nothing_is_there_to_be_restored(two: Site) -> None:
    for root in (two.store, two.archive):
        shutil.rmtree(root)
        root.mkdir()
    record = two.run(**further())
    assert reason(record) is Reason.RESTORE_POINT_MISSING
    assert "/site/, s3://dev-longhorn@eu-west-1/archive/" in record.judgement().detail


class Refusing:
    """A place that the key has no right to."""

    def list(self, folder: str) -> Iterator[Found]:
        raise self._error(folder)

    def folders(self, folder: str) -> Iterator[str]:
        raise self._error(folder)

    def get(self, key: str, limit: int) -> bytes:
        raise self._error(f"{key} up to {limit}")

    def head(self, key: str) -> Found | None:
        raise self._error(key)

    def _error(self, key: str) -> Exception:
        return store_error(Cause.ACCESS_DENIED, "https://store:1", key)


def test_a_further_target_that_may_not_be_read_ends_the_drill_with_its_name(two: Site) -> None:
    def refusing(_name: str, _objects: Objects) -> Objects:
        return Refusing()

    record = two.run(Lens(further=refusing), **further())
    assert reason(record) is Reason.POLICY_TOO_NARROW
    assert list(failed(record)) == [f"store{IN_ARCHIVE}: backups"]
    assert compared(record)["records of backups"] == 6
    assert [one.name for one in record.phases] == ["find", "records", "clean up"]


def move_canary(site: Site) -> None:
    shutil.copytree(site.store / folder_of(OF_CANARY), site.archive / folder_of(OF_CANARY))
    site.add_volume(OF_CANARY, CANARY, CLAIM, backupTargetName=ARCHIVE)


def test_a_canary_in_a_further_target_is_witnessed_there_and_nowhere_else(two: Site) -> None:
    move_canary(two)
    for depth in ("quick", "full"):
        record = two.run(**further(depth=depth))
        assert proven(record), failed(record)
        assert compared(record)[f"files of {OF_CANARY}{IN_ARCHIVE}"] == 6
        assert f"files of {OF_CANARY}" not in compared(record)
        newest = max(int(key[-17:-5]) for key in two.truths.memory.kept)
        assert record.rpo_seconds == pytest.approx(NOW.timestamp() - newest, abs=1)
    next(two.images.tree.rglob("page")).write_bytes(b"x" * 4096)
    record = two.run(**further())
    assert reason(record) is Reason.CONTENT_DIFFERS
    assert f"{OF_CANARY}{IN_ARCHIVE}" in record.judgement().detail


def test_each_target_has_a_turn_of_its_own(two: Site) -> None:
    put = into_folder(two.archive)
    VolumeWriter(put, "pvc-a", 2 * BLOCK).backup("backup-a", [0], content("a", noise=0.01))
    two.add_volume("pvc-a", backupTargetName=ARCHIVE)
    minute = datetime.timedelta(minutes=1)
    taken: list[set[str]] = []
    for day in range(2):
        record = two.run(**further(canary=None))
        rebuilt = [one.client for one in record.checks if one.check == REBUILT]
        taken.append(set(rebuilt))
        trials = [(name, NOW - (9 - day) * minute) for name in rebuilt]
        two.history = History(None, (*two.history.trials, *trials))
    assert [len(one) for one in taken] == [2, 2]
    in_archive = {name for one in taken for name in one if name.endswith(IN_ARCHIVE)}
    assert in_archive == {f"pvc-a{IN_ARCHIVE}", f"{OF_BOOKS}{IN_ARCHIVE}"}
    assert taken[0].isdisjoint(taken[1])


def test_a_history_tells_equal_names_in_two_targets_apart() -> None:
    trials = (("pvc-a", NOW), (f"pvc-b{IN_ARCHIVE}", NOW), ("pvc-c (target other)", NOW))
    found = History(None, trials, trials)
    assert found.of("").trials == (("pvc-a", NOW),)
    assert found.of(IN_ARCHIVE).trials == found.of(IN_ARCHIVE).restored == (("pvc-b", NOW),)


@pytest.mark.parametrize("name", sorted(OF_FURTHER))
def test_a_fault_in_a_further_target_is_noticed_and_named(two: Site, name: str) -> None:
    drill = two.make(payload_of(**further()))
    assert proven(run_through(drill))
    control = next(one for one in CONTROLS if one.name == name)
    ready = planted(control, drill, two.make)
    judged = ready.run()
    assert ready.result(judged).killed
    assert IN_ARCHIVE in judged.detail


def test_what_a_fault_in_a_further_target_is_planted_in_is_sound(two: Site) -> None:
    drill = two.make(payload_of(**further()))
    assert proven(run_through(drill))
    target, _ = controls._chosen(drill)
    blunt = controls._beside_home(drill, two.make, target, lambda _name, objects: objects)
    record = run_through(blunt)
    assert proven(record), failed(record)


@pytest.mark.parametrize("moved", [False, True], ids=["", "with a volume that was moved"])
@pytest.mark.parametrize("depth", ["quick", "full"])
def test_every_control_of_the_store_is_killed_beside_a_further_target(
    two: Site, depth: str, *, moved: bool
) -> None:
    if moved:
        # What is left of it in the first target is the smallest there.
        shutil.copytree(two.store / folder_of(RAW), two.archive / folder_of(RAW))
        two.add_volume(RAW, backupTargetName=ARCHIVE)
    score = run_all(payload_of(**further(depth=depth)), two.make, lambda _line: None)
    assert {one.name: one.reason for one in score.controls if not one.killed} == {}
    assert score.complete
    assert {one.name for one in score.controls} == set(controls.names()) - OF_LIVE


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"targets": [{"name": "default", "bucket": "b12", "prefix": ""}]}, "default is given"),
        ({"unread": [{"name": ARCHIVE, "why": "x"}]}, "archive is given twice"),
        ({"unread": [{"name": "x", "why": " "}]}, "why"),
        ({"targets": [{"name": "x", "bucket": BUCKET, "prefix": "site/x/"}]}, "where default does"),
        ({"targets": [{"name": "x", "bucket": BUCKET, "prefix": ""}]}, "where default does"),
    ],
    ids=["a name", "a name that is not read", "no why", "a folder within", "the whole bucket"],
)
def test_targets_that_cannot_be_meant_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match="validation error") as error:
        payload_of(**further(**changes))
    assert named in str(error.value)


def test_a_receipt_tells_no_volume_twice(two: Site) -> None:
    record = two.run(**further(depth="full"))
    whats = [one.what for one in record.compared]
    assert len(whats) == len(set(whats)), json.dumps(whats)
