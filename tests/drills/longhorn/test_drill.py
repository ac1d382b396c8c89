"""The whole drill over a store of files: what it proves and finds, and what it does not claim."""

import datetime
import json
from pathlib import Path

import pytest

from drills.canary.truth import Fault, TruthError
from drills.frame import Record
from drills.images.check import Checked
from drills.images.errors import Fault as ImageFault
from drills.images.errors import ImageError
from drills.images.recognise import Contents, Kind
from drills.longhorn.drill import Lens, LonghornDrill
from drills.longhorn.expected import Live
from drills.longhorn.history import REBUILT, History
from drills.longhorn.live.part import PATH
from drills.longhorn.shares import part_of, part_of_day
from drills.verdict import Reason, Verdict
from tests.drills.longhorn.acting import Acting
from tests.drills.longhorn.site import (
    CANARY,
    CLAIM,
    HOUR,
    NOW,
    OF_CANARY,
    OF_SHOP,
    RAW,
    Site,
    payload_of,
    run_through,
)
from tests.drills.longhorn.test_records import blocks_of, edited, remove_backup
from tests.kube.fakes import status
from tests.support.longhorn_store import (
    BLOCK,
    VolumeWriter,
    content,
    folder_of,
    into_folder,
    put_backing_image,
    put_system_backup,
)

DAYS = 3


def reason(record: Record) -> Reason | None:
    return record.judgement().reason


def proven(record: Record) -> bool:
    return record.judgement().verdict is Verdict.PROVEN


def compared(record: Record) -> dict[str, int]:
    return {one.what: one.count for one in record.compared}


def aside(record: Record) -> dict[str, str]:
    return {one.what: one.why for one in record.not_compared}


def failed(record: Record) -> list[str]:
    return [f"{one.client}: {one.check}: {one.observed}" for one in record.checks if not one.ok]


def day_of(block: Path) -> datetime.date:
    """A day on which the quick depth reads a block."""
    digest = bytes.fromhex(block.stem)
    wait = (part_of(digest, DAYS) - part_of_day(NOW.date(), DAYS)) % DAYS
    return NOW.date() + datetime.timedelta(days=wait)


