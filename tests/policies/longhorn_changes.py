"""Changes to Longhorn's part of the sound stack: each breaks one rule, or only looks like it."""

from dataclasses import replace

from policies.plain import UNKNOWN
from tests.policies.change import Change, Stack
from tests.policies.cluster_changes import LOCAL, RELEASE, SECRET, At, _added, _set, _sets, _without
from tests.policies.sound_cluster import in_base64
from tests.policies.sound_longhorn import API, job
from tests.policies.sound_stack import resource

DEFAULT: At = (f"{API}:BackupTargetPatch", "default")
ARCHIVE: At = (f"{API}:BackupTarget", "archive")
LONGHORN: At = (RELEASE, "longhorn")
CREDENTIAL: At = (SECRET, "backstop-target-default")
DAILY: At = (f"{API}:RecurringJob", "backup-daily")
HOURLY: At = (f"{API}:RecurringJob", "backup-hourly")
TRIM: At = (f"{API}:RecurringJob", "trim-weekly")
SYSTEM: At = (f"{API}:RecurringJob", "system-daily")
SETTING: At = (f"{API}:SettingPatch", "backup-execution-timeout")
CLASS: At = ("kubernetes:storage.k8s.io/v1:StorageClass", "longhorn")
CLAIM: At = ("kubernetes:core/v1:PersistentVolumeClaimPatch", "data")
HOME: At = ("kubernetes:core/v1:Namespace", "longhorn-system")
DRILL: At = (LOCAL, "drill-longhorn")
URL = "spec/backupTargetURL"
POLL = "spec/pollInterval"
SELECTOR = "parameters/recurringJobSelector"
STORE = "values/defaultBackupStore"
JOB, GROUP = "recurring-job.longhorn.io/", "recurring-job-group.longhorn.io/"
LABELS = "metadata/labels"
URL_FAULTS = {
    "no region": "s3://dev-longhorn/dev/",
    "no slash at its end": "s3://dev-longhorn@eu-west-1/dev",
    "two slashes": "s3://dev-longhorn@eu-west-1/dev//",
    "a comma": "s3://dev-longhorn@eu-west-1/a,b/",
    "a query": "s3://dev-longhorn@eu-west-1/dev/?backup=x",
    "no path": "s3://other@eu-west-1",
    "capitals": "S3://dev-longhorn@eu-west-1/dev/",
}
POLL_FAULTS = {
    "seconds": "300s", "short": "5m", "off": "0s", "too often": "30s", "too rarely": "2h0m0s",
    "a word": "often", "a number": 300.0,
}  # fmt: skip
JOB_FAULTS: list[tuple[str, At, str, object]] = [
    ("a task nobody knows", TRIM, "task", "copy"),
    ("no task", TRIM, "task", ...),
    ("every minute", DAILY, "cron", "* * * * *"),
    ("a word", DAILY, "cron", "daily"),
    ("a shorthand", DAILY, "cron", "@daily"),
    ("no time", DAILY, "cron", ...),
    ("keeps nothing", DAILY, "retain", 0.0),
    ("keeps too much", DAILY, "retain", 101.0),
    ("keeps half a backup", DAILY, "retain", 1.5),
    ("no number to keep", DAILY, "retain", ...),
    ("a trim that keeps", TRIM, "retain", 3.0),
    ("too many at once", DAILY, "concurrency", 10.0),
    ("concurrency left to Longhorn", DAILY, "concurrency", ...),
    ("no group's name", DAILY, "groups", ["default", "a b"]),
    ("a system backup in a group", SYSTEM, "groups", ["default"]),
    ("a reserved label", DAILY, "labels", {"RecurringJob": "x"}),
    ("an empty label", DAILY, "labels", {"tier": ""}),
    ("always incremental", DAILY, "parameters", {}),
    ("an interval in words", DAILY, "parameters", {"full-backup-interval": "weekly"}),
    ("an interval of a trim", TRIM, "parameters", {"full-backup-interval": "7"}),
    ("no policy", SYSTEM, "parameters", {}),
    ("volumes left out", SYSTEM, "parameters", {"volume-backup-policy": "disabled"}),
    ("another policy", SYSTEM, "parameters", {"volume-backup-policy": "sometimes"}),
    (
        "an unknown parameter",
        DAILY,
        "parameters",
        {"full-backup-interval": "7", "retain-age": "1h"},
    ),
]


