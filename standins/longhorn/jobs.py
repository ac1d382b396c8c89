"""Recurring jobs: those that make backups run here, others are named as not performed.

Source: longhorn-manager app/recurring_job.go, app/recurringjob/volume.go. A real job is a CronJob,
which starts a pod; here the minute is looked for in the expression. What is under way is written
in the objects, so that a restart goes on with it.
"""

import hashlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from standins.longhorn import cron, defaults
from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import (
    BACKUP,
    JOB,
    SNAPSHOT,
    VOLUME,
    Object,
    deleting,
    labels,
    name,
    number,
    spec,
    status,
    text,
)
from standins.longhorn.moments import moment
from standins.longhorn.records import go_json
from standins.longhorn.selection import selects
from standins.longhorn.store_sync import COMPLETED, TARGET_LABEL, VOLUME_LABEL, backups_of
from standins.longhorn.volumes import ATTACHED

BACKUP_TASKS = frozenset({"backup", "backup-force-create"})
JOB_LABEL = "RecurringJob"
STATUS_LABEL = "KubernetesStatus"
RUN = "stand-in.longhorn.io/recurring-job"
"""Annotation of what a job's run has made and not ended with: the job's name."""

MODE = "stand-in.longhorn.io/backup-mode"
FULL_INTERVAL = "full-backup-interval"
ENDED = frozenset({COMPLETED, "Error", "Unknown"})
MINUTE = timedelta(minutes=1)

log = logging.getLogger("longhorn-stand-in")


def new_name() -> str:
    return str(uuid.uuid4())


