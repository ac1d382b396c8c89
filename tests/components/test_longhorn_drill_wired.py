"""The drill `longhorn` in the whole program: when it runs, after what, and what it is told."""

import datetime
import json
from typing import Any

from components.snapshots.plan import decide
from drills.longhorn.payload import LonghornPayload
from tests.components import cluster_facts as clusters
from tests.components.longhorn.sites import depends, named
from tests.components.longhorn.test_longhorn_settings import faults_of, site
from tests.components.longhorn.test_site import CLASSES, facts
from tests.support.recorder import Registered, record

DRILL = "drill-longhorn"
DAY = datetime.date(2026, 11, 21)
CANARY = {"volumes": [{"name": "one", "method": "snapshot", "storageClass": "longhorn"}]}


def whole(longhorn: Any = None, today: datetime.date = DAY, **changes: Any) -> list[Registered]:
    raw: dict[str, Any] = {
        "snapshots": {"crds": {"path": "standins/crds"}, "classes": CLASSES}, **changes,
    }  # fmt: skip
    settings = site({} if longhorn is None else longhorn, **raw)
    seen = clusters.seen(facts())
    assert settings.snapshots is not None
    plan, faults = decide(settings.site, settings.snapshots, seen)
    assert faults == []
    return record(settings, cluster=seen, snapshots=plan, today=today)


def payload(found: list[Registered]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(named(found, DRILL).inputs["stdin"])
    return told


def test_it_runs_once_longhorn_is_there_and_has_backups() -> None:
    drill = named(whole(), DRILL)
    assert "drills run longhorn --summary" in drill.inputs["create"]
    assert {"longhorn-available-default", "longhorn-first-backup"} <= depends(drill)
    assert "stdin" in drill.secret_inputs


def test_it_is_told_of_the_cluster_the_store_and_the_canary() -> None:
    given = payload(whole(canary=CANARY, velero={"profile": "demo"}))
    read = LonghornPayload.model_validate(given)
    assert read.cluster is not None
    assert read.place().url == "s3://dev-longhorn@eu-west-1/dev/"
    assert read.canary is not None
    assert [one.name for one in read.canary.volumes] == ["one"]
    assert read.limits.rpo_by_job == {"backup-daily": 90000}


def test_it_is_told_of_every_target_by_a_command_of_the_same_name() -> None:
    found = whole({"targets": {"archive": {"prefix": "archive"}}})
    read = LonghornPayload.model_validate(payload(found))
    assert list(read.places()) == ["default", "archive"]
    assert "longhorn-available-archive" in depends(named(found, DRILL))
    (drill,) = (one for one in found if one.name.startswith(DRILL))
    assert drill.inputs["create"] == named(whole(), DRILL).inputs["create"]
    assert drill.inputs["triggers"] != named(whole(), DRILL).inputs["triggers"]


def test_it_can_be_switched_off_and_not_without_longhorn() -> None:
    names = {one.name for one in whole(drills={"longhorn": {"enabled": False}})}
    assert DRILL not in names
    (fault,) = faults_of(None, drills={"longhorn": {"enabled": True}})
    assert fault.startswith("config backstop:drills.longhorn: drills the backups of Longhorn")


def test_what_it_proves_and_its_period_run_it_again() -> None:
    before = named(whole(), DRILL).inputs["triggers"]
    moved = whole({"target": {"prefix": "other"}})
    deeper = whole(drills={"longhorn": {"depth": "full"}})
    for changed in (moved, deeper):
        assert named(changed, DRILL).inputs["triggers"] != before
    daily = {"period": "daily"}
    days = (DAY, DAY + datetime.timedelta(days=1))
    today, tomorrow = (whole(drills=daily, today=day) for day in days)
    assert named(today, DRILL).inputs["triggers"] != named(tomorrow, DRILL).inputs["triggers"]
    assert named(whole(), DRILL).inputs == named(whole(), DRILL).inputs