def _unprotected(at: At) -> Change:
    def make(stack: Stack) -> Stack:
        return [replace(r, protect=False) if (r.type, r.name) == at else r for r in stack]

    return Change("longhorn-protected", at[0].rsplit(":", 1)[-1], at, make)


LONGHORN_CHANGES = [
    *[_set("longhorn-target-url", what, DEFAULT, URL, url) for what, url in URL_FAULTS.items()],
    _set("longhorn-target-url", "none", ARCHIVE, URL, ...),
    _sets(
        "longhorn-target-url",
        "of the chart",
        LONGHORN,
        (DEFAULT, "metadata/namespace", "elsewhere"),
        (CREDENTIAL, "metadata/namespace", "elsewhere"),
        (LONGHORN, f"{STORE}/backupTarget", "s3://other@eu-west-1/dev"),
        (LONGHORN, f"{STORE}/backupTargetCredentialSecret", "backstop-target-archive"),
    ),
    *[
        _set("longhorn-target-poll", what, DEFAULT, POLL, text)
        for what, text in POLL_FAULTS.items()
    ],
    _set("longhorn-target-poll", "never", ARCHIVE, POLL, ...),
    _sets(
        "longhorn-target-poll",
        "of the chart",
        LONGHORN,
        (DEFAULT, "metadata/namespace", "elsewhere"),
        (CREDENTIAL, "metadata/namespace", "elsewhere"),
        (LONGHORN, f"{STORE}/pollInterval", 0.0),
    ),
    *[
        _set("longhorn-one-owner", what, LONGHORN, f"{STORE}/{key}", value, DEFAULT)
        for what, key, value in (
            ("the chart clears it", "backupTarget", ""),
            ("the chart's Secret", "backupTargetCredentialSecret", "backstop-target-default"),
            ("the chart's interval", "pollInterval", 300.0),
        )
    ],
    _sets(
        "longhorn-one-owner",
        "made anew",
        ARCHIVE,
        (ARCHIVE, "metadata/name", "default"),
        (CLASS, "parameters/backupTargetName", "default"),
    ),
    _added(
        "longhorn-one-owner",
        "two patches",
        resource(
            DEFAULT[0],
            "second",
            {"metadata": {"name": "default", "namespace": "longhorn-system"}, "spec": {}},
        ),
    ),
    _set(
        "longhorn-one-owner",
        "a setting of the chart",
        LONGHORN,
        "values/defaultSettings/backupExecutionTimeout",
        1.0,
        SETTING,
    ),
    _without("longhorn-target-secret", "not declared", CREDENTIAL, DEFAULT),
    _set("longhorn-target-secret", "none", DEFAULT, "spec/credentialSecret", ...),
    _set(
        "longhorn-target-secret",
        "in another namespace",
        CREDENTIAL,
        "metadata/namespace",
        "default",
        DEFAULT,
    ),
    *[
        _set("longhorn-target-secret", what, CREDENTIAL, f"data/{key}", in_base64(value))
        for what, key, value in (
            ("a line's end", "AWS_SECRET_ACCESS_KEY", "sentinel-longhorn-secret\n"),
            ("a PEM file as it is", "AWS_CERT", "-----BEGIN CERTIFICATE-----\nAA==\n\n"),
            ("no PEM", "AWS_CERT", "sentinel"),
            ("clear text", "AWS_ENDPOINTS", "http://10.77.3.10:9091"),
            ("a proxy", "HTTPS_PROXY", "http://10.77.3.1:3128"),
            ("an empty key", "AWS_ACCESS_KEY_ID", ""),
        )
    ],
    _set("longhorn-target-secret", "no key", CREDENTIAL, "data/AWS_ACCESS_KEY_ID", ...),
    *[
        _set("longhorn-version", version, LONGHORN, "version", version)
        for version in ("1.12.0", "1.9.2", "1.12.1-rc1")
    ],
    *[
        _set(
            "longhorn-obsolete-values",
            key,
            LONGHORN,
            "values/defaultSettings",
            {key: "x"},
        )
        for key in ("backupTarget", "backupstorePollInterval")
    ],
    _unprotected(LONGHORN),
    _unprotected(HOME),
    *[
        _added("longhorn-no-data-as-resource", kind, resource(f"{API}:{kind}", "once", {}))
        for kind in ("Volume", "Snapshot", "VolumePatch")
    ],
    *[
        _set("longhorn-job-sound", what, at, f"spec/{field}", value)
        for what, at, field, value in JOB_FAULTS
    ],
    *[
        _added("longhorn-job-name", what, job(name))
        for what, name in (
            ("too long", "x" * 41),
            ("capitals", "Backup"),
            ("the switch of claims", "source"),
        )
    ],
    _set("longhorn-job-name", "two names", TRIM, "spec/name", "trim"),
    _sets(
        "longhorn-default-group",
        "no backup in it",
        DEFAULT,
        (DAILY, "spec/groups", ["often"]),
        (CLAIM, LABELS, {"app": "db"}),
    ),
    _sets(
        "longhorn-class-served",
        "a group without backups",
        CLASS,
        (CLASS, SELECTOR, '[{"name":"idle","isGroup":true}]'),
    ),
    _set("longhorn-class-served", "a group", CLASS, SELECTOR, '[{"name":"ofen","isGroup":true}]'),
    _set("longhorn-class-served", "a job", CLASS, SELECTOR, '[{"name":"often","isGroup":false}]'),
    _set("longhorn-class-served", "no JSON", CLASS, SELECTOR, "often"),
    _set("longhorn-class-served", "a target", CLASS, "parameters/backupTargetName", "elsewhere"),
    _set(
        "longhorn-labels-served",
        "labels that do not count",
        CLAIM,
        LABELS,
        {f"{JOB}backup-hourly": "enabled"},
    ),
    _set(
        "longhorn-labels-served",
        "a group that nobody serves",
        CLAIM,
        LABELS,
        {f"{JOB}source": "enabled", f"{GROUP}gold": "enabled"},
    ),
    _set(
        "longhorn-labels-served",
        "a trim alone",
        CLAIM,
        LABELS,
        {f"{JOB}source": "enabled", f"{JOB}trim-weekly": "enabled"},
    ),
    _without("longhorn-drilled", "no drill", DRILL, DAILY),
    *[
        _set("longhorn-drilled", what, DRILL, "create", text, DAILY)
        for what, text in (
            ("of another layer", "sh ./run.sh drills run store --summary"),
            ("read by hand", "sh ./run.sh drills longhorn verify"),
            ("another name", "sh ./run.sh drills run longhorn-later"),
            ("said and not run", "drills run store; echo longhorn"),
        )
    ],
    _sets(
        "longhorn-drilled",
        "one backs up and one is not known yet",
        HOURLY,
        (DAILY, "spec/task", UNKNOWN),
        (DRILL, "create", "true"),
    ),
]

