"""Every volume of the live cluster: in a job, in the store, young enough; or named, and why."""

import datetime
from dataclasses import replace
from typing import Any

import pytest

from drills.backupstore.url import Target
from drills.longhorn.coverage import Coverage, Point, Terms, survey
from drills.longhorn.expected import Live, look
from drills.longhorn.payload import Excuse, LonghornLimits
from drills.verdict import Reason
from kube.longhorn.api import NAMESPACE
from tests.drills.longhorn.site import LONG_AGO, NOW, Site
from tests.kube.fakes import status

HOUR = datetime.timedelta(hours=1)
PLACE = Target("dev-longhorn", "eu-west-1", "site/")
LIMITS = LonghornLimits(rto_seconds=600, rpo_seconds=6 * 3600)
TERMS = Terms({"default": PLACE}, LIMITS, (), NOW)
POINTS = {
    name: Point(f"backup-{name}", NOW - HOUR) for name in ("pvc-canary", "pvc-shop", "raw-01")
}
YOUNG = (NOW - HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


def live(site: Site) -> Live:
    return look(site.cluster.longhorn().client, NAMESPACE)


def surveyed(site: Site, points: Any = None, **terms: Any) -> Coverage:
    held = POINTS if points is None else points
    return survey(live(site), {"default": held}, replace(TERMS, **terms))


def red(found: Coverage) -> dict[str, Reason]:
    return {one.check: one.reason for one in found.checks if one.reason is not None}


def aside(found: Coverage) -> dict[str, str]:
    return {one.what: one.why for one in found.not_compared}


def test_a_covered_cluster_is_green_and_says_how_many(site: Site) -> None:
    found = surveyed(site)
    assert red(found) == {}
    assert sorted(found.protected) == sorted(POINTS)
    assert [(one.what, one.count) for one in found.compared] == [("coverage of volumes", 3)]
    assert found.points == POINTS
    assert aside(found) == {}


def test_a_volume_that_lost_its_job_is_red_by_its_claim(site: Site) -> None:
    label = {"recurring-job-group.longhorn.io/weekly": "enabled"}
    site.add_volume("pvc-shop", "shop", "data", labels=label)
    found = surveyed(site)
    assert red(found) == {"pvc-shop (shop/data)": Reason.UNPROTECTED}
    seen = next(one.observed for one in found.checks if not one.ok)
    assert seen == (
        "no recurring job backs it up: it asks for group weekly (jobs that back up: nightly)"
    )


def test_a_job_that_makes_no_backups_is_no_protection(site: Site) -> None:
    site.cluster.objects.pop(next(path for path in site.cluster.objects if "recurringjobs" in path))
    trim = {"task": "filesystem-trim", "groups": ["default"]}
    site.cluster.add("recurringjobs", "trim", spec=trim)
    assert set(red(surveyed(site)).values()) == {Reason.UNPROTECTED}


def test_a_volume_without_a_backup_is_lost_unless_it_is_new(site: Site) -> None:
    site.add_volume("pvc-old", "shop", "old")
    site.add_volume("pvc-new", "shop", "new", created=YOUNG)
    found = surveyed(site)
    assert red(found) == {"pvc-old (shop/old)": Reason.VOLUME_LOST}
    assert aside(found) == {
        "coverage of pvc-new (shop/new)": "it is new, and waits for its first backup"
    }


def test_a_new_volume_that_no_job_will_back_up_is_red_at_once(site: Site) -> None:
    label = {"recurring-job.longhorn.io/gone": "enabled"}
    site.add_volume("pvc-new", created=YOUNG, labels=label)
    assert red(surveyed(site)) == {"pvc-new": Reason.UNPROTECTED}


def test_what_longhorn_believes_is_in_the_store_is_told_with_what_is_not(site: Site) -> None:
    site.cluster.answer("volumes", "pvc-shop", lastBackup="backup-gone")
    points = {name: one for name, one in POINTS.items() if name != "pvc-shop"}
    found = surveyed(site, points)
    assert red(found) == {"pvc-shop (shop/data)": Reason.VOLUME_LOST}
    seen = next(one.observed for one in found.checks if not one.ok)
    assert "Longhorn knows of backup-gone" in seen


def test_a_volume_of_another_target_is_not_protected_by_this_one(site: Site) -> None:
    site.add_volume("pvc-shop", "shop", "data", backupTargetName="offsite")
    found = surveyed(site)
    assert red(found) == {"pvc-shop (shop/data)": Reason.UNPROTECTED}
    assert "target offsite" in next(one.observed for one in found.checks if not one.ok)


def test_an_old_backup_is_red_and_a_detached_volume_is_told_why(site: Site) -> None:
    points = {**POINTS, "pvc-shop": Point("backup-s", NOW - 7 * HOUR)}
    site.cluster.answer("volumes", "pvc-shop", state="detached")
    found = surveyed(site, points)
    assert red(found) == {"pvc-shop (shop/data)": Reason.OVER_RPO}
    seen = next(one.observed for one in found.checks if not one.ok)
    assert seen.startswith("its newest backup backup-s is 25200 s old, more than 21600 s; it is")
    assert "allow-recurring-job-while-volume-detached" in seen


def test_each_volume_is_held_to_the_jobs_that_back_it_up(site: Site) -> None:
    weekly = {"task": "backup", "cron": "0 3 * * 0", "groups": ["weekly"]}
    site.cluster.add("recurringjobs", "weekly", spec=weekly)
    label = {"recurring-job-group.longhorn.io/weekly": "enabled"}
    site.add_volume("pvc-shop", "shop", "data", labels=label)
    site.add_volume("pvc-new", created=YOUNG)
    by_job = {"nightly": 2 * 3600, "weekly": 8 * 86400}
    limits = LonghornLimits.model_validate(
        {"rtoSeconds": 600, "rpoSeconds": 60, "rpoByJob": by_job}
    )
    points = {**POINTS, "pvc-shop": Point("backup-s", NOW - 7 * 24 * HOUR)}
    assert red(surveyed(site, points, limits=limits)) == {}
    both = {**label, "recurring-job-group.longhorn.io/default": "enabled"}
    site.add_volume("pvc-shop", "shop", "data", labels=both)
    found = surveyed(site, points, limits=limits)
    assert red(found) == {"pvc-shop (shop/data)": Reason.OVER_RPO}
    assert "more than 7200 s" in next(one.observed for one in found.checks if not one.ok)


def test_two_faults_of_one_volume_are_both_told(site: Site) -> None:
    label = {"recurring-job.longhorn.io/gone": "enabled"}
    site.add_volume("pvc-shop", "shop", "data", labels=label)
    points = {**POINTS, "pvc-shop": Point("backup-s", NOW - 7 * HOUR)}
    reasons = [one.reason for one in surveyed(site, points).checks if not one.ok]
    assert reasons == [Reason.UNPROTECTED, Reason.OVER_RPO]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Standby": True}, "it follows the backups of another cluster, and makes none"),
        ({"cloneMode": "linked-clone", "young": True}, "it is being filled from another volume"),
        ({"restoring": True, "young": True}, "it is being filled from another volume"),
        ({"deleting": True}, "it is being deleted"),
    ],
    ids=["standby", "linked clone", "restoring", "deleting"],
)
def test_what_nothing_is_expected_of_is_named(site: Site, change: dict[str, Any], why: str) -> None:
    spec = {key: value for key, value in change.items() if key in ("Standby", "cloneMode")}
    site.add_volume("pvc-odd", created=YOUNG if "young" in change else LONG_AGO, **spec)
    if "restoring" in change:
        site.cluster.answer("volumes", "pvc-odd", restoreRequired=True)
    if "deleting" in change:
        path = next(path for path in site.cluster.objects if path.endswith("/pvc-odd"))
        site.cluster.objects[path]["metadata"]["deletionTimestamp"] = LONG_AGO
    found = surveyed(site)
    assert red(found) == {}
    assert aside(found) == {"coverage of pvc-odd": why}


