"""Controls of Longhorn's restores: each is noticed, and none restores or rebuilds anything."""

import datetime

import pytest

from drills.controls import ROTATE
from drills.longhorn import controls
from drills.longhorn import run as edge
from drills.longhorn.controls import CONTROLS, choose, planted
from drills.longhorn.drill import LonghornDrill
from drills.longhorn.live.controls import FAULTS
from drills.verdict import Verdict
from tests.drills.longhorn.live.live_site import LIVE, LiveSite, live_payload
from tests.drills.longhorn.live.test_way import proven, told
from tests.drills.longhorn.site import NOW, further, run_through
from tests.drills.longhorn.test_run import CLOCK, silent

NAMES = [one.name for one in FAULTS]
OF_LIVE = [one for one in CONTROLS if one.name in NAMES]


def drilled(site: LiveSite, /, **changes: object) -> LonghornDrill:
    drill = site.make(live_payload(**changes))
    record = run_through(drill)
    assert proven(record), told(record)
    return drill


@pytest.mark.parametrize("control", OF_LIVE, ids=NAMES)
def test_it_is_noticed_without_anything_being_made(
    live: LiveSite, control: controls.Control
) -> None:
    drill = drilled(live)
    live.cluster.writes.clear()
    made, images = live.made, len(live.images.seen)
    assert control.applies(drill)
    ready = planted(control, drill, live.make)
    result = ready.result(ready.run())
    assert (result.killed, result.reason) == (True, str(control.expected))
    assert (live.made, len(live.images.seen), live.cluster.writes) == (made, images, [])


@pytest.mark.parametrize("name", ["altered-restore", "lost-file"])
def test_without_the_fault_the_same_comparison_is_proven(live: LiveSite, name: str) -> None:
    """So it is the fault that is noticed, and not how it is shown."""
    drill = drilled(live)
    assert drill.part.restores is not None
    record = run_through(live.make(live_payload(path="store")))
    before = len(record.checks)
    drill.part.restores.compare(record)
    assert len(record.checks) > before, name
    assert record.judgement().verdict is Verdict.PROVEN


def test_what_was_not_restored_has_nothing_to_plant_a_fault_in(live: LiveSite) -> None:
    for changes in ({"path": "store"}, {"live": None}, {"live": {**LIVE, "mostBytes": 1}}):
        drill = drilled(live, **changes)
        assert [one.name for one in OF_LIVE if one.applies(drill)] == []


def test_empty_files_have_nothing_to_alter(live: LiveSite) -> None:
    drill = drilled(live)
    assert drill.part.restores is not None
    drill.part.restores.bytes = 0
    assert [one.name for one in OF_LIVE if one.applies(drill)] == NAMES[2:]


def test_no_other_control_restores_by_longhorn(two_targets: LiveSite) -> None:
    drill = drilled(two_targets, **further())
    two_targets.cluster.writes.clear()
    for control in CONTROLS:
        assert control.applies(drill), control.name
        ready = planted(control, drill, two_targets.make)
        assert ready.result(ready.run()).killed, control.name
    assert two_targets.cluster.writes == []


def test_each_has_its_turn(two_targets: LiveSite) -> None:
    drill = drilled(two_targets, **further())
    today = datetime.date(2026, 11, 21)
    turns = {
        chosen.name
        for earlier in range(len(CONTROLS) + 1)
        if (chosen := choose(ROTATE, drill, two_targets.make, earlier=earlier, today=today))
    }
    assert turns == set(controls.names())


def test_a_whole_run_takes_its_control_along_and_leaves_nothing(
    two_targets: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "opened", lambda payload, *_: two_targets.make(payload))
    payload = live_payload(**further(evidence=None, control="altered-restore"))
    kept, _ = edge.run_longhorn(payload, CLOCK, silent, two_targets.folder / "receipts")
    assert kept.judgement.verdict is Verdict.PROVEN, kept.judgement.detail
    assert (kept.control.name, kept.control.killed) == ("altered-restore", True)
    assert "3 volumes restored by Longhorn v1.12.1" in kept.to_json()["versions"]["path"]  # type: ignore[index]
    assert list(two_targets.scratch.iterdir()) == []
    assert two_targets.cluster.drilled() == []
    score = edge.run_controls(live_payload(**further()), CLOCK, silent)
    assert score.complete
    assert [one.name for one in score.controls] == controls.names()
    assert list(two_targets.scratch.iterdir()) == []


def test_the_next_run_knows_whose_turn_it_was(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drills.longhorn import history  # noqa: PLC0415

    monkeypatch.setattr(edge, "opened", lambda payload, *_: live.make(payload))
    receipts = live.folder / "receipts"
    edge.run_longhorn(live_payload(evidence=None), CLOCK, silent, receipts)
    found = history.read(receipts, live_payload().site)
    assert {name for name, _ in found.restored} == {"pvc-canary", "pvc-shop"}
    assert {at for _, at in found.restored} == {NOW}
