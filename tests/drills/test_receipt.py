"""The receipt of schema 2, and that readers take the older ones beside it."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from drills.evidence import earlier_receipts, write_private
from drills.frame import Compared, NotCompared, PhaseTime, Record, RestorePoint
from drills.listing import lines
from drills.receipt import SUMMARY_ENTRIES, ControlResult, Receipt
from drills.verdict import Reason
from stack.verdicts import of_files, read
from tests.support.toy_drill import check

BEGAN = datetime.datetime(2026, 3, 1, 5, 0, tzinfo=datetime.UTC)
TAKEN = datetime.datetime(2026, 3, 1, 5, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))

# As the first version wrote it, shortened.
SCHEMA_1 = {
    "schema": 1, "runId": "old1", "layer": "store", "site": "dev", "verdict": "broken",
    "reason": "key-wrong", "detail": "velero: login", "startedAt": "2026-02-01T05:00:00Z",
    "phases": [{"name": "find", "seconds": 1.5, "result": "x"}], "checks": [], "left": [],
    "control": {"name": "none"}, "versions": {"drill": "store/1"}, "evidence": {},
}  # fmt: skip


def receipt(record: Record) -> Receipt:
    return Receipt(
        run_id="new1",
        layer="store",
        site="dev",
        judgement=record.judgement(),
        started_at=BEGAN,
        record=record,
        control=ControlResult("none", "switched off in the payload"),
        versions={"server": "MinIO"},
    )


def full() -> Record:
    return Record(
        checks=[check(), check(Reason.OBJECT_LOST)],
        phases=[PhaseTime("find", 1.0, "one"), PhaseTime("restore", 2.5, "two")],
        compared=[
            Compared("objects", 41, None, "field by field"),
            Compared("files", 3, 99, "hash"),
        ],
        not_compared=[NotCompared("volumes", 2, "no digest tree")],
        point=RestorePoint("daily-20260301030000", TAKEN, 7200.0),
        rpo_seconds=7260.5,
        rto={"fetch": 1.5, "objects": 2.0},
    )


def test_what_was_and_was_not_compared_is_said_with_point_rpo_and_rto() -> None:
    written: dict[str, Any] = json.loads(receipt(full()).text())
    assert written["schema"] == 2
    assert written["compared"] == [
        {"what": "objects", "count": 41, "bytes": None, "how": "field by field"},
        {"what": "files", "count": 3, "bytes": 99, "how": "hash"},
    ]
    assert written["notCompared"] == [{"what": "volumes", "count": 2, "why": "no digest tree"}]
    # In UTC, whatever zone the point's time came in.
    assert written["restorePoint"] == {
        "name": "daily-20260301030000", "time": "2026-03-01T03:00:00Z", "age": 7200.0,
    }  # fmt: skip
    assert written["rpoSeconds"] == 7260.5
    assert written["rto"] == {"fetch": 1.5, "objects": 2.0}


def test_what_a_drill_did_not_find_is_there_and_empty() -> None:
    bare = Record(checks=[check()])
    for form in (receipt(bare).to_json(), receipt(bare).summary()):
        assert form["restorePoint"] is None
        assert form["rpoSeconds"] is None
        assert form["rto"] == {}
    assert receipt(bare).to_json()["compared"] == []
    assert receipt(bare).to_json()["notCompared"] == []


def test_every_key_of_the_first_schema_is_still_there() -> None:
    assert SCHEMA_1.keys() <= receipt(full()).to_json().keys()


def test_a_summary_counts_the_lists_and_shows_their_beginning() -> None:
    record = full()
    record.compared = [Compared(f"kind {n}", n, None, "field by field") for n in range(300)]
    record.checks = [check(Reason.OBJECT_LOST) for _ in range(300)]
    summary: Any = receipt(record).summary()
    assert summary["compared"]["total"] == summary["checks"]["total"] == 300
    assert len(summary["compared"]["first"]) == len(summary["checks"]["failed"]) == SUMMARY_ENTRIES
    assert summary["notCompared"] == {
        "total": 1, "first": [{"what": "volumes", "count": 2, "why": "no digest tree"}],
    }  # fmt: skip
    assert summary["rto"] == {"fetch": 1.5, "objects": 2.0}
    assert len(json.dumps(summary)) < 8000


def test_both_schemas_are_listed_and_read_by_the_table_of_verdicts(tmp_path: Path) -> None:
    old = tmp_path / "20260201T050000Z-store-old1.json"
    old.write_text(json.dumps(SCHEMA_1))
    new = tmp_path / receipt(full()).file_name
    write_private(new, receipt(full()))
    assert list(lines(tmp_path)) == [
        "2026-02-01T05:00:00Z  dev  store  broken  key-wrong  old1",
        "2026-03-01T05:00:00Z  dev  store  broken  object-lost  new1",
    ]
    found = of_files([new, old])
    assert [(each.reason, each.seconds) for each in found] == [
        ("key-wrong", "1.5"), ("object-lost", "3.5"),
    ]  # fmt: skip
    (told,) = read({"drills": {"store": receipt(full()).summary()}}, tmp_path)
    assert (told.verdict, told.seconds, told.receipt) == ("broken", "3.5", str(new))


@pytest.mark.parametrize(("layer", "count"), [("store", 2), ("objects", 0), ("kube-objects", 1)])
def test_receipts_are_counted_by_layer(tmp_path: Path, layer: str, count: int) -> None:
    for name in ("store-a", "store-b", "kube-objects-c"):
        (tmp_path / f"20260201T050000Z-{name}.json").write_text("{}")
    assert earlier_receipts(tmp_path, layer) == count
    assert earlier_receipts(tmp_path / "none", layer) == 0
