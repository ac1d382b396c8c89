"""Which restore points were tried, by the receipts on this machine."""

import datetime
import json
from pathlib import Path
from typing import Any

from drills.listing import trials


def kept(directory: Path, name: str, **content: Any) -> None:
    whole = {
        "startedAt": "2026-03-01T02:00:00Z",
        "phases": [{"name": "find", "seconds": 10.0}, {"name": "restore", "seconds": 20.0}],
        "restorePoint": {"name": "nightly-1"},
        **content,
    }
    (directory / name).write_text(json.dumps(whole))


def test_a_receipt_is_a_trial_of_its_restore_point_at_its_end(tmp_path: Path) -> None:
    kept(tmp_path, "20260301T020000Z-kube-objects-a.json")
    ended = datetime.datetime(2026, 3, 1, 2, 0, 30, tzinfo=datetime.UTC)
    assert trials(tmp_path, "kube-objects") == [("nightly-1", ended)]


def test_other_layers_and_drills_without_a_point_are_none(tmp_path: Path) -> None:
    kept(tmp_path, "20260301T020000Z-volumes-a.json")
    kept(tmp_path, "20260301T020001Z-kube-objects-b.json", restorePoint=None)
    assert trials(tmp_path, "kube-objects") == []


def test_what_is_no_receipt_is_no_trial_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "20260301T020000Z-kube-objects-a.json").write_text("{")
    kept(tmp_path, "20260301T020001Z-kube-objects-b.json", startedAt="yesterday")
    kept(tmp_path, "20260301T020002Z-kube-objects-c.json", restorePoint={"name": "nightly-2"})
    assert [name for name, _ in trials(tmp_path, "kube-objects")] == ["nightly-2"]


def test_no_folder_has_no_trials(tmp_path: Path) -> None:
    assert trials(tmp_path / "none", "kube-objects") == []
