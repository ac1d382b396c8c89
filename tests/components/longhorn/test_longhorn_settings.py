"""The config of Longhorn: every fault is a sentence that names its key."""

import json
from typing import Any

import pytest

from components.settings import Settings, SettingsError, load
from components.settings.longhorn import Longhorn, all_places
from tests.kube import kubeconfigs
from tests.support.recorder import RAW

SECRET = frozenset({"kubeconfig", "sshPrivateKey", "escrowPassphrase", "longhornCredentials"})
BACKUP = {"task": "backup", "cron": "0 2 * * *", "retain": 7, "fullBackupInterval": 7}
OFFSITE = {"url": "s3://second-copy@us-east-1/dev/", "endpoint": "https://s3.example"}
PAIR = {"accessKey": "SENTINEL-access", "secretKey": "SENTINEL-secret"}


def site(longhorn: Any, **changes: Any) -> Settings:
    raw = {
        **RAW, "kubeconfig": kubeconfigs.text(), "cluster": {}, "longhorn": longhorn, **changes,
    }  # fmt: skip
    return load(raw, secret_keys=SECRET)


def faults_of(longhorn: Any, **changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        site(longhorn, **changes)
    return caught.value.faults


def held(longhorn: Any, **changes: Any) -> Longhorn:
    found = site(longhorn, **changes).longhorn
    assert found is not None
    return found


def test_absent_means_none() -> None:
    assert load(RAW, secret_keys=SECRET).longhorn is None


def test_nothing_said_is_a_sound_set_of_jobs_for_every_volume() -> None:
    found = held({})
    tasks = {job.task: name for name, job in found.jobs.items()}
    assert set(tasks) == {"backup", "snapshot-cleanup", "filesystem-trim", "system-backup"}
    daily = found.jobs["backup-daily"]
    assert daily.groups == ("default",)
    # At any time one of the backups that are kept was made of blocks that were sent anew.
    assert daily.full_backup_interval is not None
    assert daily.retain is not None
    assert daily.full_backup_interval < daily.retain
    assert found.settings.allow_recurring_job_while_volume_detached is True
    assert found.settings.restore_volume_recurring_jobs is False
    assert found.install is None
    assert found.storage_classes == {}


def test_an_installed_longhorn_gets_a_class_unless_others_are_named() -> None:
    assert set(held({"install": {}}).storage_classes) == {"longhorn"}
    assert set(held({"install": {}, "storageClasses": {"fast": {}}}).storage_classes) == {"fast"}


def test_a_profile_lies_under_the_config_and_null_takes_away() -> None:
    given = {"jobs": {"backup-daily": {"retain": 30}, "system-backup-daily": None}}
    found = held({**given, "settings": {"backupExecutionTimeout": None}})
    assert found.jobs["backup-daily"].retain == 30
    assert found.jobs["backup-daily"].cron == "0 2 * * *"
    assert "system-backup-daily" not in found.jobs
    assert found.settings.backup_execution_timeout is None
    bare = held({"profile": "none", "jobs": {"own": {**BACKUP, "groups": ["default"]}}})
    assert set(bare.jobs) == {"own"}
    assert bare.settings.given == {}


def test_intervals_come_in_gos_form() -> None:
    found = held({"target": {"pollInterval": "300s"}})
    assert found.target.poll_interval == "5m0s"
    assert held({"target": {"pollInterval": "1h"}}).target.poll_interval == "1h0m0s"


def test_the_default_target_lies_in_a_folder_of_its_own_site() -> None:
    found = held({"targets": {"archive": {"prefix": "/old//one/"}}})
    urls = {name: one.url for name, one in all_places(found, "dev", "dev-longhorn", "r1").items()}
    assert urls == {
        "default": "s3://dev-longhorn@r1/dev/",
        "archive": "s3://dev-longhorn@r1/old/one/",
    }
    whole = held({"target": {"prefix": ""}})
    assert all_places(whole, "dev", "dev-longhorn", "r1")["default"].url.endswith("@r1/")


@pytest.mark.parametrize(
    ("longhorn", "key", "said"),
    [
        ({"profil": "x"}, "longhorn.profil", "correct its spelling"),
        ({"profile": "gold"}, "longhorn", "gold is no profile"),
        ({"namespace": "Longhorn"}, "longhorn.namespace", "pattern"),
        ({"target": {"prefix": "a b"}}, "longhorn.target.prefix", "'a b' is no folder"),
        ({"target": {"prefix": "$x"}}, "longhorn.target.prefix", "is no folder"),
        ({"target": {"pollInterval": "0s"}}, "longhorn.target.pollInterval", "less than a second"),
        ({"target": {"pollInterval": "30s"}}, "longhorn.target.pollInterval", "within 1m and 1h"),
        ({"target": {"pollInterval": "2h"}}, "longhorn.target.pollInterval", "within 1m and 1h"),
        ({"target": {"pollInterval": "often"}}, "longhorn.target.pollInterval", "no duration"),
        ({"targets": {"default": {"prefix": "x"}}}, "longhorn", "targets.default: is under target"),
        ({"targets": {"Old": {"prefix": "x"}}}, "longhorn.targets.Old", "pattern"),
        ({"targets": {"old": {}}}, "longhorn.targets.old", "give either prefix"),
        ({"targets": {"old": {"prefix": "x", **OFFSITE}}}, "longhorn.targets.old", "give either"),
        (
            {"targets": {"old": {"prefix": "x", "endpoint": "https://a"}}},
            "longhorn.targets.old",
            "endpoint: belongs to a target with a url",
        ),
        (
            {"targets": {"old": {"url": "s3://bucket/x"}}},
            "longhorn.targets.old.url",
            "with the store's region",
        ),
        (
            {"targets": {"old": {**OFFSITE, "endpoint": "http://a"}}},
            "longhorn.targets.old.endpoint",
            "https",
        ),
        ({"jobs": {"Daily": BACKUP}}, "longhorn", "jobs: Daily is no name of a job"),
        ({"jobs": {"x" * 41: BACKUP}}, "longhorn", "2 to 40 small letters"),
        ({"jobs": {"own": {**BACKUP, "task": "copy"}}}, "longhorn.jobs.own.task", "'backup'"),
        ({"jobs": {"own": {**BACKUP, "cron": "daily"}}}, "longhorn", "jobs.own.cron: 'daily'"),
        ({"jobs": {"own": {**BACKUP, "retain": 101}}}, "longhorn", "jobs.own.retain: 101"),
        ({"jobs": {"own": {**BACKUP, "concurrency": 9}}}, "longhorn", "jobs.own.concurrency: 9"),
        ({"jobs": {"own": {**BACKUP, "parameters": {}}}}, "longhorn.jobs.own.parameters", "spell"),
        (
            {"jobs": {"own": {**BACKUP, "fullBackupInterval": None}}},
            "longhorn",
            "jobs.own.fullBackupInterval: is missing",
        ),
        ({"jobs": {"backup-daily": None}}, "longhorn", "jobs: no job backs up the group default"),
        ({"jobs": {"backup-daily": {"groups": ["x1"]}}}, "longhorn", "no job backs up the group"),
        (
            {"volumes": [{"namespace": "a", "claim": "b", "groups": ["gold"]}]},
            "longhorn",
            "volumes.0.groups: no job serves gold",
        ),
        (
            {"volumes": [{"namespace": "a", "claim": "b", "jobs": ["filesystem-trim-weekly"]}]},
            "longhorn",
            "volumes.0.jobs: none of these jobs and groups makes backups",
        ),
        (
            {"volumes": [{"namespace": "a", "claim": "b", "groups": ["default"]}] * 2},
            "longhorn",
            "volumes.1.claim: a/b stands there twice",
        ),
        (
            {"storageClasses": {"gold": {"groups": ["gold"]}}},
            "longhorn",
            "storageClasses.gold.groups: no job serves gold",
        ),
        (
            {"storageClasses": {"gold": {"backupTarget": "elsewhere"}}},
            "longhorn",
            "storageClasses.gold.backupTarget: elsewhere is no target",
        ),
        (
            {"targets": {"old": {"prefix": "x"}}, "storageClasses": {"g": {"backupTarget": "old"}}},
            "longhorn",
            "take jobs.system-backup-daily out",
        ),
        (
            {"storageClasses": {"a": {"default": True}, "b": {"default": True}}},
            "longhorn",
            "storageClasses.b.default: a is the default class too",
        ),
        (
            {"storageClasses": {"a": {"parameters": {"fromBackup": "s3://x"}}}},
            "longhorn.storageClasses.a.parameters",
            "fromBackup",
        ),
        (
            {"storageClasses": {"a": {"parameters": {"numberOfReplicas": "2"}}}},
            "longhorn.storageClasses.a.parameters",
            "is what replicas says",
        ),
        (
            {"settings": {"backupConcurrentLimit": 0}},
            "longhorn.settings.backupConcurrentLimit",
            "1",
        ),
        ({"settings": {"defaultBackupBlockSize": 4}}, "longhorn.settings.defaultBackupBlock", "16"),
        ({"settings": {"snapshotMaxCount": 251}}, "longhorn.settings.snapshotMaxCount", "250"),
        ({"settings": {"backup-target": "x"}}, "longhorn.settings.backup-target", "spelling"),
        (
            {"settings": {"snapshotDataIntegrityCronjob": "x"}},
            "longhorn.settings.snapshotDataIntegrityCronjob",
            "five",
        ),
        ({"install": {"chart": {"version": "1.12.0"}}}, "longhorn.install.chart", "known faults"),
        ({"install": {"chart": {"version": "1.12.1-rc1"}}}, "longhorn.install", "pre-release"),
        (
            {"install": {"chart": {"version": "latest"}}},
            "longhorn.install.chart.version",
            "pattern",
        ),
        ({"install": {"chart": {"path": "/srv/chart"}}}, "longhorn.install.chart.path", "below"),
        (
            {"install": {"values": {"defaultSettings": {"backupTarget": "s3://a@b/"}}}},
            "longhorn.install.values",
            "Longhorn no longer reads this key",
        ),
        (
            {"install": {"values": {"defaultSettings": {"failedBackupTTL": 3}}}},
            "longhorn.install.values",
            "a setting has one owner",
        ),
        (
            {"install": {"values": {"defaultBackupStore": None}}},
            "longhorn.install.values",
            "is what backstop:longhorn.target says",
        ),
        (
            {"install": {"values": {"defaultSettings": None}}},
            "longhorn.install.values",
            "defaultSettings: is no object",
        ),
        (
            {"install": {"values": {"persistence": {"createStorageClass": True}}}},
            "longhorn.install.values",
            "is what backstop:longhorn.storageClasses says",
        ),
        (
            {"install": {"values": {"persistence": None}}},
            "longhorn.install.values",
            "is what backstop:longhorn.storageClasses says",
        ),
        ({"availableSeconds": 1}, "longhorn.availableSeconds", "10"),
    ],
)
def test_a_fault_of_the_config_names_its_key(longhorn: Any, key: str, said: str) -> None:
    faults = faults_of(longhorn)
    assert len(faults) == 1, faults
    assert faults[0].startswith(f"config backstop:{key}")
    assert said in faults[0]
    assert "\n" not in faults[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clients": {"longhorn": {"enabled": False}}}, "clients.longhorn.enabled: is false"),
        (
            {"clients": {"longhorn": {"objectLock": {"days": 7}}}},
            "clients.longhorn.objectLock: Longhorn writes its records and locks over again",
        ),
        ({"cluster": None, "kubeconfig": ""}, "longhorn: runs in a cluster"),
    ],
)
def test_what_longhorn_lacks_elsewhere_is_a_sentence(changes: Any, said: str) -> None:
    (fault,) = faults_of({}, **changes)
    assert said in fault


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"old": {"prefix": "dev"}}, "longhorn.targets.old: lies where default does"),
        ({"old": {"prefix": "dev/old"}}, "longhorn.targets.old: lies where default does"),
        ({"old": {"prefix": "DEV/old"}}, "longhorn.targets.old: lies where default does"),
        ({"old": {"prefix": ""}}, "longhorn.targets.old: lies where default does"),
        ({"a1": {"prefix": "x"}, "b1": {"prefix": "x/y"}}, "longhorn.targets.b1: lies where a1"),
        ({"off": {"url": "s3://dev-longhorn@eu-west-1/dev"}}, "longhorn.targets.off: lies where"),
    ],
)
def test_no_two_targets_are_in_each_others_way(targets: Any, said: str) -> None:
    given = {"off": PAIR} if "off" in targets else {}
    (fault,) = faults_of({"targets": targets}, longhornCredentials=json.dumps(given))
    assert said in fault


