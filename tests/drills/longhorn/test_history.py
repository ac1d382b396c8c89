"""Receipts of earlier drills tell what was read; whatever is no receipt has read nothing."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from drills.longhorn.history import REBUILT, RESTORED, TURN_USED, History, read

SITE = "dev"
AT = "2026-11-20T03:00:00Z"


def receipt(folder: Path, name: str = "20261120T030000Z-longhorn-1", **changes: Any) -> None:
    content = {
        "site": SITE, "startedAt": AT,
        "phases": [{"name": name, "seconds": 1} for name in ("find", "blocks", "rebuild")],
        "checks": [{"client": "pvc-1", "check": REBUILT}, {"client": "pvc-2", "check": "records"}],
        **changes,
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_the_newest_drill_that_read_its_share_counts(tmp_path: Path) -> None:
    receipt(tmp_path)
    receipt(tmp_path, "20261118T030000Z-longhorn-0", startedAt="2026-11-18T03:00:00Z", checks=[])
    found = read(tmp_path, SITE)
    assert found.last == datetime.date(2026, 11, 20)
    assert found.trials == (("pvc-1", datetime.datetime(2026, 11, 20, 3, tzinfo=datetime.UTC)),)


def test_a_drill_that_ended_before_its_blocks_were_read_has_read_none(tmp_path: Path) -> None:
    phases = [{"name": "find", "seconds": 1}, {"name": "blocks", "seconds": 1}]
    receipt(tmp_path, phases=phases, checks=[])
    assert read(tmp_path, SITE) == History()


@pytest.mark.parametrize(
    "changes",
    [{"site": "other"}, {"startedAt": "soon"}, {"startedAt": "2026-11-20T03:00:00"},
     {"checks": None}, {"phases": [1]}],
    ids=["another site's", "no time", "no zone", "no checks", "no phases"],
)  # fmt: skip
def test_what_does_not_say_it_is_not_believed(tmp_path: Path, changes: dict[str, Any]) -> None:
    receipt(tmp_path, **changes)
    assert read(tmp_path, SITE) == History()


def test_other_layers_torn_files_and_no_folder_are_passed_over(tmp_path: Path) -> None:
    receipt(tmp_path, "20261120T030000Z-store-1")
    (tmp_path / "20261120T030000Z-longhorn-2.json").write_text("{")
    (tmp_path / "20261120T030000Z-longhorn-3.json").write_text("[]")
    assert read(tmp_path, SITE) == History()
    assert read(tmp_path / "none", SITE) == History()


def test_the_day_is_that_of_utc(tmp_path: Path) -> None:
    receipt(tmp_path, startedAt="2026-11-20T01:00:00+03:00")
    assert read(tmp_path, SITE).last == datetime.date(2026, 11, 19)


def test_a_volume_had_its_turn_whatever_longhorn_made_of_it(tmp_path: Path) -> None:
    checks = [{"client": "pvc-1", "check": RESTORED}, {"client": "pvc-2", "check": REBUILT}]
    left = [{"what": f"{TURN_USED}pvc-3"}, {"what": "restore by Longhorn of pvc-4, pvc-5"}]
    receipt(tmp_path, checks=checks, notCompared=left)
    found = read(tmp_path, SITE)
    assert [name for name, _ in found.restored] == ["pvc-1", "pvc-3"]
    assert [name for name, _ in found.trials] == ["pvc-2"]
