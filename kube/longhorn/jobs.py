"""Recurring jobs, and which of them work on a volume, by the rules Longhorn binds them with.

Truth are labels of the Volume. A Volume without any such label is in the group `default`; one label
more, be it for a group that no job serves, ends that (longhorn-manager, FixupRecurringJob).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kube.client import Client
from kube.longhorn.api import Object, listed, name, number, spec, status, text
from kube.longhorn.volumes import Volume

JOB_PREFIX = "recurring-job.longhorn.io/"
GROUP_PREFIX = "recurring-job-group.longhorn.io/"
ENABLED = "enabled"
DEFAULT_GROUP = "default"
# Under this key of a backup's labels Longhorn looks for the job whose retention may remove it.
JOB_LABEL = "RecurringJob"
BACKUP_TASKS = frozenset({"backup", "backup-force-create"})


@dataclass(frozen=True)
class Job:
    """A RecurringJob. `retain`: how many of its backups a volume keeps."""

    name: str
    task: str
    cron: str
    groups: frozenset[str]
    retain: int
    concurrency: int
    labels: Mapping[str, str]
    parameters: Mapping[str, str]
    executions: int

    @property
    def backs_up(self) -> bool:
        return self.task in BACKUP_TASKS


@dataclass(frozen=True)
class Binding:
    """The jobs and groups that a volume asks for. `implied`: by having no label at all."""

    jobs: frozenset[str]
    groups: frozenset[str]
    implied: bool = False


def read_jobs(client: Client, namespace: str) -> tuple[Job, ...]:
    """All recurring jobs by name. Raises ClusterError (see `listed`)."""
    return tuple(job(one) for one in listed(client, namespace, "recurringjobs"))


def job(found: Object) -> Job:
    wanted = spec(found)
    return Job(
        name=name(found),
        task=text(wanted, "task"),
        cron=text(wanted, "cron"),
        groups=frozenset(wanted.get("groups") or ()),
        retain=number(wanted, "retain"),
        concurrency=number(wanted, "concurrency"),
        labels=dict(wanted.get("labels") or {}),
        parameters=dict(wanted.get("parameters") or {}),
        executions=number(status(found), "executionCount"),
    )


def binding(volume: Volume) -> Binding:
    """What the volume's labels ask for."""
    ours = [key for key in volume.labels if key.startswith((JOB_PREFIX, GROUP_PREFIX))]
    if not ours and not volume.linked_clone:
        return Binding(frozenset(), frozenset({DEFAULT_GROUP}), implied=True)
    enabled = [key for key in ours if volume.labels[key] == ENABLED]
    return Binding(_named(enabled, JOB_PREFIX), _named(enabled, GROUP_PREFIX))


def _named(keys: Iterable[str], prefix: str) -> frozenset[str]:
    return frozenset(key.removeprefix(prefix) for key in keys if key.startswith(prefix))


def covering(volume: Volume, jobs: Iterable[Job]) -> tuple[Job, ...]:
    """The jobs that work on the volume, whatever their task, in the order of `jobs`."""
    asked = binding(volume)
    return tuple(one for one in jobs if one.name in asked.jobs or one.groups & asked.groups)


def backing_up(volume: Volume, jobs: Iterable[Job]) -> tuple[Job, ...]:
    """The jobs that back the volume up. Empty: nothing does, whatever else runs on it."""
    return tuple(one for one in covering(volume, jobs) if one.backs_up)
