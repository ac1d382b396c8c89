"""Every control really plants its fault, the drill notices it, and nothing in the store changes."""

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drills.controls import NONE, ROTATE
from drills.frame import run_phases
from drills.longhorn import cluster_faults, controls, faults
from drills.longhorn.controls import CONTROLS, Control, choose, names, planted, run_all
from drills.longhorn.drill import Lens, LonghornDrill
from drills.longhorn.faults import FAULTS
from drills.longhorn.live import controls as live
from drills.longhorn.virtual import MOST_BLOCKS, Victim, Virtual
from drills.verdict import Reason, Verdict
from tests.drills.longhorn.acting import Acting
from tests.drills.longhorn.site import NOW, OF_CANARY, RAW, Site, payload_of, run_through
from tests.support.longhorn_store import BLOCK, VolumeWriter, content, into_folder

BY_NAME = {one.name: one for one in CONTROLS}
# Those of Longhorn's restores have tests of their own.
OF_LIVE = {one.name for one in live.FAULTS}
# Those of further targets, too (test_targets.py).
OF_FURTHER = {"lost-further-target", "missing-further-block"}
OF_STORE = [one for one in CONTROLS if one.name not in OF_LIVE | OF_FURTHER]
TODAY = datetime.date(2026, 11, 21)


def proven(site: Site, **changes: Any) -> LonghornDrill:
    drill = site.make(payload_of(**changes))
    record = run_through(drill)
    assert record.judgement().verdict is Verdict.PROVEN, record.judgement().detail
    return drill