def test_an_old_linked_clone_and_an_endless_restore_are_as_unprotected_as_any(site: Site) -> None:
    site.add_volume("pvc-clone", cloneMode="linked-clone")
    site.add_volume("pvc-stuck")
    site.cluster.answer("volumes", "pvc-stuck", restoreRequired=True)
    found = surveyed(site)
    assert {one.check for one in found.checks if not one.ok} == {"pvc-clone", "pvc-stuck"}
    assert any("linked clone" in one.observed for one in found.checks)


def test_a_claim_whose_volume_is_gone_is_a_loss(site: Site) -> None:
    path = next(path for path in site.cluster.objects if path.endswith("volumes/pvc-shop"))
    del site.cluster.objects[path]
    found = surveyed(site)
    assert red(found) == {"pv-pvc-shop (shop/data)": Reason.VOLUME_LOST}


def test_a_claim_that_is_removed_while_the_cluster_is_read_is_no_loss(site: Site) -> None:
    """Its PersistentVolume was listed, its volume is gone by then; a second look sees neither."""
    gone = [path for path in site.cluster.objects if path.endswith("pvc-shop")]

    def removed(_method: str, path: str) -> None:
        if path.endswith("/volumes"):
            for one in gone:
                site.cluster.objects.pop(one, None)

    site.cluster.refuse = removed
    points = {name: one for name, one in POINTS.items() if name != "pvc-shop"}
    assert red(surveyed(site, points)) == {}