@dataclass
class Jobs:
    """All recurring jobs. `new_name`: a name that no other object has."""

    cluster: Cluster
    new_name: Callable[[], str] = new_name
    _looked: datetime | None = None
    _told: set[str] = field(default_factory=set)

    def turn(self) -> datetime | None:
        """Starts the jobs of this minute and carries on with those that run; the next minute."""
        minute = self.cluster.clock().replace(second=0, microsecond=0)
        if self._looked is not None and minute > self._looked:
            for job in self.cluster.all(JOB):
                if not deleting(job) and self._is_due(job, minute):
                    self._run(job)
        self._looked = minute
        for snapshot in self.cluster.all(SNAPSHOT):
            self._carry_on(snapshot)
        return minute + MINUTE if self.cluster.all(JOB) else None

    def _is_due(self, job: Object, minute: datetime) -> bool:
        """Whether the job was to start at this minute, or at one that was slept through."""
        created = moment(job["metadata"].get("creationTimestamp"))
        begin = self._looked or minute
        try:
            return any(
                cron.means(text(spec(job), "cron"), begin + MINUTE * step)
                and (created is None or begin + MINUTE * step > created)
                for step in range(1, int((minute - begin) / MINUTE) + 1)
            )
        except ValueError as error:
            log.warning("job %s never starts: %s", name(job), error)
            return False

    def _run(self, job: Object) -> None:
        count = number(status(job), "executionCount") + 1
        task = text(spec(job), "task")
        if self._busy(name(job)):
            log.warning("job %s: its last run has not ended, this one is left out", name(job))
            return
        changes = {"executionCount": count, "ownerID": self.cluster.node}
        self.cluster.change_status(JOB, name(job), changes)
        if task not in BACKUP_TASKS:
            self._not_performed(job, task)
            return
        chosen = [one for one in self.cluster.all(VOLUME) if self._works_on(job, one)]
        log.info("job %s: found %d volumes", name(job), len(chosen))
        for volume in chosen:
            self._snapshot(job, volume, backup_mode(job, count))

    def _not_performed(self, job: Object, task: str) -> None:
        said = f"the stand-in for Longhorn does not perform the task {task}"
        log.warning("job %s: %s", name(job), said)
        if name(job) not in self._told:
            self._told.add(name(job))
            self.cluster.tell(job, "NotPerformed", said)

    def _works_on(self, job: Object, volume: Object) -> bool:
        if deleting(volume) or not selects(
            name(job), spec(job).get("groups") or (), labels(volume)
        ):
            return False
        detached = defaults.setting(self.cluster, "allow-recurring-job-while-volume-detached")
        if text(status(volume), "state") == ATTACHED or detached == "true":
            return True
        state = text(status(volume), "state")
        log.warning("job %s: cannot create job for %s volume in state %s",
                    name(job), name(volume), state)  # fmt: skip
        return False

    def _busy(self, job: str) -> bool:
        running = [
            one
            for one in self.cluster.all(BACKUP)
            if text(status(one), "state") not in ENDED and not deleting(one)
        ]
        return any(_run_of(one) == job for one in (*self.cluster.all(SNAPSHOT), *running))

    def _snapshot(self, job: Object, volume: Object, mode: str) -> None:
        made = f"{name(job)}-c"[:8] + "-" + self.new_name()
        self.cluster.create(
            SNAPSHOT,
            {
                "metadata": {
                    "name": made,
                    "labels": {"longhornvolume": name(volume)},
                    "annotations": {RUN: name(job), MODE: mode},
                },
                "spec": {
                    "volume": name(volume),
                    "createSnapshot": True,
                    "labels": _labels(job),
                },
            },
        )

    def _carry_on(self, snapshot: Object) -> None:
        """A run's snapshot that is ready gets its backup, one that failed is given up."""
        job_name = _run_of(snapshot)
        if not job_name or deleting(snapshot):
            return
        ready, failed = status(snapshot).get("readyToUse"), text(status(snapshot), "error")
        if not ready and not failed:
            return
        volume = self.cluster.find(VOLUME, text(spec(snapshot), "volume"))
        job = self.cluster.find(JOB, job_name)
        if failed or volume is None or job is None:
            log.warning("job %s: no backup of snapshot %s: %s", job_name, name(snapshot), failed)
        else:
            self._backup(job, volume, snapshot)
        changes = {"metadata": {"annotations": {RUN: None, MODE: None}}}
        self.cluster.change(SNAPSHOT, name(snapshot), changes)

    def _backup(self, job: Object, volume: Object, snapshot: Object) -> None:
        # The same name for the same snapshot, should this come twice.
        digits = hashlib.sha256(str(snapshot["metadata"]["uid"]).encode()).hexdigest()[:16]
        known = status(volume).get("kubernetesStatus") or {}
        target = text(spec(volume), "backupTargetName")
        annotations = snapshot["metadata"]["annotations"]
        self.cluster.create(
            BACKUP,
            {
                "metadata": {
                    "name": f"backup-{digits}",
                    "labels": {VOLUME_LABEL: name(volume), TARGET_LABEL: target},
                    "annotations": {RUN: name(job)},
                },
                "spec": {
                    "snapshotName": name(snapshot),
                    "backupMode": annotations.get(MODE, "incremental"),
                    "labels": {**_labels(job), STATUS_LABEL: go_json(known)},
                },
            },
        )

    def completed(self, backup: Object) -> None:
        """What a run does at its end: the oldest backups of the job and its snapshots go."""
        job = self.cluster.find(JOB, _run_of(backup))
        if job is None:
            return
        where = labels(backup)
        retain = max(number(spec(job), "retain", 1), 1)
        found = backups_of(self.cluster, where[TARGET_LABEL], where[VOLUME_LABEL])
        for one in expired(found, name(job), retain):
            log.info("job %s: backup %s is removed, %d are kept", name(job), one, retain)
            self.cluster.delete(BACKUP, one)
        if defaults.setting(self.cluster, "auto-cleanup-recurring-job-backup-snapshot") == "true":
            self._clean_up(name(job), where[VOLUME_LABEL], text(spec(backup), "snapshotName"))

    def _clean_up(self, job: str, volume: str, kept: str) -> None:
        for one in self.cluster.all(SNAPSHOT):
            ours = (spec(one).get("labels") or {}).get(JOB_LABEL) == job
            if ours and text(spec(one), "volume") == volume and name(one) != kept:
                self.cluster.delete(SNAPSHOT, name(one))


def backup_mode(job: Object, count: int) -> str:
    """Whether this run of a job begins anew, by its parameter `full-backup-interval`."""
    interval = text(spec(job).get("parameters") or {}, FULL_INTERVAL)
    full = interval.isdigit() and int(interval) > 0 and count % int(interval) == 0
    return "full" if full else "incremental"


def expired(backups: list[Object], job: str, retain: int) -> list[str]:
    """The names of the job's oldest backups, beyond the `retain` newest."""
    ours = [
        one
        for one in backups
        if text(status(one), "state") == COMPLETED
        and not deleting(one)
        and (status(one).get("labels") or {}).get(JOB_LABEL) == job
    ]
    ours.sort(key=lambda one: (text(status(one), "backupCreatedAt"), name(one)))
    return [name(one) for one in ours[: max(len(ours) - retain, 0)]]


def _labels(job: Object) -> dict[str, str]:
    return {**(spec(job).get("labels") or {}), JOB_LABEL: name(job)}


def _run_of(found: Object) -> str:
    return text(found["metadata"].get("annotations") or {}, RUN)
