"""Every control really plants its fault, the drill notices it, and it is planted only where it can.

The faults in trees are planted in real volumes of the canary.
"""

import datetime
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canary import writer
from drills.backup.controls import planted
from drills.canary.truth import GENERATIONS
from drills.controls import NONE, ROTATE
from drills.coverage import controls as coverage
from drills.verdict import Reason, Verdict
from drills.volumes.compare_trees import Options, compare
from drills.volumes.controls import CONTROLS, Control, choose, names, run_all
from drills.volumes.drill import VolumesDrill
from drills.volumes.entry import FILE, Entry
from drills.volumes.payload import VolumesPayload
from tests.drills.canary.canaries import keeper
from tests.drills.canary.canaries import tree_of as entries_of
from tests.drills.usable.samples import check
from tests.drills.volumes.drill_site import CANARY, CLAIM, DrillSite, payload_of, run_through
from tests.drills.volumes.trees import ROOT, directory, file

BY_NAME = {one.name: one for one in CONTROLS}
IN_TREES = ["lost-file", "changed-content", "changed-mode", "added-file"]
WITHOUT_DATA = ["other-cluster", "stale-point", "no-volume-data", "scope-lost"]
# They need a user's check, or digests; see test_recorded_digests.py for those.
ELSEWHERE = {"check-that-must-fail", "changed-digest", "lost-digested-file"}
TODAY = datetime.date(2026, 11, 21)


@pytest.fixture
def site(tmp_path: Path) -> DrillSite:
    found = DrillSite(tmp_path)
    found.build()
    return found


def proven(site: DrillSite, **changes: Any) -> VolumesDrill:
    drill = site.drill(**changes)
    assert run_through(drill).judgement().verdict is Verdict.PROVEN
    return drill


def seen(control: str, site: DrillSite, name: str, entries: list[Entry]) -> list[Entry]:
    """A volume's tree as the control's drill sees it."""
    rigged = BY_NAME[control].rig(payload_of(), site.made)
    return list(rigged._lens.tree(name, iter(entries)))


@pytest.fixture
def tree(tmp_path: Path) -> list[Entry]:
    root = tmp_path / "volume"
    one = keeper(root, keep=3)
    for _ in range(3):
        one.write(None)
    return entries_of(root)


def test_the_table_says_what_is_expected() -> None:
    assert {one.name: one.expected for one in CONTROLS} == {
        "other-cluster": Reason.CLUSTER_MISMATCH,
        "stale-point": Reason.OVER_RPO,
        **{one.name: one.expected for one in coverage.CONTROLS},
        "no-data": Reason.VOLUME_LOST,
        "slow-restore": Reason.OVER_RTO,
        "lost-file": Reason.FILE_LOST,
        "changed-content": Reason.CONTENT_DIFFERS,
        "changed-mode": Reason.METADATA_DIFFERS,
        "added-file": Reason.FILE_ADDED,
        "changed-digest": Reason.CONTENT_DIFFERS,
        "lost-digested-file": Reason.FILE_LOST,
        "check-that-must-fail": Reason.CHECK_FAILED,
    }


def test_names_are_unique_and_every_control_says_what_it_plants() -> None:
    assert names() == [one.name for one in CONTROLS]
    assert len(set(names())) == len(CONTROLS)
    assert {ROTATE, NONE}.isdisjoint(names())
    assert len({one.planted for one in CONTROLS}) == len(CONTROLS)


@pytest.mark.parametrize("control", IN_TREES)
def test_a_fault_in_a_tree_is_one_file_of_each_generation(
    site: DrillSite, tree: list[Entry], control: str
) -> None:
    changed = seen(control, site, f"{CANARY}/{CLAIM}", tree)
    paths = [one.path for one in changed]
    assert all(a < b for a, b in itertools.pairwise(paths)), "the order of the paths is kept"
    before = {one.path: one for one in tree}
    after = {one.path: one for one in changed}
    differing = [
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    ]
    touched = sorted(path.split(b"/")[1] for path in differing)
    generations = [f"{number:0{writer.DIGITS}}".encode() for number in _numbers(tree)]
    assert touched == generations
    assert all(path.startswith(GENERATIONS + b"/") for path in differing)
    assert {(before.get(path) or after[path]).type for path in differing} == {FILE}