def flip(block: Path) -> None:
    held = bytearray(block.read_bytes())
    held[len(held) // 2] ^= 1
    block.write_bytes(held)


def no_image(day: datetime.date | None = None) -> Lens:
    return Lens(day=day, restores=False)


def test_a_sound_site_is_proven(site: Site) -> None:
    record = site.run()
    assert proven(record), failed(record)
    assert [one.name for one in record.phases] == [
        "find", "records", "coverage", "blocks", "rebuild", "time", "clean up",
    ]  # fmt: skip
    assert compared(record)["records of backups"] == 6
    assert compared(record)["presence and size of blocks"] == 21
    assert compared(record)["files of pvc-canary"] == 6
    assert aside(record)["attaching and mounting by Longhorn"] == PATH
    assert set(record.rto) == {"records", "rebuild", "file system"}
    assert list(site.scratch.iterdir()) == []


def test_the_restore_point_is_the_stalest_newest_backup_and_the_rpo_the_canarys(
    site: Site,
) -> None:
    record = site.run()
    assert record.point is not None
    assert record.point.name == "pvc-shop/backup-s2"
    assert record.point.age_seconds == 4 * 3600 + 3
    newest = max(int(key[-17:-5]) for key in site.truths.memory.kept)
    assert record.rpo_seconds == pytest.approx(NOW.timestamp() - newest, abs=1)
    assert site.run(canary=None).rpo_seconds == 4 * 3600 + 3


def test_full_depth_reads_every_block_and_rebuilds_every_volume(site: Site) -> None:
    record = site.run(depth="full")
    assert proven(record), failed(record)
    assert compared(record)["content of blocks"] == 21
    assert "content of blocks" not in aside(record)
    rebuilt = {one.client for one in record.checks if one.check == REBUILT}
    assert rebuilt == {OF_CANARY, OF_SHOP, RAW}
    assert site.images.seen == [8 * BLOCK, 8 * BLOCK, 4 * BLOCK] or len(site.images.seen) == 3


def test_quick_depth_says_how_many_blocks_it_did_not_read(site: Site) -> None:
    record = site.run()
    read = compared(record)["content of blocks"]
    left = next(one for one in record.not_compared if one.what == "content of blocks")
    assert 0 < read < 21
    assert read + left.count == 21
    assert "every block is read within 3 days" in left.why


def test_a_damaged_block_is_found_on_the_day_it_is_due_and_claimed_on_no_other(
    site: Site,
) -> None:
    block = blocks_of(site, OF_SHOP, "backup-s1")[0]
    sound = {
        day: compared(site.run(no_image(day)))["content of blocks"]
        for day in (NOW.date() + datetime.timedelta(days=one) for one in range(DAYS))
    }
    flip(block)
    due = day_of(block)
    for day, count in sound.items():
        record = site.run(no_image(day))
        if day == due:
            assert reason(record) is Reason.RESTORE_POINT_DAMAGED
            assert f"block {block.stem[:12]}" in failed(record)[0]
            assert "listed by backup-s1, backup-s2" in failed(record)[0]
        else:
            assert proven(record), failed(record)
            assert compared(record)["content of blocks"] == count
    assert sum(sound.values()) == 21


def test_full_depth_finds_it_on_any_day(site: Site) -> None:
    flip(blocks_of(site, OF_SHOP, "backup-s1")[0])
    assert reason(site.run(no_image(), depth="full")) is Reason.RESTORE_POINT_DAMAGED


def test_a_drill_that_was_left_out_is_made_up_for(site: Site) -> None:
    site.history = History(NOW.date() - datetime.timedelta(days=2))
    read = compared(site.run(no_image()))["content of blocks"]
    alone = [
        compared(site.run(no_image(NOW.date() - datetime.timedelta(days=back))))
        for back in range(2)
    ]
    assert read == sum(one["content of blocks"] for one in alone)
    site.history = History(NOW.date() - datetime.timedelta(days=30))
    assert compared(site.run(no_image()))["content of blocks"] == 21


def test_a_missing_block_is_red_on_every_day(site: Site) -> None:
    blocks_of(site, OF_SHOP, "backup-s1")[0].unlink()
    for back in range(DAYS):
        day = NOW.date() + datetime.timedelta(days=back)
        assert reason(site.run(no_image(day))) is Reason.BLOCK_LOST


def test_blocks_that_retention_deletes_while_they_are_read_are_no_fault(site: Site) -> None:
    own = blocks_of(site, OF_CANARY, "backup-c1")[0]

    def retention() -> None:
        remove_backup(site, OF_CANARY, "backup-c1")
        own.unlink()

    acting = {own.name: retention}
    lens = Lens(lambda held: Acting(held, {**acting}), restores=False)
    record = site.run(lens, depth="full")
    assert proven(record), failed(record)
    assert compared(record)["content of blocks"] == 20
    assert aside(record)["content of blocks"].startswith("they were deleted meanwhile")


def test_a_backup_that_is_deleted_before_its_image_is_rebuilt_is_no_fault(site: Site) -> None:
    acting = {f"get {folder_of(RAW)}blocks": lambda: remove_backup(site, RAW, "backup-r1")}
    lens = Lens(lambda held: Acting(held, {**acting}), reads=True)
    record = site.run(lens, depth="full")
    assert proven(record), failed(record)
    assert aside(record)[f"image of {RAW}"] == "backup backup-r1 was deleted while it was read"


def test_a_damaged_block_of_a_rebuilt_image_is_red_on_any_day(site: Site) -> None:
    block = blocks_of(site, OF_CANARY, "backup-c3")[5]
    flip(block)
    other = day_of(block) + datetime.timedelta(days=1)
    record = site.run(Lens(day=other))
    assert reason(record) is Reason.RESTORE_POINT_DAMAGED
    assert any(REBUILT in one for one in failed(record))
    assert list(site.scratch.iterdir()) == []


def test_no_finished_backup_at_all_is_unproven(site: Site) -> None:
    for name in (OF_CANARY, OF_SHOP, RAW):
        for path in site.object(folder_of(name)).rglob("*.*"):
            path.unlink()
    record = site.run()
    assert reason(record) is Reason.RESTORE_POINT_MISSING
    assert record.judgement().verdict is Verdict.UNPROVEN
    assert "s3://dev-longhorn@eu-west-1/site/" in record.judgement().detail
    assert "ghost volumes pvc-canary, pvc-shop, raw-01" in aside(record)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (Live(), Reason.NOTHING_TO_CHECK),
        (Live(installed=False), Reason.RESTORE_POINT_MISSING),
    ],
)
def test_a_cluster_that_has_no_volume_yet_has_lost_none(
    site: Site, live: Live, expected: Reason
) -> None:
    for one in (site.store / "backupstore").rglob("*.*"):
        one.unlink()
    record = site.run(Lens(live=lambda _seen: live))
    assert {one.reason for one in record.checks if one.client == "store"} == {expected}
    assert record.judgement().verdict is Verdict.UNPROVEN