def test_a_new_claim_may_wait_for_its_volume(site: Site) -> None:
    site.add_volume("pvc-next", "shop", "next")
    path = next(path for path in site.cluster.objects if path.endswith("volumes/pvc-next"))
    del site.cluster.objects[path]
    volume = next(one for one in site.cluster.objects if one.endswith("pv-pvc-next"))
    site.cluster.objects[volume]["metadata"]["creationTimestamp"] = YOUNG
    found = surveyed(site)
    assert red(found) == {}
    assert aside(found) == {
        "coverage of pv-pvc-next (shop/next)": "it is new, and no volume is behind it yet"
    }


def test_an_exception_excuses_with_its_why_and_an_idle_one_is_named(site: Site) -> None:
    site.add_volume("pvc-cache", "cache-1", "tmp")
    del site.cluster.objects[
        next(path for path in site.cluster.objects if path.endswith("volumes/pvc-shop"))
    ]
    excuses = (
        Excuse(namespace="cache-*", why="made anew"),
        Excuse(volume="pvc-shop", why="moved away"),
        Excuse(namespace="nobody", claim="x", why="never"),
    )
    found = surveyed(site, exceptions=excuses)
    assert red(found) == {}
    assert aside(found) == {
        "coverage of pvc-cache (cache-1/tmp)": "excused: made anew",
        "coverage of pv-pvc-shop (shop/data)": "excused: moved away",
        "exception nobody/x": "it excuses nothing; remove it",
    }


def test_an_excused_volume_counts_for_no_age(site: Site) -> None:
    points = {**POINTS, "pvc-shop": Point("backup-s", NOW - 100 * HOUR)}
    excuses = (Excuse(volume="pvc-shop", why="it never changes"),)
    found = surveyed(site, points, exceptions=excuses)
    assert red(found) == {}
    assert "pvc-shop" not in found.points


def test_nothing_to_save_proves_nothing(site: Site) -> None:
    for path in [path for path in site.cluster.objects if "volumes/" in path]:
        del site.cluster.objects[path]
    assert set(red(surveyed(site)).values()) == {Reason.NOTHING_TO_CHECK}


def test_a_cluster_without_longhorn_is_no_empty_longhorn(site: Site) -> None:
    site.cluster.refuse = lambda _method, path: (
        status(404, "not found", "NotFound") if "longhorn.io" in path else None
    )
    found = surveyed(site)
    assert red(found) == {"Longhorn": Reason.SCOPE_LOST}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3://dev-longhorn@eu-west-1/site", None),
        ("s3://dev-longhorn@eu-west-1/other/", Reason.SCOPE_LOST),
        ("s3://other@eu-west-1/site/", Reason.SCOPE_LOST),
        ("nfs://10.0.0.1:/share", Reason.SCOPE_LOST),
        ("", Reason.SCOPE_LOST),
    ],
)
def test_the_place_that_longhorn_backs_up_to_is_the_one_drilled(
    site: Site, url: str, reason: Reason | None
) -> None:
    site.cluster.add("backuptargets", "default", spec={"backupTargetURL": url},
                     status={"available": True})  # fmt: skip
    assert red(surveyed(site)).get("backup target default") is reason


def test_a_target_that_does_not_exist_or_is_away_is_red(site: Site) -> None:
    drilled = {"default": PLACE, "offsite": Target("dev-longhorn", "eu-west-1", "off/")}
    assert red(surveyed(site, drilled=drilled)) == {"backup target offsite": Reason.SCOPE_LOST}
    message = {"type": "Unavailable", "status": "True", "message": "x509:\n unknown authority"}
    site.cluster.answer("backuptargets", "default", available=False, conditions=[message])
    found = surveyed(site)
    assert red(found) == {"backup target default": Reason.UNPROTECTED}
    assert "x509: unknown authority" in next(one.observed for one in found.checks if not one.ok)


def test_a_lost_scope_of_hundreds_is_told_in_a_few_lines(site: Site) -> None:
    for number in range(100):
        site.add_volume(f"pvc-{number:03}")
    found = surveyed(site)
    gone = [one for one in found.checks if not one.ok]
    assert len(gone) == 21
    assert gone[-1].observed == "and 80 more"
    assert gone[-1].reason is Reason.VOLUME_LOST
