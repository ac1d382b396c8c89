"""Settings of Longhorn's backups: targets, jobs, bindings, its own settings. Absent means none.

A profile (components/longhorn/profiles.py) is laid under what the config says before it is checked.
Cron expressions go by the clock of the cluster's controller manager; durations are Go's ("5m").
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from components.longhorn import jobs as rules
from components.longhorn import places, profiles
from components.settings.base import KubeName, Model, Name
from components.settings.clients import Client
from components.settings.longhorn_install import Install
from components.settings.longhorn_targets import (
    CREDENTIALS,
    DEFAULT_TARGET,
    FurtherTarget,
    Target,
    TargetName,
    credentials,
)
from components.settings.longhorn_tuning import Tuning


class Job(Model):
    """A recurring job; components/longhorn/jobs.py has the rules. `retain`: of each volume."""

    task: rules.Task
    cron: str
    retain: int | None = None
    concurrency: int = 1
    groups: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    full_backup_interval: int | None = None
    volume_backup_policy: rules.VolumePolicy | None = None

    @property
    def plain(self) -> rules.Job:
        return rules.Job(
            task=self.task,
            cron=self.cron,
            retain=self.retain,
            concurrency=self.concurrency,
            groups=tuple(dict.fromkeys(self.groups)),
            labels=self.labels,
            full_interval=self.full_backup_interval,
            policy=self.volume_backup_policy,
        )


class VolumeBinding(Model):
    """The jobs and groups of one volume, named by its claim."""

    namespace: KubeName
    claim: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    jobs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class StorageClass(Model):
    """A StorageClass of Longhorn, whose new volumes get these jobs and groups (none: `default`).

    `parameters`: further ones, as Longhorn's documentation has them.
    """

    replicas: Annotated[int, Field(ge=1, le=20)] = 3
    default: bool = False
    fs_type: Literal["ext4", "xfs"] = "ext4"
    reclaim_policy: Literal["Delete", "Retain"] = "Delete"
    binding_mode: Literal["Immediate", "WaitForFirstConsumer"] = "Immediate"
    expandable: bool = True
    jobs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    backup_target: TargetName = DEFAULT_TARGET
    parameters: dict[str, str] = Field(default_factory=dict)

    @field_validator("parameters")
    @classmethod
    def _parameters(cls, value: dict[str, str]) -> dict[str, str]:
        owned = {
            "numberOfReplicas": "replicas", "fsType": "fsType", "backupTargetName": "backupTarget",
            "recurringJobSelector": "jobs and groups",
        }  # fmt: skip
        for key in value:
            if key in owned:
                raise ValueError(f"{key} is what {owned[key]} says; take it out")
            if key == "fromBackup":
                raise ValueError(
                    "fromBackup makes every volume of the class a restored one; restore by hand, "
                    "or with a drill"
                )
        return value


class Longhorn(Model):
    """Longhorn's backups on this site. `install` None: Longhorn is in the cluster already.

    `nodes`: those hosts whose readiness for Longhorn is looked at over SSH; empty means none.
    """

    profile: str = "standard"
    namespace: KubeName = "longhorn-system"
    install: Install | None = None
    target: Target = Target()
    targets: dict[TargetName, FurtherTarget] = Field(default_factory=dict)
    jobs: dict[str, Job] = Field(default_factory=dict)
    volumes: tuple[VolumeBinding, ...] = ()
    storage_classes: dict[KubeName, StorageClass] = Field(default_factory=dict)
    settings: Tuning = Tuning()
    nodes: tuple[Name, ...] = ()
    first_backup: bool = True
    available_seconds: Annotated[int, Field(ge=10)] = 300
    first_backup_seconds: Annotated[int, Field(ge=60)] = 3600

    @model_validator(mode="before")
    @classmethod
    def _profile(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        found = profiles.merged(str(value.get("profile", "standard")), value)
        # The chart's own class is left out, for Longhorn makes that one anew by itself.
        if found.get("install") is not None:
            found.setdefault("storageClasses", {"longhorn": {}})
        return found

    @property
    def plain_jobs(self) -> dict[str, rules.Job]:
        return {name: job.plain for name, job in self.jobs.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for fault in (*self._target_faults(), *self._job_faults(), *self._binding_faults()):
            raise ValueError(fault)
        return self

    def _target_faults(self) -> Iterator[str]:
        if DEFAULT_TARGET in self.targets:
            yield f"targets.{DEFAULT_TARGET}: is under target; give this one another name"
        system = [name for name, job in self.jobs.items() if job.task == rules.SYSTEM_BACKUP]
        for name, one in self.storage_classes.items():
            if one.backup_target not in (DEFAULT_TARGET, *self.targets):
                there = ", ".join((DEFAULT_TARGET, *self.targets))
                yield (
                    f"storageClasses.{name}.backupTarget: {one.backup_target} is no target (there: "
                    f"{there}); correct the name"
                )
            elif one.backup_target != DEFAULT_TARGET and system:
                yield (
                    f"storageClasses.{name}.backupTarget: a system backup is restored with volumes "
                    f"from the target {DEFAULT_TARGET} alone; leave it there, or take "
                    f"jobs.{system[0]} out"
                )

    def _job_faults(self) -> Iterator[str]:
        most = self.settings.recurring_job_max_retention or rules.MOST_KEPT
        for name, job in self.plain_jobs.items():
            named = rules.name_fault(name)
            if named:
                yield f"jobs: {named}"
            for fault in rules.faults(job, most):
                yield f"jobs.{name}.{fault}"
        if not any(
            job.backs_up and rules.DEFAULT_GROUP in job.groups for job in self.plain_jobs.values()
        ):
            yield (
                "jobs: no job backs up the group default, in which every volume without a label "
                "is; give one of task backup that group"
            )

    def _binding_faults(self) -> Iterator[str]:
        jobs = self.plain_jobs
        seen: set[tuple[str, str]] = set()
        for index, one in enumerate(self.volumes):
            for fault in rules.binding_faults(jobs, one.jobs, one.groups):
                yield f"volumes.{index}.{fault}"
            if (one.namespace, one.claim) in seen:
                yield (
                    f"volumes.{index}.claim: {one.namespace}/{one.claim} stands there twice; give "
                    "all its jobs and groups in one place"
                )
            seen.add((one.namespace, one.claim))
        for name, held in self.storage_classes.items():
            if held.jobs or held.groups:
                for fault in rules.binding_faults(jobs, held.jobs, held.groups):
                    yield f"storageClasses.{name}.{fault}"
        defaults = [name for name, held in self.storage_classes.items() if held.default]
        if len(defaults) > 1:
            yield (
                f"storageClasses.{defaults[1]}.default: {defaults[0]} is the default class too; "
                "one cluster has one"
            )


def all_places(longhorn: Longhorn, site: str, bucket: str, region: str) -> dict[str, places.Place]:
    """Where each target lies, the default one first. `bucket`: of the store's client longhorn."""
    prefix = longhorn.target.prefix
    home = places.Place(bucket, region, f"{site}/" if prefix is None else prefix)
    found = {DEFAULT_TARGET: home}
    for name, one in longhorn.targets.items():
        own = places.Place(bucket, region, one.prefix or "")
        found[name] = own if one.url is None else places.parse(one.url)
    return found