def test_a_volume_without_its_record_is_damage_and_no_empty_store(site: Site) -> None:
    for name in (OF_CANARY, OF_SHOP, RAW):
        site.object(f"{folder_of(name)}volume.cfg").unlink()
    record = site.run()
    assert Reason.RESTORE_POINT_DAMAGED in {one.reason for one in record.checks}
    assert not proven(record)


def test_another_cluster_ends_the_drill_before_anything_is_read(site: Site) -> None:
    site.cluster.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"] = "another"
    record = site.run()
    assert reason(record) is Reason.CLUSTER_MISMATCH
    assert [one.name for one in record.phases] == ["find", "clean up"]


def test_a_cluster_that_is_away_is_unreachable(site: Site) -> None:
    site.cluster.refuse = lambda _method, _path: OSError("no route")
    assert reason(site.run()) is Reason.CLUSTER_UNREACHABLE


def test_a_cluster_without_longhorn_is_red_though_the_store_is_sound(site: Site) -> None:
    site.cluster.refuse = lambda _method, path: (
        status(404, "not found", "NotFound") if "longhorn.io" in path else None
    )
    record = site.run(canary=None)
    assert reason(record) is Reason.SCOPE_LOST
    assert compared(record)["records of backups"] == 6


def test_without_a_cluster_the_store_is_drilled_alone_and_says_so(site: Site) -> None:
    record = site.run(cluster=None)
    assert proven(record), failed(record)
    assert "the volumes of the cluster" in aside(record)
    assert record.point is not None
    # By its own record nothing says which volume was the canary's.
    assert aside(record)[f"canary volume {CANARY}/{CLAIM}"].startswith("no volume of Longhorn")


def test_without_a_cluster_the_records_say_whose_volume_it_was(site: Site) -> None:
    held = json.dumps({"namespace": CANARY, "pvcName": CLAIM})
    edited(
        site.object(f"{folder_of(OF_CANARY)}volume.cfg"),
        lambda record: record.update(Labels={"KubernetesStatus": held}),
    )
    record = site.run(cluster=None)
    assert compared(record)["files of pvc-canary"] == 6


def test_a_volume_that_left_the_cluster_is_told_and_read_like_the_others(site: Site) -> None:
    for path in [path for path in site.cluster.objects if path.endswith(RAW)]:
        del site.cluster.objects[path]
    record = site.run(depth="full")
    assert proven(record), failed(record)
    assert aside(record)[f"coverage of {RAW}"].startswith("the cluster has no such volume any more")
    assert compared(record)["content of blocks"] == 21


def test_a_snapshot_from_the_future_is_a_clock_gone_wrong(site: Site) -> None:
    site.now = NOW - datetime.timedelta(hours=5)
    assert reason(site.run(canary=None)) is Reason.CLOCK_SKEW


def test_too_old_a_backup_is_red_by_name(site: Site) -> None:
    record = site.run(limits={"rtoSeconds": 600, "rpoSeconds": 3 * 3600 + 60}, canary=None)
    assert reason(record) is Reason.OVER_RPO
    assert [one for one in failed(record) if "pvc-shop (shop/data)" in one]
    assert len(failed(record)) == 1


def test_a_canary_that_stood_still_is_over_rpo_though_its_backup_is_young(site: Site) -> None:
    record = site.run(limits={"rtoSeconds": 600, "rpoSeconds": 4 * 3600 + 60})
    assert proven(record), failed(record)
    record = site.run(limits={"rtoSeconds": 600, "rpoSeconds": 2 * 3600})
    assert any("age of the newest data that came back" in one for one in failed(record))


def test_other_content_than_the_canary_wrote_is_red(site: Site) -> None:
    next(site.images.tree.rglob("page")).write_bytes(b"x" * 4096)
    record = site.run()
    assert reason(record) is Reason.CONTENT_DIFFERS
    assert failed(record)[0].startswith("pvc-canary: content of the volume")


def test_where_no_truth_can_be_used_nothing_is_proven(site: Site) -> None:
    site.truths.fault = TruthError(Fault.DIGEST, "the truth is damaged")
    record = site.run()
    assert reason(record) is Reason.NOTHING_TO_CHECK
    assert Reason.TRUTH_UNUSABLE in {one.reason for one in record.checks}
    assert "files of pvc-canary" not in compared(record)


