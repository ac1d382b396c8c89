"""The table that ends an `up`."""

import json
from pathlib import Path

from stack.verdicts import directory, of_files, read, table

NOWHERE = Path("/nonexistent")

RECEIPT = {
    "schema": 1,
    "layer": "store",
    "verdict": "broken",
    "reason": "policy-too-broad",
    "phases": [{"name": "probe", "seconds": 1.25}, {"name": "clean up", "seconds": 0.5}],
    "receipt": "/srv/receipts/r1.json",
    "secret": "never printed",
}


def test_receipts_come_as_text_or_as_objects() -> None:
    for value in (RECEIPT, json.dumps(RECEIPT)):
        (verdict,) = read({"drills": {"store": value}}, NOWHERE)
        assert verdict.cells == (
            "store",
            "store",
            "broken",
            "policy-too-broad",
            "1.8",
            "/srv/receipts/r1.json",
        )


def test_the_table_is_aligned_and_holds_named_fields_only() -> None:
    text = table(read({"drills": {"store": RECEIPT, "a-second": {"verdict": "proven"}}}, NOWHERE))
    header, first, second = text.splitlines()
    assert header.split() == ["drill", "layer", "verdict", "reason", "seconds", "receipt"]
    assert first.split() == ["a-second", "-", "proven", "-", "-", "-"]
    assert second.index("broken") == header.index("verdict") == first.index("proven")
    assert "never printed" not in text


def test_stacks_without_drills_have_no_table() -> None:
    assert read({}, NOWHERE) == []
    assert read({"drills": "none"}, NOWHERE) == []


def test_a_receipt_that_is_no_json_still_has_its_line() -> None:
    (verdict,) = read({"drills": {"store": "cut sho"}}, NOWHERE)
    assert verdict.cells == ("store", "-", "-", "-", "-", "-")


def test_a_receipt_is_found_on_disk_by_its_run(tmp_path: Path) -> None:
    file = tmp_path / "20261121T070529Z-store-ab12.json"
    file.write_text(json.dumps({**RECEIPT, "receipt": None}))
    (verdict,) = read({"drills": {"store": {"runId": "ab12", "verdict": "proven"}}}, tmp_path)
    assert verdict.receipt == str(file)


def test_receipts_on_disk_come_by_time(tmp_path: Path) -> None:
    for time, run in (("080000", "b"), ("070000", "a")):
        file = tmp_path / f"20261121T{time}Z-store-{run}.json"
        file.write_text(json.dumps({**RECEIPT, "runId": run, "receipt": None}))
    found = of_files(tmp_path.glob("*.json"))
    assert [v.receipt.rpartition("-")[2] for v in found] == ["a.json", "b.json"]
    assert {v.verdict for v in found} == {"broken"}


def test_receipts_are_kept_where_the_drills_keep_them(tmp_path: Path) -> None:
    assert directory({"BACKSTOP_RECEIPTS": "/srv/r"}, tmp_path, "dev") == Path("/srv/r")
    expected = tmp_path / ".local/state/backstop/dev/receipts"
    assert directory({}, tmp_path, "dev") == expected
