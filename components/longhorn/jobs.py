"""Recurring jobs: the rules of Longhorn's webhook and what they leave out, and the objects.

What the webhook's mutator would fill in is filled in here, so that the object never comes back as
another one than was declared.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from components.velero import cron

Task = Literal[
    "backup",
    "backup-force-create",
    "snapshot",
    "snapshot-force-create",
    "snapshot-cleanup",
    "snapshot-delete",
    "filesystem-trim",
    "system-backup",
]
VolumePolicy = Literal["if-not-present", "always", "disabled"]
TASKS: tuple[str, ...] = get_args(Task)
POLICIES: tuple[str, ...] = get_args(VolumePolicy)
BACKUPS = frozenset({"backup", "backup-force-create"})
SYSTEM_BACKUP = "system-backup"
# The webhook sets what these keep to none; of the last one "none" is a choice.
KEEP_NOTHING = frozenset({"snapshot-cleanup", "filesystem-trim"})
SNAPSHOT_DELETE = "snapshot-delete"
DEFAULT_GROUP = "default"
FULL_INTERVAL = "full-backup-interval"
POLICY = "volume-backup-policy"
# Longhorn's own default of its setting recurring-job-max-retention.
MOST_KEPT = 100
MOST_AT_ONCE = 5
STARTS_AN_HOUR = 12
NAME_LENGTH = 40

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])")
# The label of a job by this name would be the switch that makes a claim's labels count.
_RESERVED_NAMES = frozenset({"source"})
_GROUP = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
# Longhorn writes the first itself, to know a job's backups by; it refuses the others.
_RESERVED_LABELS = frozenset({"RecurringJob", "KubernetesStatus", "ranchervm-base-image"})


@dataclass(frozen=True)
class Job:
    """One recurring job. `retain`: None where the task keeps nothing.

    `full_interval`: every so many backups one sends all blocks again; `policy`: what a system
    backup does about volumes.
    """

    task: str
    cron: str
    retain: int | None = None
    concurrency: int = 1
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    full_interval: int | None = None
    policy: str | None = None

    @property
    def backs_up(self) -> bool:
        return self.task in BACKUPS


def specification(name: str, job: Job) -> dict[str, Any]:
    """`spec` of the RecurringJob."""
    parameters = {}
    if job.full_interval is not None:
        parameters[FULL_INTERVAL] = str(job.full_interval)
    if job.policy is not None:
        parameters[POLICY] = job.policy
    return {
        "name": name,
        "task": job.task,
        "cron": job.cron,
        "retain": job.retain or 0,
        "concurrency": job.concurrency,
        "groups": sorted(job.groups),
        "labels": dict(job.labels),
        "parameters": parameters,
    }


def name_fault(name: str) -> str | None:
    """Why a job cannot have this name, or None. The webhook would give it another one."""
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        return (
            f"{name} is no name of a job; use 2 to {NAME_LENGTH} small letters, digits, hyphens "
            "and dots, for Longhorn would rename it, and its retention knows a backup by that name"
        )
    if name in _RESERVED_NAMES:
        return f"{name} means something else in the labels of a claim; choose another name"
    return None


def faults(job: Job, most_kept: int = MOST_KEPT) -> Iterator[str]:
    """What Longhorn refuses, or takes and does not mean; each `field: one sentence`.

    `most_kept`: its setting recurring-job-max-retention.
    """
    if job.task not in TASKS:
        yield f"task: {job.task} is no task; there are {', '.join(TASKS)}"
        return
    yield from _cron_faults(job.cron)
    yield from _retain_faults(job, most_kept)
    if not 1 <= job.concurrency <= MOST_AT_ONCE:
        yield (
            f"concurrency: {job.concurrency} volumes at once; give 1 to {MOST_AT_ONCE}, or the "
            "nodes have nothing left for the workloads"
        )
    yield from _group_faults(job)
    yield from _label_faults(job.labels)
    yield from _parameter_faults(job)


def _cron_faults(text: str) -> Iterator[str]:
    if text.startswith("@"):
        yield f"cron: {text!r} is no time of day; write five fields"
        return
    if "TZ=" in text.upper():
        yield (
            f"cron: {text!r} names a time zone, and Longhorn's CronJob has none: it goes by the "
            "clock of the cluster's controller manager; write the hours of that clock"
        )
        return
    try:
        calendar = cron.parse_calendar(text)
    except cron.CronError as error:
        yield f"cron: {error}"
        return
    if len(calendar.minutes) > STARTS_AN_HOUR:
        yield (
            f"cron: {text!r} starts {len(calendar.minutes)} times an hour, and a run that is still "
            f"going on makes Longhorn leave the next one out; give {STARTS_AN_HOUR} or fewer"
        )


def _retain_faults(job: Job, most_kept: int) -> Iterator[str]:
    kept = job.retain
    if job.task in KEEP_NOTHING:
        if kept:
            yield f"retain: a job of task {job.task} keeps nothing; take it out"
        return
    least = 0 if job.task == SNAPSHOT_DELETE else 1
    if kept is None:
        yield f"retain: is missing; say how many a job of task {job.task} keeps of each volume"
    elif not least <= kept <= most_kept:
        yield (
            f"retain: {kept} is not within {least} and {most_kept}, the most that Longhorn's "
            "setting recurring-job-max-retention allows; correct it, or raise "
            "settings.recurringJobMaxRetention (250 at most)"
        )


def _group_faults(job: Job) -> Iterator[str]:
    if job.task == SYSTEM_BACKUP and job.groups:
        yield "groups: a system backup is of no volume, and so of no group; take them out"
    for group in job.groups:
        if not _GROUP.fullmatch(group):
            yield (
                f"groups: {group!r} is no group; use 2 to 63 letters, digits, hyphens, dots and "
                "underscores, for it stands in the key of a label"
            )


def _label_faults(labels: Mapping[str, str]) -> Iterator[str]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield f"labels: {key!r} is no key of a label; correct it"
        elif key in _RESERVED_LABELS:
            yield f"labels: {key} is Longhorn's own; choose another key"
        elif not value:
            yield f"labels: {key} has no value, and Longhorn refuses that; give it one"


def _parameter_faults(job: Job) -> Iterator[str]:
    interval, policy = job.full_interval, job.policy
    if interval is not None and not job.backs_up:
        yield f"fullBackupInterval: says nothing to task {job.task}; take it out"
    elif interval is not None and interval < 1:
        yield f"fullBackupInterval: {interval} is no number of backups; give 1 or more"
    elif interval is None and job.backs_up:
        yield (
            "fullBackupInterval: is missing, and so no block that is damaged in the store would "
            "ever be sent again; give a number of backups, such as 7"
        )
    if policy is not None and job.task != SYSTEM_BACKUP:
        yield f"volumeBackupPolicy: says nothing to task {job.task}; take it out"
    elif job.task == SYSTEM_BACKUP and policy not in POLICIES:
        yield "volumeBackupPolicy: is missing, or no policy; give if-not-present or always"
    elif policy == "disabled":
        yield (
            "volumeBackupPolicy: disabled makes volumes without a backup come back empty; give "
            "if-not-present or always"
        )


def serving(jobs: Mapping[str, Job], names: tuple[str, ...], groups: tuple[str, ...]) -> list[str]:
    """The jobs that work on a volume with labels for these jobs and groups."""
    return [name for name, job in jobs.items() if name in names or set(job.groups) & set(groups)]


def binding_faults(
    jobs: Mapping[str, Job], names: tuple[str, ...], groups: tuple[str, ...]
) -> Iterator[str]:
    """What is wrong with such labels, each `field: one sentence`.

    One label is enough to end a volume's membership in the group `default`, be it for a job or a
    group that is not there; so what the labels name must back the volume up.
    """
    for name in names:
        if name not in jobs:
            yield f"jobs: {name} is none of the jobs (there: {_told(jobs)}); correct the name"
        elif jobs[name].task == SYSTEM_BACKUP:
            yield f"jobs: {name} is a system backup, which is of no volume; take it out"
    served = {group for job in jobs.values() for group in job.groups}
    for group in groups:
        if group not in served:
            yield f"groups: no job serves {group} (served: {_told(served)}); correct the name"
    if not any(jobs[name].backs_up for name in serving(jobs, names, groups)):
        yield (
            "jobs: none of these jobs and groups makes backups, and with any label a volume leaves "
            "the group default; name a backup job, or the group default as well"
        )


def _told(names: Mapping[str, Job] | set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
