"""Longhorn's part of the sound stack: two targets with their Secrets, jobs, a class, a claim."""

from policies.plain import Resource
from tests.policies.sound_cluster import PREFIX, _object, in_base64

HOME = "longhorn-system"
API = "kubernetes:longhorn.io/v1beta2"
PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"


def _target_secret(name: str) -> Resource:
    held = {
        "AWS_ACCESS_KEY_ID": "KLONGHORN7Q2M4X",
        "AWS_SECRET_ACCESS_KEY": "sentinel-longhorn-secret",
        "AWS_ENDPOINTS": "https://10.77.3.10:9091",
        "AWS_CERT": PEM,
    }
    data = {key: in_base64(value) for key, value in held.items()}
    return _object("kubernetes:core/v1:Secret", name, {"data": data}, namespace=HOME)


def _target(kind: str, name: str, folder: str) -> Resource:
    spec = {
        "backupTargetURL": f"s3://dev-longhorn@eu-west-1/{folder}/",
        "credentialSecret": f"backstop-target-{name}",
        "pollInterval": "5m0s",
    }
    return _object(f"{API}:{kind}", name, {"spec": spec}, namespace=HOME)


def job(name: str, **changes: object) -> Resource:
    spec = {
        "name": name,
        "task": "backup",
        "cron": "0 2 * * *",
        "retain": 14.0,
        "concurrency": 2.0,
        "groups": ["default"],
        "labels": {"tier": "gold"},
        "parameters": {"full-backup-interval": "7"},
        **changes,
    }
    return _object(f"{API}:RecurringJob", name, {"spec": spec}, namespace=HOME)


def sound_longhorn() -> list[Resource]:
    """Everything the stack declares of Longhorn: installed by its chart, the target patched."""
    release = Resource(
        "kubernetes:helm.sh/v3:Release",
        "longhorn",
        f"{PREFIX}kubernetes:helm.sh/v3:Release::longhorn",
        {
            "name": "longhorn",
            "namespace": HOME,
            "chart": "longhorn",
            "version": "1.12.1",
            "values": {
                "defaultBackupStore": {"backupTarget": None},
                "defaultSettings": {"failedBackupTTL": 1440.0},
            },
        },
        protect=True,
    )
    home = _object("kubernetes:core/v1:Namespace", HOME, {})
    return [
        Resource(home.type, home.name, home.urn, home.props, protect=True),
        release,
        _target_secret("backstop-target-default"),
        _target_secret("backstop-target-archive"),
        _target("BackupTargetPatch", "default", "dev"),
        _target("BackupTarget", "archive", "archive"),
        _object(
            f"{API}:SettingPatch", "backup-execution-timeout", {"value": "5"}, namespace=HOME
        ),
        job("backup-daily"),
        job("backup-hourly", groups=["often"], cron="15 * * * *"),
        job(
            "trim-weekly", task="filesystem-trim", cron="0 5 * * 0", retain=0.0,
            parameters={}, labels={}, groups=["default", "idle"],
        ),
        job(
            "system-daily", task="system-backup", groups=[],
            parameters={"volume-backup-policy": "if-not-present"},
        ),
        _object(
            "kubernetes:storage.k8s.io/v1:StorageClass",
            "longhorn",
            {
                "provisioner": "driver.longhorn.io",
                "parameters": {
                    "numberOfReplicas": "2",
                    "backupTargetName": "archive",
                    "recurringJobSelector": '[{"name":"often","isGroup":true}]',
                },
            },
        ),
        _object(
            "kubernetes:core/v1:PersistentVolumeClaimPatch",
            "data",
            {},
            namespace="shop",
            labels={
                "recurring-job.longhorn.io/source": "enabled",
                "recurring-job.longhorn.io/backup-hourly": "enabled",
                "recurring-job-group.longhorn.io/default": "enabled",
            },
        ),
    ]  # fmt: skip