def rot(site: Site, which: int) -> str:
    """One truth is changed by somebody; gives the generation that it is of."""
    kept = site.truths.memory.kept
    key = sorted(kept)[which]
    kept[key] = kept[key].replace(b"4096", b"4097")
    return str(int(Path(key).stem))


@pytest.mark.parametrize("which", [0, 1])
def test_a_truth_that_must_not_be_used_is_told_and_the_others_count(site: Site, which: int) -> None:
    generation = rot(site, which)
    record = site.run()
    assert reason(record) is Reason.TRUTH_UNUSABLE
    (told,) = failed(record)
    assert told.startswith(f"{OF_CANARY}: generations of the canary: generation {generation} ")
    assert compared(record)["files of pvc-canary"] == 3
    assert aside(record)["entries of generations of pvc-canary"] == "their truth must not be used"
    assert record.rpo_seconds is not None


def test_beside_a_truth_that_must_not_be_used_a_fault_is_still_found(site: Site) -> None:
    rot(site, 0)
    for page in site.images.tree.rglob("page"):
        page.write_bytes(b"x" * 4096)
    record = site.run()
    assert reason(record) is Reason.CONTENT_DIFFERS
    assert Reason.TRUTH_UNUSABLE in {one.reason for one in record.checks}


def test_a_canary_on_no_volume_of_longhorn_is_named(site: Site) -> None:
    fields = {"namespace": CANARY, "bucket": "dev-evidence", "prefix": "canary/",
              "volumes": [{"name": "data", "claim": "elsewhere"}]}  # fmt: skip
    record = site.run(canary=fields)
    assert proven(record), failed(record)
    assert aside(record)[f"canary volume {CANARY}/elsewhere"] == (
        "no volume of Longhorn is behind its claim"
    )


def test_a_file_system_that_is_not_sound_is_red(site: Site) -> None:
    site.images.checked = Checked(False, "e2fsck", "inode 12 is lost")
    record = site.run()
    assert reason(record) is Reason.RESTORE_POINT_DAMAGED
    assert any("inode 12 is lost" in one for one in failed(record))


def test_without_the_tool_nothing_is_said_of_the_file_system(site: Site) -> None:
    site.images.checked = Checked(None, "", "e2fsck is not installed")
    record = site.run()
    assert proven(record)
    assert "file system of pvc-canary" not in compared(record)
    assert aside(record)["soundness of the file system of pvc-canary"] == "e2fsck is not installed"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kind.LUKS, "it is encrypted, and the drill has no key"),
        (Kind.SWAP, "it is swap space"),
        (Kind.EMPTY, "nothing was ever written to it"),
        (Kind.UNKNOWN, "it is none that is known (btrfs)"),
    ],
)
def test_what_holds_no_known_file_system_is_named(site: Site, kind: Kind, why: str) -> None:
    site.images.contents = Contents(kind, "btrfs")
    record = site.run(canary=None)
    assert proven(record), failed(record)
    named = {what: said for what, said in aside(record).items() if what.startswith("file system")}
    assert set(named.values()) == {why}


def test_files_of_the_canary_that_cannot_be_read_are_damage_or_named(site: Site) -> None:
    site.images.fault = ImageError(ImageFault.DAMAGED, "inode 7 points outside")
    assert reason(site.run()) is Reason.RESTORE_POINT_DAMAGED
    site.images.fault = ImageError(ImageFault.UNSUPPORTED, "ext4 with inline data")
    record = site.run()
    assert proven(record), failed(record)
    assert aside(record)["canary files of pvc-canary"] == "ext4 with inline data"


def test_volumes_that_blocks_alone_do_not_make_up_are_named(site: Site) -> None:
    put = into_folder(site.store)
    upon = VolumeWriter(put, "pvc-upon", 2 * BLOCK, backing_image="debian")
    upon.backup("backup-1", [0], content("u", noise=0.01))
    newer = VolumeWriter(put, "pvc-newer", 2 * BLOCK, data_engine="v2")
    newer.backup("backup-1", [0], content("n", noise=0.01))
    site.add_volume("pvc-upon")
    site.add_volume("pvc-newer")
    record = site.run(depth="full")
    assert proven(record), failed(record)
    assert "backing image debian" in aside(record)["image of pvc-upon"]
    assert "v2" in aside(record)["image of pvc-newer"]
    assert compared(record)["content of blocks"] == 23