SOUND_LONGHORN_CHANGES = [
    _set("", "drilled with others", DRILL, "create", "sh ./run.sh drills run store longhorn"),
    _set("", "a drill not known yet", DRILL, "create", UNKNOWN),
    _sets(
        "",
        "nothing is known to be backed up",
        DRILL,
        (DAILY, "spec/task", UNKNOWN),
        (HOURLY, "spec/task", UNKNOWN),
        (DRILL, "create", "true"),
    ),
    _set("", "another kind of target", DEFAULT, URL, "nfs://10.77.3.30:/export"),
    _set("", "a patch that leaves the interval", DEFAULT, POLL, ...),
    _set("", "a chart that says nothing of the target", LONGHORN, STORE, ...),
    _sets(
        "",
        "a target of the chart alone",
        LONGHORN,
        (DEFAULT, "metadata/name", "second"),
        (LONGHORN, f"{STORE}/backupTarget", "s3://other@eu-west-1/dev/"),
        (LONGHORN, f"{STORE}/backupTargetCredentialSecret", "backstop-target-default"),
        (LONGHORN, f"{STORE}/pollInterval", 300.0),
    ),
    _set("", "Amazon's own endpoint", CREDENTIAL, "data/AWS_ENDPOINTS", ...),
    _set("", "a credential that comes later", CREDENTIAL, "data/AWS_ACCESS_KEY_ID", UNKNOWN),
    _set("", "a later line of Longhorn", LONGHORN, "version", "1.13.0"),
    _set("", "every five minutes", HOURLY, "spec/cron", "*/5 * * * *"),
    _set("", "a class without a selector", CLASS, SELECTOR, ...),
    _set("", "another driver's class", CLASS, "provisioner", "x.example"),
    _set("", "a claim without job labels", CLAIM, LABELS, {"app": "db"}),
]
