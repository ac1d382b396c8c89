"""Recurring jobs: what Longhorn's webhook refuses, and what it takes and does not mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.longhorn import jobs
from components.longhorn.jobs import Job


def job(**changes: Any) -> Job:
    found: dict[str, Any] = {
        "task": "backup", "cron": "0 2 * * *", "retain": 7, "groups": ("default",),
        "full_interval": 7, **changes,
    }  # fmt: skip
    return Job(**found)


def snapshot(**changes: Any) -> Job:
    return job(**{"task": "snapshot", "full_interval": None, **changes})


def trim(**changes: Any) -> Job:
    return snapshot(**{"task": "filesystem-trim", "retain": None, **changes})


def system(**changes: Any) -> Job:
    return snapshot(
        **{"task": "system-backup", "groups": (), "policy": "if-not-present", **changes}
    )


@pytest.mark.parametrize(
    "sound",
    [
        job(), job(task="backup-force-create"), snapshot(), snapshot(task="snapshot-force-create"),
        trim(), trim(task="snapshot-cleanup"), trim(retain=0), system(), system(policy="always"),
        snapshot(task="snapshot-delete", retain=0), job(concurrency=5), job(retain=100),
        job(labels={"a.example/tier": "gold", "x": "y"}), job(cron="*/5 * * * mon-fri"),
    ],
    ids=lambda one: f"{one.task}-{one.retain}-{one.concurrency}-{len(one.labels)}-{one.policy}",
)  # fmt: skip
def test_sound_jobs_have_no_fault(sound: Job) -> None:
    assert list(jobs.faults(sound)) == []


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        (job(task="defragment"), "task", "is no task"),
        (job(cron="* * * * *"), "cron", "60 times an hour"),
        (job(cron="*/4 * * * *"), "cron", "15 times an hour"),
        (job(cron="0 0 2 * * *"), "cron", "6 fields"),
        (job(cron="@daily"), "cron", "write five fields"),
        (job(cron="@every 1h"), "cron", "write five fields"),
        (job(cron="TZ=UTC 0 2 * * *"), "cron", "names a time zone"),
        (job(cron="0 2 * * 7"), "cron", "Sunday is 0"),
        (job(cron="0 2 30 2 *"), "cron", "never comes"),
        (job(cron=""), "cron", "0 fields"),
        (job(retain=None), "retain", "is missing"),
        (job(retain=0), "retain", "not within 1 and 100"),
        (job(retain=101), "retain", "not within 1 and 100"),
        (snapshot(task="snapshot-delete", retain=-1), "retain", "not within 0 and 100"),
        (snapshot(task="snapshot-delete", retain=None), "retain", "is missing"),
        (trim(retain=3), "retain", "keeps nothing"),
        (trim(task="snapshot-cleanup", retain=1), "retain", "keeps nothing"),
        (job(concurrency=0), "concurrency", "give 1 to 5"),
        (job(concurrency=10), "concurrency", "give 1 to 5"),
        (job(groups=("a",)), "groups", "is no group"),
        (job(groups=("default", "no group")), "groups", "is no group"),
        (job(groups=("ends-",)), "groups", "is no group"),
        (job(groups=("g" * 64,)), "groups", "is no group"),
        (system(groups=("default",)), "groups", "of no volume"),
        (job(labels={"a b": "c"}), "labels", "no key of a label"),
        (job(labels={"a": ""}), "labels", "has no value"),
        (job(labels={"RecurringJob": "x"}), "labels", "Longhorn's own"),
        (job(labels={"KubernetesStatus": "x"}), "labels", "Longhorn's own"),
        (job(full_interval=None), "fullBackupInterval", "is missing"),
        (job(full_interval=0), "fullBackupInterval", "give 1 or more"),
        (snapshot(full_interval=7), "fullBackupInterval", "says nothing to task snapshot"),
        (job(policy="always"), "volumeBackupPolicy", "says nothing to task backup"),
        (system(policy=None), "volumeBackupPolicy", "is missing"),
        (system(policy="disabled"), "volumeBackupPolicy", "come back empty"),
    ],
)
def test_a_wrong_job_is_one_sentence_that_names_its_field(
    wrong: Job, field: str, said: str
) -> None:
    found = list(jobs.faults(wrong))
    assert len(found) == 1, found
    assert found[0].startswith(f"{field}: ")
    assert said in found[0]
    assert "\n" not in found[0]


def test_the_most_that_is_kept_is_longhorns_setting() -> None:
    assert list(jobs.faults(job(retain=120), 250)) == []
    assert list(jobs.faults(job(retain=60), 50))


@pytest.mark.parametrize("name", ["backup-daily", "ab", "a.b-c", "x" * 40])
def test_names_that_longhorn_keeps(name: str) -> None:
    assert jobs.name_fault(name) is None


@pytest.mark.parametrize(
    "name", ["", "a", "x" * 41, "Daily", "under_score", "-a", "a-", "a b", "source"]
)
def test_names_that_longhorn_would_change_or_mistake(name: str) -> None:
    assert jobs.name_fault(name)


@given(st.text(max_size=45))
def test_a_name_that_passes_is_one_that_the_mutator_leaves_alone(name: str) -> None:
    if jobs.name_fault(name) is None:
        assert name == name.lower()
        assert len(name) <= 40


def test_the_object_has_every_field_that_longhorn_would_fill_in() -> None:
    assert jobs.specification("nightly", job(labels={"tier": "gold"})) == {
        "name": "nightly",
        "task": "backup",
        "cron": "0 2 * * *",
        "retain": 7,
        "concurrency": 1,
        "groups": ["default"],
        "labels": {"tier": "gold"},
        "parameters": {"full-backup-interval": "7"},
    }
    assert jobs.specification("trim", trim())["retain"] == 0
    assert jobs.specification("trim", trim())["parameters"] == {}
    assert jobs.specification("s", system())["parameters"] == {
        "volume-backup-policy": "if-not-present"
    }


JOBS = {
    "nightly": job(), "hourly": job(groups=("often",)), "trim": trim(groups=("default", "idle")),
    "system": system(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("names", "groups"),
    [(("nightly",), ()), ((), ("often",)), (("trim",), ("default",)), (("hourly",), ("idle",))],
)
def test_labels_that_a_backup_job_serves_are_sound(
    names: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    assert list(jobs.binding_faults(JOBS, names, groups)) == []


@pytest.mark.parametrize(
    ("names", "groups", "said"),
    [
        ((), (), "none of these jobs and groups makes backups"),
        ((), ("idle",), "none of these jobs and groups makes backups"),
        (("trim",), (), "none of these jobs and groups makes backups"),
        (("nightly", "nigthly"), (), "jobs: nigthly is none of the jobs (there: hourly, nightly"),
        (("nightly",), ("ofen",), "groups: no job serves ofen (served: default, idle, often)"),
        (("nightly", "system"), (), "jobs: system is a system backup"),
    ],
)
def test_labels_that_would_leave_a_volume_without_backups_are_refused(
    names: tuple[str, ...], groups: tuple[str, ...], said: str
) -> None:
    found = list(jobs.binding_faults(JOBS, names, groups))
    assert len(found) == 1, found
    assert said in found[0]
