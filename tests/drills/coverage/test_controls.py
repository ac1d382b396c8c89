"""Each control turns a good site red with its reason, and only where it can."""

from typing import Any

import pytest

from drills.coverage import report
from drills.coverage.controls import CONTROLS, CoverageControl, opt_in_lost
from drills.coverage.live import OPT_IN, Allowed, Live
from drills.coverage.survey import survey
from drills.coverage.volume_info import Method
from drills.frame import Record
from drills.verdict import Judgement, Reason, Verdict
from tests.drills.coverage.clusters import (
    backup,
    claim,
    live,
    namespace,
    pod,
    record,
    schedule,
    volume,
)

BY_NAME = {one.name: one for one in CONTROLS}
COPIED = {"method": Method.FILE_SYSTEM, "volume": ""}


def judged(seen: Live) -> Judgement:
    kept = Record()
    report.take(kept, seen, survey(seen))
    return kept.judgement()


def opted_in(**changed: Any) -> Live:
    """One volume that is copied because its pod asks, beside one that is moved anyhow."""
    given: dict[str, Any] = {
        "claims": [claim("moved"), claim("copied")],
        "volumes": [volume("moved"), volume("copied", local={"path": "/x"})],
        "pods": [pod("a", claims=("moved",)),
                 pod("b", claims=("copied",), annotations={OPT_IN: "copied"})],
        "backups": {"daily": backup(record("moved"), record("copied", **COPIED))},
    }  # fmt: skip
    return live(**given | changed)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda one: one.name)
def test_a_good_site_turns_red_with_the_reason_that_is_expected(control: CoverageControl) -> None:
    good = opted_in()
    assert judged(good).verdict is Verdict.PROVEN
    planted = control.plant(good)
    assert planted is not None
    judgement = judged(planted)
    assert (judgement.verdict, judgement.reason) == (Verdict.BROKEN, control.expected)
    assert judged(good).verdict is Verdict.PROVEN, "the site itself is left as it was"


def test_the_table_says_what_is_expected() -> None:
    assert {one.name: one.expected for one in CONTROLS} == {
        "no-volume-data": Reason.VOLUME_LOST,
        "scope-lost": Reason.UNPROTECTED,
        "opt-in-lost": Reason.UNPROTECTED,
    }


@pytest.mark.parametrize("control", CONTROLS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "barren",
    [
        {"claims": []},
        {"schedules": []},
        {"backups": {}},
        # What is excused would rightly stay unnoticed, and so may what is newer than the backup.
        {"allowed": [Allowed("shop", "a test")]},
        {"claims": [claim("moved", made=1), claim("copied", made=1)]},
    ],
)
def test_nothing_is_planted_where_nothing_would_be_wrong(
    control: CoverageControl, barren: dict[str, Any]
) -> None:
    assert control.plant(opted_in(**barren)) is None


@pytest.mark.parametrize("name", ["no-volume-data", "scope-lost"])
def test_every_schedule_and_backup_that_would_save_it_is_lied_about(name: str) -> None:
    both = live(
        schedules=[schedule(includedNamespaces=["shop"]), schedule("weekly")],
        backups={"daily": backup(record()), "weekly": backup(record(), name="weekly-1", age=9)},
    )
    planted = BY_NAME[name].plant(both)
    assert planted is not None
    assert judged(planted).reason is BY_NAME[name].expected


def test_only_one_volume_is_lied_about() -> None:
    planted = BY_NAME["no-volume-data"].plant(opted_in())
    assert planted is not None
    assert [one.claim for one in survey(planted).unprotected] == ["copied"]


def test_another_namespace_keeps_its_schedule() -> None:
    two = {"namespaces": [namespace(), namespace("team")]}
    planted = BY_NAME["scope-lost"].plant(live(**two))
    assert planted is not None
    assert {one.namespace for one in survey(planted).unprotected} == {"shop"}


def test_a_volume_whose_settings_changed_since_is_no_victim() -> None:
    off = {"schedules": [schedule(snapshotVolumes=False)]}
    assert judged(live(**off)).verdict is Verdict.PROVEN
    assert BY_NAME["no-volume-data"].plant(live(**off)) is None


@pytest.mark.parametrize(
    "changed",
    [
        # Copied anyhow, whatever the pod asks for.
        {"schedules": [schedule(defaultVolumesToFsBackup=True)]},
        # Nobody asks.
        {"pods": [pod("b", claims=("copied",))]},
        # Without the copy it would be snapshotted.
        {"volumes": [volume("moved"), volume("copied")]},
    ],
)
def test_a_lost_opt_in_is_planted_only_where_it_is_what_saves_the_volume(
    changed: dict[str, Any],
) -> None:
    good = opted_in(**changed)
    assert judged(good).verdict is Verdict.PROVEN
    assert opt_in_lost(good) is None


def test_a_lost_opt_in_counts_for_a_csi_volume_without_snapshots() -> None:
    good = opted_in(
        claims=[claim("copied")], volumes=[volume("copied")],
        schedules=[schedule(snapshotVolumes=False)],
    )  # fmt: skip
    planted = opt_in_lost(good)
    assert planted is not None
    assert judged(planted).reason is Reason.UNPROTECTED