def _numbers(tree: list[Entry]) -> list[int]:
    parts = [one.path.split(b"/") for one in tree]
    return [int(part[1]) for part in parts if len(part) == 2]


@pytest.mark.parametrize("control", IN_TREES)
def test_the_comparison_takes_the_changed_tree_and_finds_the_reason(
    site: DrillSite, tree: list[Entry], control: str
) -> None:
    changed = seen(control, site, f"{CANARY}/{CLAIM}", tree)
    found = compare("data", tree, changed, Options("what was before"))
    assert set(found.reasons) == {BY_NAME[control].expected}
    assert sum(found.reasons.values()) == 3
    assert all("\x00" not in str(one) for one in found.findings)


def test_an_added_file_keeps_the_order_wherever_it_comes(site: DrillSite) -> None:
    """The path with a zero byte stands behind its neighbour's, before all that may follow it."""
    place = b"generations/000000000007"
    for other in (b"a\x01", b"a-b", b"a.b", b"aa"):
        held = [ROOT, directory(GENERATIONS), directory(place), file(place + b"/a"),
                file(place + b"/" + other)]  # fmt: skip
        changed = seen("added-file", site, f"{CANARY}/{CLAIM}", held)
        assert [one.path for one in changed] == sorted(one.path for one in changed)
        found = compare("data", held, changed, Options("what was before"))
        assert dict(found.reasons) == {Reason.FILE_ADDED: 1}
        assert found.findings[0].path.endswith("/a\\x00")


@pytest.mark.parametrize("control", IN_TREES)
def test_volumes_that_are_no_canarys_are_seen_as_they_are(
    site: DrillSite, tree: list[Entry], control: str
) -> None:
    assert seen(control, site, "shop/stock", tree) == tree
    assert seen(control, site, f"shop/{CLAIM}", tree) == tree


@pytest.mark.parametrize("control", IN_TREES)
def test_what_is_no_generation_is_left_alone(site: DrillSite, control: str) -> None:
    held = [ROOT, directory(b".making"), file(b".making/a"), directory(GENERATIONS),
            file(b"generators"), file(b"page")]  # fmt: skip
    assert seen(control, site, f"{CANARY}/{CLAIM}", held) == held


@pytest.mark.parametrize("control", [one for one in CONTROLS if one.name not in ELSEWHERE])
def test_the_drill_notices_it_and_leaves_nothing(site: DrillSite, control: Control) -> None:
    if control.name == "opt-in-lost":
        asking(site)
    if control.name == "slow-restore":
        site.cluster.on_restore = lambda _restore: site.cluster.time.pass_by(1.0)
    drill = proven(site)
    assert control.applies(drill)
    ready = planted(control, payload_of(), site.made)
    result = ready.result(ready.run())
    assert (result.killed, result.reason) == (True, str(control.expected))
    assert site.cluster.drilled() == []
    assert list(site.folder.glob("spool-*")) == []
    assert run_through(site.drill()).judgement().verdict is Verdict.PROVEN


def asking(site: DrillSite) -> None:
    """The user's volume is copied because its pod asks, where nothing else would save it."""
    path = "/api/v1/namespaces/shop/pods/db-0"
    content = {
        "metadata": {"annotations": {"backup.velero.io/backup-volumes": "disk"}},
        "spec": {"nodeName": "cp1", "volumes": [
            {"name": "disk", "persistentVolumeClaim": {"claimName": "stock"}}]},
        "status": {"phase": "Running"},
    }  # fmt: skip
    site.cluster.put(path, content)
    site.cluster.objects["api/v1", "", "persistentvolumes", "pv-stock"]["spec"].pop("csi")
    part = {"size": 8, "snapshotHandle": "", "volumeName": "disk", "podName": "db-0",
            "podNamespace": "shop", "Phase": "Completed"}  # fmt: skip
    site.lose("stock", listed=[
        {"pvcName": "stock", "pvcNamespace": "shop", "pvName": "pv-stock", "result": "succeeded",
         "backupMethod": "PodVolumeBackup", "pvbInfo": part},
    ])  # fmt: skip


