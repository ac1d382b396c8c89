"""The drill of a backup that was read around: from the running workload to the verdict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.frame import Record
from drills.verdict import Reason, Verdict
from drills.volumes import witness
from drills.volumes.controls import CONTROLS
from drills.volumes.digest_controls import CONTROLS as OWN
from drills.volumes.digest_index import Chosen
from drills.volumes.judge import DIGESTS
from s3.errors import Cause, StoreError
from tests.drills.volumes.drill_site import CANARY, CLAIM, DrillSite, run_through
from tests.drills.volumes.live_site import BACKUP, STOCK, LiveSite, everywhere
from tests.drills.volumes.test_drill import held_by


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveSite:
    # The volumes of a test are a moment old, and are moved by snapshots of their disks.
    monkeypatch.setattr(witness, "FRESH_SECONDS", -3600)
    return LiveSite(DrillSite(tmp_path))


def recorded(
    live: LiveSite, *chosen: Chosen, meanwhile: Callable[[], object] = lambda: None
) -> None:
    found = live.witness(chosen or (STOCK,))
    found.before(everywhere)
    meanwhile()
    found.after(BACKUP)


def drilled(live: LiveSite, **changes: Any) -> Record:
    return run_through(live.site.drill(**changes))


def told(record: Record) -> tuple[Verdict, Reason | None]:
    judgement = record.judgement()
    return judgement.verdict, judgement.reason


def how(record: Record, volume: str = "shop/stock") -> list[str]:
    return [one.how for one in record.compared if volume in one.what]


def why_not(record: Record, volume: str = "shop/stock") -> list[str]:
    return [one.why for one in record.not_compared if one.what == f"content of {volume}"]


def test_a_volume_is_held_against_its_digests(live: LiveSite) -> None:
    recorded(live)
    record = drilled(live)
    assert told(record) == (Verdict.PROVEN, None)
    (files,) = (one for one in record.compared if one.what == "files of shop/stock")
    assert (files.count, files.bytes) == (2, 8)
    assert files.how.endswith(f"against {DIGESTS}")
    assert why_not(record) == []


def test_without_them_the_proof_is_weaker_and_says_so(live: LiveSite) -> None:
    record = drilled(live)
    assert told(record) == (Verdict.PROVEN, None)
    assert all("weaker" in one for one in how(record))
    assert why_not(record) == ["no digest tree was taken at backup time"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda root: (root / "a").write_bytes(b"two"), Reason.CONTENT_DIFFERS),
        (lambda root: (root / "a").rename(root / "z"), Reason.FILE_LOST),
        (lambda root: (root / "z").write_bytes(b""), Reason.FILE_ADDED),
        (lambda root: (root / "a").chmod(0o606), Reason.METADATA_DIFFERS),
    ],
    ids=["content", "lost", "added", "mode"],
)
def test_what_number_and_size_would_not_show_is_a_finding(
    live: LiveSite, fault: Callable[[Path], object], reason: Reason
) -> None:
    recorded(live)
    fault(live.volume)
    assert told(drilled(live)) == (Verdict.BROKEN, reason)


def test_what_changed_meanwhile_is_none(live: LiveSite) -> None:
    recorded(live, meanwhile=lambda: (live.volume / "a").write_bytes(b"two"))
    (live.volume / "a").write_bytes(b"six")
    record = drilled(live)
    assert told(record) == (Verdict.PROVEN, None)
    (left,) = (one for one in record.not_compared if one.what == "entries of shop/stock")
    assert (left.count, left.why) == (1, "they were changed while the backup ran")


def test_a_volume_that_was_not_read_says_why(live: LiveSite) -> None:
    live.use("shop", "stock", "web-0", phase="Failed")
    recorded(live)
    record = drilled(live)
    assert told(record) == (Verdict.PROVEN, None)
    (why,) = why_not(record)
    assert "no running pod uses claim shop/stock" in why
    assert all("weaker" in one for one in how(record))


def test_the_canary_is_held_against_its_own_truth_all_the_same(live: LiveSite) -> None:
    live.use(CANARY, CLAIM, "beat-0")
    recorded(live, Chosen(CANARY, "*"))
    record = drilled(live)
    assert told(record) == (Verdict.PROVEN, None)
    assert not any(DIGESTS in one for one in how(record, f"{CANARY}/{CLAIM}"))


def damaged(folder: Path) -> None:
    place = folder / "truths" / f"{BACKUP}.volumes" / "shop" / "stock.json.gz"
    place.write_bytes(place.read_bytes()[:-3])


def gone(folder: Path) -> None:
    (folder / "truths" / f"{BACKUP}.volumes" / "shop" / "stock.json.gz").unlink()


def no_index(folder: Path) -> None:
    (folder / "truths" / f"{BACKUP}.volumes.json").write_text("{}")


@pytest.mark.parametrize("fault", [damaged, gone, no_index])
def test_digests_that_cannot_be_used_are_never_passed_over(
    live: LiveSite, fault: Callable[[Path], None]
) -> None:
    recorded(live)
    fault(live.site.folder)
    record = drilled(live)
    assert told(record) == (Verdict.UNPROVEN, Reason.TRUTH_UNUSABLE)
    assert all("weaker" in one for one in how(record))


def test_a_store_that_is_away_is_told_as_such(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(live)

    def away(*_: object) -> None:
        raise StoreError(Cause.UNREACHABLE, "no answer")

    monkeypatch.setattr("drills.backup.kept_files.KeptFiles.pieces", away)
    assert told(drilled(live))[1] is Reason.STORE_UNREACHABLE


# Controls


@pytest.mark.parametrize("control", OWN, ids=lambda one: one.name)
@pytest.mark.parametrize("fresh", [False, True], ids=["rested", "young"])
def test_a_planted_fault_is_noticed(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch, control: Any, fresh: bool
) -> None:
    if fresh:
        # Of a copy of files what is young is demanded as well.
        monkeypatch.setattr(witness, "FRESH_SECONDS", 3600)
        held_by(live.site, own=True)
    recorded(live)
    drill = live.site.drill()
    assert run_through(drill).judgement().verdict is Verdict.PROVEN
    assert control.applies(drill)
    planted = control.rig(drill.course.payload, live.site.made)
    assert told(run_through(planted)) == (Verdict.BROKEN, control.expected)
    assert live.site.cluster.drilled() == []


@pytest.mark.parametrize("control", OWN, ids=lambda one: one.name)
def test_where_nothing_was_read_none_is_planted(live: LiveSite, control: Any) -> None:
    drill = live.site.drill()
    assert run_through(drill).judgement().verdict is Verdict.PROVEN
    assert not control.applies(drill)


def test_they_are_among_the_controls_of_the_drill() -> None:
    assert set(OWN) <= set(CONTROLS)
