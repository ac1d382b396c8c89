"""Volumes of a further target, brought back by Longhorn out of that target and no other."""

import datetime
import shutil
from typing import Any

import pytest

from drills.frame import Record
from drills.longhorn.controls import CONTROLS, planted
from drills.longhorn.history import REBUILT, RESTORED, History
from drills.longhorn.live import controls as faults
from drills.longhorn.live.orders import has_another
from drills.verdict import Reason, Verdict
from kube.longhorn.backups import read_backups
from tests.drills.longhorn.live.live_cluster import CLASSES
from tests.drills.longhorn.live.live_site import LIVE, LiveSite, live_payload, url_in_archive
from tests.drills.longhorn.site import (
    ARCHIVE,
    CANARY,
    CLAIM,
    IN_ARCHIVE,
    NOW,
    OF_BOOKS,
    OF_CANARY,
    OF_SHOP,
    RAW,
    further,
    run_through,
)
from tests.support.longhorn_store import BLOCK, VolumeWriter, content, folder_of, into_folder

MINUTE = datetime.timedelta(minutes=1)
BOOKS = f"{OF_BOOKS}{IN_ARCHIVE}"


def restored(record: Record) -> list[str]:
    return sorted(one.client for one in record.checks if one.check == RESTORED and one.ok)


def failed(record: Record) -> dict[str, str]:
    return {f"{one.client}: {one.check}": one.observed for one in record.checks if not one.ok}


def proven(record: Record) -> bool:
    return record.judgement().verdict is Verdict.PROVEN


def classes(site: LiveSite) -> list[dict[str, Any]]:
    """Parameters of every storage class that a run makes."""
    found: dict[str, dict[str, Any]] = {}

    def look(_method: str, _path: str) -> None:
        for path, one in site.cluster.objects.items():
            if path.startswith(f"{CLASSES}/"):
                found[path] = one["parameters"]

    site.cluster.refuse = look
    record = site.run_live(**further(canary=None, live={**LIVE, "volumes": 9}))
    assert proven(record), failed(record)
    return list(found.values())


def test_a_volume_comes_back_out_of_its_own_target(two_targets: LiveSite) -> None:
    made = {one["backupTargetName"]: one["fromBackup"] for one in classes(two_targets)}
    assert made[ARCHIVE] == url_in_archive(OF_BOOKS, "backup-b2")
    assert made["default"].startswith("s3://dev-longhorn@eu-west-1/site/")


def test_of_each_target_as_many_come_back_as_a_run_is_told(two_targets: LiveSite) -> None:
    record = two_targets.run_live(**further())
    assert proven(record), failed(record)
    assert restored(record) == [BOOKS, OF_CANARY, OF_SHOP]
    named = f"files of Longhorn's {BOOKS}"
    assert {one.count for one in record.compared if one.what == named} == {6}
    assert two_targets.cluster.drilled() == []


def test_turns_of_one_target_are_no_turns_of_another(two_targets: LiveSite) -> None:
    two_targets.history = History(None, (), ((OF_SHOP, NOW - MINUTE), (BOOKS, NOW - MINUTE)))
    assert restored(two_targets.run_live(**further())) == [BOOKS, OF_CANARY, RAW]


def test_a_backup_that_longhorn_has_in_another_target_is_not_the_one(two_targets: LiveSite) -> None:
    two_targets.cluster.backup("backup-b2", OF_BOOKS, url_in_archive(OF_BOOKS, "backup-b2"))
    record = two_targets.run_live(**further())
    assert record.judgement().reason is Reason.RESTORE_POINT_MISSING
    assert list(failed(record)) == [f"{BOOKS}: {RESTORED}"]


def test_a_backup_whose_url_is_of_the_first_target_is_lost_scope(two_targets: LiveSite) -> None:
    there = two_targets.url(OF_BOOKS, "backup-b2")
    two_targets.cluster.backup("backup-b2", OF_BOOKS, there, ARCHIVE)
    record = two_targets.run_live(**further())
    assert record.judgement().reason is Reason.SCOPE_LOST
    assert failed(record)[f"{BOOKS}: {RESTORED}"].endswith(f"names another place: {there}")


def test_what_is_left_of_a_volume_in_its_former_target_is_no_truth_about_it(
    two_targets: LiveSite,
) -> None:
    """The image of its last backup there is rebuilt in full depth, and is not what comes back."""
    shutil.copytree(
        two_targets.store / folder_of(OF_CANARY), two_targets.archive / folder_of(OF_CANARY)
    )
    two_targets.add_volume(OF_CANARY, CANARY, CLAIM, backupTargetName=ARCHIVE)
    two_targets.cluster.backup(
        "backup-c3", OF_CANARY, url_in_archive(OF_CANARY, "backup-c3"), ARCHIVE
    )
    record = two_targets.run_live(**further(depth="full"))
    assert proven(record), failed(record)
    assert f"{OF_CANARY}{IN_ARCHIVE}" in restored(record)
    assert OF_CANARY not in restored(record)
    left = [one for one in record.not_compared if "now" in one.why and OF_CANARY in one.what]
    assert "restore by Longhorn of pvc-canary" in [one.what for one in left]


def test_what_a_later_target_still_holds_of_a_volume_is_no_truth_about_it_either(
    two_targets: LiveSite,
) -> None:
    """Its image is rebuilt after that of the volume's own target, of another backup."""
    left = VolumeWriter(into_folder(two_targets.archive), OF_SHOP, 8 * BLOCK)
    left.backup("backup-left", [0], content("left", noise=0.01))
    record = two_targets.run_live(**further(depth="full"))
    assert proven(record), failed(record)
    assert OF_SHOP in restored(record)
    rebuilt = {one.client for one in record.checks if one.check == REBUILT}
    assert {OF_SHOP, f"{OF_SHOP}{IN_ARCHIVE}"} < rebuilt


def test_a_newer_backup_in_another_target_is_no_successor(two_targets: LiveSite) -> None:
    cluster = two_targets.cluster
    cluster.backup("backup-s3", OF_SHOP, url_in_archive(OF_SHOP, "backup-s3"), ARCHIVE)
    longhorn = cluster.longhorn()
    known = read_backups(longhorn.client, longhorn.namespace)
    assert has_another(known, ARCHIVE, OF_SHOP, "backup-s2")
    assert not has_another(known, "default", OF_SHOP, "backup-s2")


@pytest.mark.parametrize("fault", faults.FAULTS, ids=[one.name for one in faults.FAULTS])
def test_faults_of_its_restores_are_noticed_beside_a_further_target(
    two_targets: LiveSite, fault: faults.LiveFault
) -> None:
    drill = two_targets.make(live_payload(**further()))
    try:
        assert proven(run_through(drill))
        control = next(one for one in CONTROLS if one.name == fault.name)
        ready = planted(control, drill, two_targets.make)
        assert ready.result(ready.run()).killed
    finally:
        drill.forget()