def test_two_stores_may_have_folders_in_buckets_of_one_name() -> None:
    elsewhere = {"off": {"url": "s3://dev-longhorn@eu-west-1/dev/second"}}
    found = held({"targets": elsewhere}, longhornCredentials=json.dumps({"off": PAIR}))
    assert found.targets["off"].foreign


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "has no credential for the target off"),
        ("SENTINEL", "is not of the form"),
        ("[]", "is not of the form"),
        ('{"off": "SENTINEL"}', "is not of the form"),
        ('{"off": {"accessKey": "SENTINEL"}}', "is not of the form"),
        ('{"off": {"accessKey": " ", "secretKey": "SENTINEL"}}', "is not of the form"),
        ('{"off": {"accessKey": "A", "secretKey": "SENT\\nINEL"}}', "is not of the form"),
        (json.dumps({"off": PAIR, "of": PAIR}), "of is no target with a url"),
    ],
)
def test_credentials_of_other_stores_are_held_to_their_form_and_never_repeated(
    given: str, said: str
) -> None:
    (fault,) = faults_of({"targets": {"off": OFFSITE}}, longhornCredentials=given)
    assert fault.startswith("config backstop:longhornCredentials: ")
    assert said in fault
    assert "SENTINEL" not in fault


def test_credentials_stand_encrypted_and_in_no_text_form() -> None:
    text = json.dumps({"off": PAIR})
    found = site({"targets": {"off": OFFSITE}}, longhornCredentials=text)
    assert "SENTINEL" not in repr(found)
    with pytest.raises(SettingsError, match="longhornCredentials: stands in clear text"):
        load({**RAW, "longhornCredentials": text}, secret_keys=frozenset({"sshPrivateKey"}))
    with pytest.raises(SettingsError, match="belongs to longhorn"):
        load({**RAW, "longhornCredentials": text}, secret_keys=SECRET)