def site_fault(
    longhorn: Longhorn,
    *,
    site: str,
    cluster: bool,
    client: Client,
    region: str,
    given: SecretStr,
) -> str | None:
    """What Longhorn lacks in the rest of the config, as `key: what is wrong`, or None.

    `client`: the store's client longhorn. `given`: the config's longhornCredentials.
    """
    if not cluster:
        return "longhorn: runs in a cluster; add cluster, or {} for the inventory's one"
    if not client.enabled:
        return "clients.longhorn.enabled: is false, but longhorn needs the client; enable it"
    if client.object_lock is not None:
        return (
            "clients.longhorn.objectLock: Longhorn writes its records and locks over again, and "
            "each would stay; leave it out: old versions are kept for noncurrentDays in any case"
        )
    bucket = client.bucket or f"{site}-longhorn"
    return _credential_fault(longhorn, given) or _crowd_fault(
        longhorn, all_places(longhorn, site, bucket, region)
    )


def _credential_fault(longhorn: Longhorn, given: SecretStr) -> str | None:
    held = credentials(given)
    foreign = [name for name, one in longhorn.targets.items() if one.foreign]
    for name in foreign:
        if name not in held:
            return f"{CREDENTIALS}: has no credential for the target {name}; add it with --secret"
    for name in held:
        if name not in foreign:
            return f"{CREDENTIALS}: {name} is no target with a url; correct it, or take it out"
    return None


def _crowd_fault(longhorn: Longhorn, found: Mapping[str, places.Place]) -> str | None:
    """Two targets in one place. A URL says nothing of the endpoint, so Longhorn takes two stores
    with one bucket's name for one; that one folder lies in another is known of one store alone.
    """
    foreign = {name for name, one in longhorn.targets.items() if one.foreign}
    for position, (name, at) in enumerate(found.items()):
        for other in list(found)[:position]:
            one_store = (name in foreign) == (other in foreign)
            if found[other] == at or (one_store and found[other].meets(at)):
                return (
                    f"longhorn.targets.{name}: lies where {other} does, or one in the other's "
                    "folder, and each would list and delete the other one's backups; give it a "
                    "folder of its own"
                )
    return None
