"""The table that ends an `up`."""

import json
from pathlib import Path

import pytest

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
            "store", "broken", "policy-too-broad", "1.8", "-", "-", "-", "-",
            "/srv/receipts/r1.json",
        )  # fmt: skip


def test_a_restore_is_shown_with_its_point_its_age_and_its_times() -> None:
    receipt = {
        **RECEIPT,
        "layer": "kube-objects",
        "restorePoint": {"name": "daily-1", "age": 90.4},
        "rpoSeconds": 93_780.0,
        "rto": {"fetch": 0.4, "objects": 11.3},
        "control": {"name": "stale-point", "killed": True, "planted": "never printed"},
    }
    (verdict,) = read({"drills": {"kube-objects": receipt}}, NOWHERE)
    assert (verdict.rpo, verdict.rto, verdict.point) == ("26h3m", "12s", "daily-1")
    assert verdict.control == "stale-point killed"


@pytest.mark.parametrize(
    ("rto", "shown"),
    [
        ({"rebuild": 20, "file system": 10, "longhorn: restore": 40, "longhorn: mount": 5}, "45s"),
        ({"rebuild": 50, "file system": 10, "longhorn: restore": 40}, "1m"),
        ({"longhorn: restore": "40"}, "-"),
        ({}, "-"),
    ],
)
def test_of_two_ways_to_usable_the_slower_one_is_shown(rto: object, shown: str) -> None:
    (verdict,) = read({"drills": {"longhorn": {"rto": rto}}}, NOWHERE)
    assert verdict.rto == shown


def test_without_an_age_of_data_that_of_the_restore_point_is_shown() -> None:
    point = {"name": "daily-1", "age": 90.4}
    (verdict,) = read({"drills": {"a": {"restorePoint": point, "rpoSeconds": None}}}, NOWHERE)
    assert verdict.rpo == "1m30s"


@pytest.mark.parametrize(
    ("control", "shown"),
    [
        ({"name": "none", "planted": "the drill is red", "killed": False}, "-"),
        ({"name": "lost-copy", "killed": False}, "lost-copy SURVIVED"),
        ({"name": "lost-copy", "killed": True}, "lost-copy killed"),
        ("odd", "-"),
    ],
)
def test_a_control_is_shown_with_its_end(control: object, shown: str) -> None:
    (verdict,) = read({"drills": {"a": {"control": control}}}, NOWHERE)
    assert verdict.control == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"), (59.4, "59s"), (59.6, "1m"), (200, "3m20s"), (3600, "1h"), (90_000, "25h"),
        (273_600, "3d4h"), (None, "-"), ("60", "-"),
    ],
)  # fmt: skip
def test_times_are_shown_in_two_units_at_most(seconds: object, shown: str) -> None:
    (verdict,) = read({"drills": {"a": {"rpoSeconds": seconds}}}, NOWHERE)
    assert verdict.rpo == shown


def test_layers_come_as_data_flows() -> None:
    drills = {name: {} for name in ("volumes", "later", "kube-objects", "store", "another")}
    found = read({"drills": drills}, NOWHERE)
    assert [one.layer for one in found] == [
        "store", "kube-objects", "volumes", "another", "later",
    ]  # fmt: skip


def test_the_table_is_aligned_and_holds_named_fields_only() -> None:
    text = table(read({"drills": {"store": RECEIPT, "a-second": {"verdict": "proven"}}}, NOWHERE))
    header, first, second = text.splitlines()
    assert header.split() == [
        "layer", "verdict", "reason", "seconds", "rpo", "rto", "control", "point", "receipt",
    ]  # fmt: skip
    assert second.split() == ["a-second", "proven", *"-------"]
    assert first.index("broken") == header.index("verdict") == second.index("proven")
    assert "never printed" not in text


def test_stacks_without_drills_have_no_table() -> None:
    assert read({}, NOWHERE) == []
    assert read({"drills": "none"}, NOWHERE) == []


def test_a_receipt_that_is_no_json_still_has_its_line() -> None:
    (verdict,) = read({"drills": {"store": "cut sho"}}, NOWHERE)
    assert verdict.cells == ("store", *"--------")


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