def test_a_stale_point_is_told_although_something_new_waits_for_its_backup(
    site: DrillSite,
) -> None:
    metadata = {"creationTimestamp": "2026-11-21T11:30:00Z"}
    site.cluster.put("/api/v1/namespaces/fresh", {"metadata": metadata})
    proven(site)
    ready = planted(BY_NAME["stale-point"], payload_of(), site.made)
    assert ready.run().reason is Reason.OVER_RPO


def test_a_generation_without_a_truth_hides_no_fault(site: DrillSite) -> None:
    """The store was away when the oldest one was made, which is nobody's fault."""
    oldest = min(site.truths.memory.kept)
    del site.truths.memory.kept[oldest]
    proven(site)
    for name in IN_TREES:
        ready = planted(BY_NAME[name], payload_of(), site.made)
        assert ready.run().reason is BY_NAME[name].expected, name


def applying(drill: VolumesDrill) -> set[str]:
    return {one.name for one in CONTROLS if one.applies(drill)}


def test_only_what_the_site_has_is_lied_about(site: DrillSite) -> None:
    always = {"other-cluster", "stale-point", "no-volume-data", "scope-lost", "no-data",
              "slow-restore"}  # fmt: skip
    assert applying(proven(site)) == {*always, *IN_TREES}
    assert applying(proven(site, canary=None)) == always
    # A canary that is not asked for is no place for a fault either.
    assert applying(proven(site, namespaces=["shop"])) == always
    excused = site.drill(exceptions=[{"namespace": "*", "why": "all of it is scratch"}])
    run_through(excused)
    assert applying(excused).isdisjoint({"no-volume-data", "scope-lost", "opt-in-lost"})
    assert "check-that-must-fail" in applying(site.drill(checks=[check("ready")]))
    # A drill that saw nothing yet has nothing to plant a fault in.
    assert applying(site.drill()).isdisjoint({*IN_TREES, "no-volume-data", "scope-lost"})


def turns(site: DrillSite, drill: VolumesDrill, wanted: str, count: int = 40) -> Iterator[str]:
    for earlier in range(count):
        chosen = choose(wanted, drill, site.made, earlier=earlier, today=TODAY)
        yield "" if chosen is None else chosen.name


def test_each_that_applies_has_its_turn_and_no_other(site: DrillSite) -> None:
    drill = proven(site)
    assert set(turns(site, drill, ROTATE)) == applying(drill)
    assert set(turns(site, drill, "added-file")) == {"added-file"}
    # Asked for by its name, and not to be planted here.
    assert set(turns(site, drill, "opt-in-lost")) == {""}
    assert set(turns(site, drill, "check-that-must-fail")) == {""}


def test_all_are_run_and_those_left_out_are_told(site: DrillSite) -> None:
    site.cluster.on_restore = lambda _restore: site.cluster.time.pass_by(1.0)
    told: list[str] = []
    score = run_all(payload_of(), site.made, told.append)
    assert score.complete
    assert [one.name for one in score.controls] == [
        one for one in names() if one not in {"opt-in-lost", *ELSEWHERE}
    ]
    assert len(told) == len(CONTROLS) + 1  # of damaged copies: no administrator was given
    assert sum("not planted" in line for line in told) == 1 + len(ELSEWHERE)
    assert sum("killed" in line for line in told) == len(score.controls)
    assert site.cluster.drilled() == []


def test_on_a_site_that_is_red_none_is_run(site: DrillSite) -> None:
    (site.volumes["stock"] / "a").write_bytes(b"other content")
    score = run_all(payload_of(), site.made, lambda _line: None)
    assert (score.complete, score.controls) == (False, [])
    assert score.twin.reason == str(Reason.CONTENT_DIFFERS)


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_what_needs_no_copy_makes_none(site: DrillSite, name: str) -> None:
    made: list[VolumesDrill] = []

    def make(payload: VolumesPayload) -> VolumesDrill:
        made.append(site.made(payload))
        return made[-1]

    planted(BY_NAME[name], payload_of(), make).run()
    assert len(made) == 1
    assert site.cluster.changes == []


def test_a_control_that_sees_nothing_survives(site: DrillSite) -> None:
    """The other half of a control: one that plants nothing must not be counted as noticed."""
    blunt: Callable[..., VolumesDrill] = lambda payload, make: make(payload)  # noqa: E731
    ready = planted(Control("blunt", "nothing", Reason.FILE_LOST, blunt), payload_of(), site.made)
    assert not ready.result(ready.run()).killed
