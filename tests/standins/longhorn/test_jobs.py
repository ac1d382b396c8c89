"""Recurring jobs: whose minute it is, on which volumes, and what they leave."""

import json
from typing import Any

import pytest

from standins.longhorn import records
from standins.longhorn.backups import jobs_of
from standins.longhorn.jobs import RUN
from standins.longhorn.kinds import BACKUP, EVENT, JOB, SETTING, SNAPSHOT, VOLUME, Object
from tests.standins.longhorn.sites import NAMESPACE, Bench, noise

NIGHTLY = "recurring-job.longhorn.io/nightly"


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.give_volume("pvc-a", content=noise(2))
    bench.turn()
    bench.give_target()
    bench.turn()
    return bench


def give_job(bench: Bench, name: str = "nightly", **spec: Any) -> None:
    wanted = {"task": "backup", "cron": "* * * * *", "retain": 2, "groups": ["default"]}
    body = {"metadata": {"name": name}, "spec": {"name": name, **wanted, **spec}}
    bench.api.put(JOB, body, namespace=NAMESPACE)
    bench.turn()


def backups(bench: Bench) -> list[Object]:
    found = bench.api.listing(BACKUP, "").items
    return sorted(found, key=lambda one: one["status"].get("backupCreatedAt", ""))


def executions(bench: Bench, name: str = "nightly") -> int:
    return int(bench.api.get(JOB, name).get("status", {}).get("executionCount", 0))


def test_a_job_makes_a_backup_at_its_minute(bench: Bench) -> None:
    give_job(bench, labels={"tier": "gold"})
    assert backups(bench) == []
    bench.pass_time(seconds=30)
    (found,) = backups(bench)
    assert found["status"]["state"] == "Completed"
    labels = found["status"]["labels"]
    assert (labels["RecurringJob"], labels["tier"]) == ("nightly", "gold")
    known = json.loads(labels["KubernetesStatus"])
    assert (known["namespace"], known["pvcName"]) == ("apps", "claim-pvc-a")
    assert executions(bench) == 1
    (snapshot,) = bench.api.names(SNAPSHOT)
    assert snapshot.startswith("nightly-")
    assert bench.api.get(SNAPSHOT, snapshot)["spec"]["labels"]["RecurringJob"] == "nightly"
    assert not bench.api.get(SNAPSHOT, snapshot)["metadata"]["annotations"]


def test_its_record_tells_the_jobs_of_the_volume(bench: Bench) -> None:
    give_job(bench)
    bench.pass_time(seconds=30)
    (found,) = backups(bench)
    key = records.backup_key("pvc-a", found["metadata"]["name"])
    told = json.loads((records.parse_backup(bench.store.objects[key]).labels or {})[
        "VolumeRecurringJobInfo"
    ])  # fmt: skip
    assert told["nightly"]["fromGroup"] == ["default"]
    assert told["nightly"]["fromJob"] is False
    assert told["nightly"]["jobSpec"]["cron"] == "* * * * *"


def test_the_oldest_go_with_their_blocks(bench: Bench) -> None:
    give_job(bench, retain=2)
    names = set()
    for number in range(4):
        bench.images.contents["pvc-a"] = noise(2, seed=number)
        bench.pass_time(minutes=1)
        names |= {one["metadata"]["name"] for one in backups(bench)}
    assert len(names) == 4
    kept = backups(bench)
    assert len(kept) == 2
    assert len([key for key in bench.store.objects if key.endswith(".blk")]) == 4
    assert len(bench.api.names(SNAPSHOT)) == 1, "of a job's snapshots only the last stays"
    assert bench.images.names() == set(bench.api.names(SNAPSHOT))
    assert bench.api.get(VOLUME, "pvc-a")["status"]["lastBackup"] == kept[-1]["metadata"]["name"]