def test_what_holds_more_than_the_limit_is_not_rebuilt_and_says_so(site: Site) -> None:
    record = site.run(depth="full", rebuildLimit=4 * BLOCK)
    assert proven(record), failed(record)
    rebuilt = {one.client for one in record.checks if one.check == REBUILT}
    assert rebuilt == {RAW}
    assert "rebuildLimit" in aside(record)["image of pvc-canary, pvc-shop"]


def test_oddities_beside_the_volumes_turn_nothing_red(site: Site) -> None:
    put = into_folder(site.store)
    put_system_backup(put, "nightly-1")
    put_system_backup(put, "nightly-2", edit=lambda record: record.update(Name="other"))
    put_backing_image(put, "debian")
    put("velero/backups/daily/x", b"x")
    put("backupstore/notes/x", b"x")
    put("backupstore/volumes/readme.txt", b"x")
    (site.store / "backupstore/volumes/00/11/pvc-ghost").mkdir(parents=True)
    record = site.run()
    assert proven(record), failed(record)
    told = set(aside(record))
    assert {
        "system backups", "a damaged system backup", "backing images debian",
        "foreign folders backupstore/notes/, velero/", "foreign objects among the volumes",
        "ghost volumes pvc-ghost",
    } <= told  # fmt: skip


def test_no_room_for_an_image_is_no_fault_of_the_backup(site: Site) -> None:
    drill = site.make(payload_of())
    image = drill.edges.scratch.image(OF_CANARY)
    image.write_bytes(b"somebody else's")
    record = run_through(drill)
    assert reason(record) is Reason.TARGET_REFUSED
    assert record.judgement().verdict is Verdict.UNPROVEN


def test_a_scratch_folder_that_cannot_be_written_to_is_told_as_such(site: Site) -> None:
    drill = site.make(payload_of())
    drill.edges.scratch.above = site.folder / "no-such-folder"
    record = run_through(drill)
    assert reason(record) is Reason.TARGET_REFUSED
    assert "give scratch a folder" in record.judgement().detail


def test_an_empty_place_that_longhorn_does_not_back_up_to_is_the_wrong_place(site: Site) -> None:
    record = site.run(target={"bucket": "dev-longhorn", "prefix": "elsewhere/"})
    assert reason(record) is Reason.SCOPE_LOST
    assert Reason.RESTORE_POINT_MISSING in {one.reason for one in record.checks}


def test_a_restore_that_takes_too_long_is_over_rto(site: Site) -> None:
    assert reason(site.run(limits={"rtoSeconds": 1e-9, "rpoSeconds": 21600})) is Reason.OVER_RTO


def test_when_the_drills_time_is_over_it_ends_and_says_so(site: Site) -> None:
    site.stop.set()
    record = site.run()
    assert reason(record) is Reason.RESTORE_TIMEOUT
    assert "7200 s (drillSeconds)" in record.judgement().detail
    assert list(site.scratch.iterdir()) == []


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("word", ["volume.cfg", "blocks", "backups/backup_backup-c3"])
def test_an_interrupt_leaves_no_image_behind(site: Site, word: str) -> None:
    acts = {f"get {folder_of(OF_CANARY)}{word}": interrupt}
    drill: LonghornDrill = site.make(payload_of(), Lens(lambda held: Acting(held, {**acts})))
    with pytest.raises(KeyboardInterrupt):
        run_through(drill)
    assert list(site.scratch.iterdir()) == []


def test_an_interrupt_while_an_image_is_judged_leaves_none_either(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def judged(*_: object) -> None:
        seen.extend(1 for _ in site.scratch.rglob("*.img"))
        raise KeyboardInterrupt

    monkeypatch.setattr("drills.longhorn.restore.soundness", judged)
    with pytest.raises(KeyboardInterrupt):
        site.run()
    assert seen == [1]
    assert list(site.scratch.iterdir()) == []


def test_hundreds_of_faults_make_a_receipt_that_can_be_read(site: Site) -> None:
    writer = VolumeWriter(into_folder(site.store), "pvc-chain", 2 * BLOCK, start=NOW - 60 * HOUR)
    for number in range(60):
        writer.backup(f"backup-{number:02}", [0], content("one", noise=0.01))
    site.add_volume("pvc-chain")
    site.object(writer.block_key(writer.latest.blocks[0])).unlink()
    record = site.run(no_image())
    red = [one for one in record.checks if not one.ok]
    assert len(red) == 21
    assert red[-1].observed == "and 40 more"
    assert reason(record) is Reason.BLOCK_LOST