def state(root: Path) -> dict[str, str]:
    """Everything in the store, by content."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_table_says_what_is_expected() -> None:
    assert {one.name: str(one.expected) for one in CONTROLS} == {
        "bit-flip": "restore-point-damaged",
        "truncated-block": "restore-point-damaged",
        "swapped-block": "restore-point-damaged",
        "wrong-compression": "restore-point-damaged",
        "missing-block": "block-lost",
        "expired-blocks": "block-lost",
        "record-before-blocks": "block-lost",
        "edited-offset": "restore-point-damaged",
        "edited-size": "restore-point-damaged",
        "lost-volume-record": "restore-point-damaged",
        "wrong-prefix": "restore-point-missing",
        "lost-further-target": "restore-point-missing",
        "missing-further-block": "block-lost",
        "unentitled-key": "policy-too-narrow",
        "unknown-key": "key-unknown",
        "other-cluster": "cluster-mismatch",
        "stale-point": "over-rpo",
        "unsaved-volume": "volume-lost",
        "lost-job": "unprotected",
        "other-target": "scope-lost",
        "false-truth": "content-differs",
        "slow-restore": "over-rto",
        "altered-restore": "content-differs",
        "lost-file": "file-lost",
        "unsynced-backup": "restore-point-missing",
        "slow-longhorn": "over-rto",
    }


def test_names_are_unique_and_every_control_says_what_it_plants() -> None:
    assert names() == [one.name for one in CONTROLS]
    assert len(set(names())) == len(CONTROLS)
    assert {ROTATE, NONE}.isdisjoint(names())
    assert len({one.planted for one in CONTROLS}) == len(CONTROLS)


@pytest.mark.parametrize("control", OF_STORE, ids=[one.name for one in OF_STORE])
def test_the_drill_notices_it_and_nothing_in_the_store_changes(
    site: Site, control: Control
) -> None:
    before = state(site.store)
    drill = proven(site)
    assert control.applies(drill)
    ready = planted(control, drill, site.make)
    result = ready.result(ready.run())
    assert (result.killed, result.reason) == (True, str(control.expected))
    assert state(site.store) == before
    assert list(site.scratch.iterdir()) == []
    assert run_through(site.make(payload_of())).judgement().verdict is Verdict.PROVEN


@pytest.mark.parametrize("depth", ["quick", "full"])
def test_all_are_run_on_either_depth(site: Site, depth: str) -> None:
    score = run_all(payload_of(depth=depth), site.make, lambda _line: None)
    assert score.complete
    assert [one.name for one in score.controls] == [one.name for one in OF_STORE]


@pytest.mark.parametrize("volume", ["lz4", "gzip", "none"])
def test_faults_are_noticed_in_every_compression(site: Site, volume: str) -> None:
    """In the smallest volume, which is where a fault is planted."""
    writer = VolumeWriter(into_folder(site.store), "pvc-small", 4 * BLOCK, compression=volume)
    writer.backup("backup-1", [0, 2 * BLOCK], content("small", noise=0.01))
    site.add_volume("pvc-small")
    drill = proven(site)
    for fault in FAULTS:
        ready = planted(BY_NAME[fault.name], drill, site.make)
        assert ready.run().reason is fault.expected, fault.name


def nothing(_copy: Virtual, _victim: Victim) -> None:
    """No fault at all."""


@pytest.mark.parametrize("fault", FAULTS, ids=[one.name for one in FAULTS])
def test_the_copy_itself_is_sound(site: Site, fault: faults.StoreFault) -> None:
    """So it is the fault that is noticed, and not how the copy was made."""
    blunt = controls._in_store(replace(fault, plant=nothing))
    drill = proven(site)
    judged = planted(blunt, drill, site.make).run()
    assert judged.verdict is Verdict.PROVEN, judged.detail


@pytest.mark.parametrize(
    "fault", cluster_faults.FAULTS, ids=[one.name for one in cluster_faults.FAULTS]
)
def test_a_cluster_of_one_volume_is_sound(site: Site, fault: cluster_faults.ClusterFault) -> None:
    blunt = controls._in_cluster(
        cluster_faults.ClusterFault(fault.name, fault.planted, fault.expected)
    )
    judged = planted(blunt, proven(site), site.make).run()
    assert judged.verdict is Verdict.PROVEN, judged.detail


def test_an_image_of_a_whole_copy_is_sound(site: Site) -> None:
    for witnessed in (True, False):
        rig = controls._of_images(lambda payload: payload, Lens(), witnessed=witnessed)
        blunt = Control("blunt", "nothing", Reason.OVER_RTO, rig)
        judged = planted(blunt, proven(site), site.make).run()
        assert judged.verdict is Verdict.PROVEN, judged.detail


def with_one_large_volume(site: Site) -> LonghornDrill:
    """More blocks than a copy has, and nothing smaller to plant a fault in."""
    for name in (path.name for path in site.store.glob("backupstore/volumes/*/*/*")):
        if name != OF_CANARY:
            remove(site, name)
    writer = VolumeWriter(into_folder(site.store), OF_CANARY, 32 * BLOCK)
    for number in range(3):
        offsets = [one * BLOCK for one in range(MOST_BLOCKS + 4)]
        writer.backup(f"backup-c{number + 1}", offsets, content(f"{number}", noise=0.001))
    return proven(site)


def test_faults_are_noticed_in_a_part_of_a_large_backup_and_the_part_is_sound(site: Site) -> None:
    drill = with_one_large_volume(site)
    for fault in FAULTS:
        judged = planted(BY_NAME[fault.name], drill, site.make).run()
        assert judged.reason is fault.expected, fault.name
        blunt = controls._in_store(replace(fault, plant=nothing))
        judged = planted(blunt, drill, site.make).run()
        assert judged.verdict is Verdict.PROVEN, judged.detail


def test_a_control_costs_the_same_in_a_large_volume(site: Site) -> None:
    """A few blocks of the newest backup alone are looked at, and of these what is due."""
    drill = with_one_large_volume(site)
    seen: list[Acting] = []

    def make(payload: Any) -> LonghornDrill:
        made = site.make(payload)
        seen.append(Acting(made.edges.objects))
        edges = replace(made.edges, objects=seen[-1])
        return LonghornDrill(payload, made.clock, made.run_id, edges)

    for name in ("bit-flip", "missing-block", "lost-job"):
        assert planted(BY_NAME[name], drill, make).run().reason is BY_NAME[name].expected
    for acting in seen:
        assert acting.count("get", ".blk") <= MOST_BLOCKS + 1
        assert acting.count("head", ".blk") == MOST_BLOCKS
        assert acting.count("get", ".cfg") <= 6
        assert acting.count("list", "blocks") == 0


def remove(site: Site, volume: str) -> None:
    for path in sorted(site.store.glob(f"backupstore/volumes/*/*/{volume}/**/*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for known in [one for one in site.cluster.objects if one.endswith(volume)]:
        del site.cluster.objects[known]


def test_a_fault_in_content_is_in_a_block_that_the_controls_run_reads(site: Site) -> None:
    drill = proven(site)
    for name in ("bit-flip", "truncated-block", "swapped-block"):
        rigged = BY_NAME[name].rig(drill, site.make)
        assert isinstance(rigged, LonghornDrill)
        run_phases("longhorn", rigged.phases(), rigged.closing(), rigged.clock, lambda _line: None)
        changed = next(iter(rigged._lens.objects(drill.edges.objects).changed))  # type: ignore[attr-defined]
        digest = bytes.fromhex(changed.rpartition("/")[2].removesuffix(".blk"))
        assert rigged.share.takes(digest)


def test_a_backup_that_was_replaced_since_the_drill_is_no_place_for_a_fault(site: Site) -> None:
    """A job that keeps one backup may have run in between."""
    drill = proven(site)
    writer = VolumeWriter(into_folder(site.store), RAW, 4 * BLOCK, compression="none", start=NOW)
    writer.backup("backup-r2", [BLOCK], content("r2", noise=0.01))
    next(site.store.rglob("backup_backup-r1.cfg")).unlink()
    flipped = BY_NAME["bit-flip"]
    assert planted(flipped, drill, site.make).run().reason is flipped.expected


def applying(drill: LonghornDrill) -> set[str]:
    return {one.name for one in CONTROLS if one.applies(drill)}


def test_only_what_the_site_has_is_lied_about(site: Site) -> None:
    in_cluster = {one.name for one in cluster_faults.FAULTS}
    every = set(names()) - OF_LIVE - OF_FURTHER
    assert applying(proven(site)) == every
    assert applying(proven(site, canary=None)) == every - {"false-truth"}
    assert applying(proven(site, cluster=None)) == every - in_cluster - {
        "other-cluster", "false-truth",
    }  # fmt: skip
    assert applying(proven(site, evidence=None)) == every - {"unentitled-key"}
    excused = proven(site, exceptions=[{"volume": "*", "why": "all of it is scratch"}])
    assert "lost-job" in applying(excused), "nothing needed the excuse"
    # A drill that saw nothing yet has nothing to plant a fault in.
    assert applying(site.make(payload_of())).isdisjoint({"bit-flip", "lost-job", "slow-restore"})


def turns(site: Site, drill: LonghornDrill, wanted: str, count: int = 60) -> Iterator[str]:
    for earlier in range(count):
        chosen = choose(wanted, drill, site.make, earlier=earlier, today=TODAY)
        yield "" if chosen is None else chosen.name


def test_each_that_applies_has_its_turn_and_no_other(site: Site) -> None:
    drill = proven(site, canary=None)
    assert set(turns(site, drill, ROTATE)) == applying(drill)
    assert set(turns(site, drill, "bit-flip")) == {"bit-flip"}
    assert set(turns(site, drill, "false-truth")) == {""}


def test_a_drill_each_day_reaches_every_control_with_receipts_and_without(site: Site) -> None:
    drill = proven(site)
    every = applying(drill)
    assert len(every) % 2 == 0, "an odd number would prove nothing"
    for kept in (1, 0):
        reached = {
            chosen.name
            for day in range(len(every))
            if (
                chosen := choose(
                    ROTATE, drill, site.make, earlier=kept * (day + 1),
                    today=TODAY + datetime.timedelta(days=day),
                )
            )
        }  # fmt: skip
        assert reached == every


def test_a_red_site_gets_no_control(site: Site) -> None:
    next(site.store.rglob("*.blk")).unlink()
    score = run_all(payload_of(), site.make, lambda _line: None)
    assert not score.twin.killed
    assert score.controls == []


def test_what_is_left_out_is_told(site: Site) -> None:
    told: list[str] = []
    score = run_all(payload_of(canary=None), site.make, told.append)
    assert score.complete
    assert [line for line in told if "not planted" in line] == [
        f"control: {name} not planted: the site has nothing to plant it in"
        for name in names()
        if name in OF_LIVE | OF_FURTHER | {"false-truth"}
    ]