def test_backups_of_others_are_never_pruned(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-by-hand")
    bench.ask_backup("pvc-a", "backup-other", labels={"RecurringJob": "other"})
    give_job(bench, retain=1)
    bench.pass_time(minutes=3)
    names = {one["metadata"]["name"] for one in backups(bench)}
    assert {"backup-by-hand", "backup-other"} < names
    assert len(names) == 3


def test_first_backups_under_a_jobs_label_are_pruned_by_it(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-first", labels={"RecurringJob": "nightly"})
    bench.clock.sleep(1)
    give_job(bench, retain=1)
    bench.pass_time(minutes=1)
    assert "backup-first" not in {one["metadata"]["name"] for one in backups(bench)}


@pytest.mark.parametrize(
    ("labels", "spec", "backed_up"),
    [
        ({}, {"groups": ["default"]}, True),
        ({}, {"groups": []}, False),
        ({NIGHTLY: "enabled"}, {"groups": []}, True),
        ({NIGHTLY: "disabled"}, {"groups": []}, False),
        ({"recurring-job-group.longhorn.io/gold": "enabled"}, {"groups": ["default"]}, False),
        ({"recurring-job-group.longhorn.io/gold": "enabled"}, {"groups": ["gold"]}, True),
    ],
    ids=["default", "no-group", "by-name", "by-name-off", "lost-default", "by-group"],
)
def test_a_job_works_on_the_volumes_that_its_labels_select(
    bench: Bench, labels: dict[str, str], spec: dict[str, Any], backed_up: bool
) -> None:
    gone = {"recurring-job-group.longhorn.io/default": None} if labels else {}
    changes = {"metadata": {"labels": {**gone, **labels}}}
    bench.api.patch(VOLUME, NAMESPACE, "pvc-a", changes)
    give_job(bench, **spec)
    bench.pass_time(seconds=30)
    assert bool(backups(bench)) is backed_up


def test_a_detached_volume_is_left_out_unless_the_setting_says_otherwise(bench: Bench) -> None:
    bench.give_volume("pvc-idle", running=False)
    bench.turn()
    give_job(bench)
    bench.pass_time(seconds=30)
    assert {one["status"]["volumeName"] for one in backups(bench)} == {"pvc-a"}
    setting = "allow-recurring-job-while-volume-detached"
    bench.api.patch(SETTING, NAMESPACE, setting, {"value": "true"})
    bench.pass_time(minutes=1)
    assert {one["status"]["volumeName"] for one in backups(bench)} == {"pvc-a", "pvc-idle"}


def test_a_full_backup_comes_with_every_nth_run(bench: Bench) -> None:
    give_job(bench, retain=9, parameters={"full-backup-interval": "3"})
    bench.pass_time(minutes=6)
    modes = [one["spec"]["backupMode"] for one in backups(bench)]
    assert modes == ["incremental", "incremental", "full"] * 2


def test_a_run_that_has_not_ended_keeps_the_next_one_out(bench: Bench) -> None:
    give_job(bench)
    bench.tasks.held = {}
    bench.pass_time(seconds=30)
    bench.pass_time(minutes=2)
    assert executions(bench) == 1
    assert len(bench.api.names(SNAPSHOT)) == 1
    bench.tasks.finish()
    bench.turn()
    bench.pass_time(minutes=1)
    assert executions(bench) == 2


def test_a_run_goes_on_in_another_process(bench: Bench) -> None:
    give_job(bench)
    bench.tasks.held = {}
    bench.pass_time(seconds=30)
    bench.tasks.held = None
    bench.restart()
    bench.turn()
    (found,) = backups(bench)
    assert found["status"]["state"] == "Completed"
    assert found["metadata"]["annotations"] == {RUN: "nightly"}
    bench.turn()
    assert len(backups(bench)) == 1


def test_a_volume_that_fails_does_not_stop_the_others_nor_the_next_run(bench: Bench) -> None:
    bench.give_volume("pvc-b", content=noise(1))
    content = bench.images.contents.pop("pvc-a")
    bench.turn()
    give_job(bench)
    bench.pass_time(seconds=30)
    assert {one["status"]["volumeName"] for one in backups(bench)} == {"pvc-b"}
    bench.images.contents["pvc-a"] = content
    bench.pass_time(minutes=1)
    assert {one["status"]["volumeName"] for one in backups(bench)} == {"pvc-a", "pvc-b"}


@pytest.mark.parametrize(
    "task", ["snapshot", "snapshot-cleanup", "filesystem-trim", "system-backup"]
)
def test_other_tasks_are_named_as_not_performed(bench: Bench, task: str) -> None:
    give_job(bench, task=task)
    bench.pass_time(minutes=3)
    assert executions(bench) == 3
    assert backups(bench) == []
    (event,) = bench.api.listing(EVENT, "").items
    assert event["reason"] == "NotPerformed"
    assert event["message"].endswith(f"does not perform the task {task}")
    assert event["involvedObject"]["name"] == "nightly"


def test_a_job_waits_for_its_own_minute(bench: Bench) -> None:
    give_job(bench, cron="3 12 * * *")
    bench.pass_time(minutes=2)
    assert backups(bench) == []
    bench.pass_time(seconds=30)
    assert len(backups(bench)) == 1
    bench.pass_time(minutes=30)
    assert len(backups(bench)) == 1


def test_minutes_that_were_slept_through_count_once(bench: Bench) -> None:
    give_job(bench)
    bench.clock.sleep(600)
    bench.turn()
    assert executions(bench) == 1


def test_an_expression_that_is_none_stops_nothing(bench: Bench) -> None:
    give_job(bench, "broken", cron="every minute")
    give_job(bench)
    bench.pass_time(seconds=30)
    assert len(backups(bench)) == 1


def test_no_job_works_on_a_volume_without_labels_of_it() -> None:
    job: Object = {"metadata": {"name": "nightly"}, "spec": {"groups": ["gold"]}}
    assert jobs_of({"recurring-job-group.longhorn.io/default": "enabled"}, [job]) == "{}"
