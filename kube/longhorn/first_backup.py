"""A first backup of every volume that a job backs up and that has none in its target yet.

Until then a drill has nothing to prove, and a job that comes at night leaves a new site unproven
for a day. What is made here is what the job would make, under the job's label, so that the job's
retention removes it in its time.
"""

import datetime
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kube.errors import RETRIED, ClusterError, one_line
from kube.longhorn.api import Longhorn, LonghornError
from kube.longhorn.asked import Asked, label_value
from kube.longhorn.backups import (
    COMPLETED,
    TARGET_LABEL,
    VOLUME_LABEL,
    Backup,
    Snapshot,
    read_backups,
    read_snapshots,
)
from kube.longhorn.jobs import read_jobs
from kube.longhorn.options import JOBS_WHILE_DETACHED, jobs_take_detached
from kube.longhorn.outlook import Outlook, Work, outlook
from kube.longhorn.targets import read_targets
from kube.longhorn.volumes import DETACHED, Volume, read_volumes
from kube.waiting import TimeoutPassedError, until
from kube.writer import ExistsError

# What is made here bears it, so that a run that was killed is gone on with.
MARK = "backstop-first-backup"
# An unused snapshot that is older is not gone on with: it would show another time than now.
TAKE_OVER = datetime.timedelta(hours=1)
# As long as Longhorn's own jobs wait for a snapshot, which includes attaching the volume.
SNAPSHOT_SECONDS = 390.0
_DELETING = "Deleting"

Say = Callable[[str], None]
NewName = Callable[[str], str]
Now = Callable[[], datetime.datetime]


class FirstBackupsError(LonghornError):
    """Volumes were left without a backup. `faults`: a sentence for each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def new_name(prefix: str) -> str:
    """A name that no other object has."""
    return f"{prefix}-{secrets.token_hex(8)}"


def first_backups(
    longhorn: Longhorn,
    *,
    seconds: float,
    say: Say,
    now: Now,
    wanted: Collection[str] = (),
    at_once: int = 5,
    named: NewName = new_name,
) -> dict[str, Any]:
    """Makes what is missing and waits for it; returns what there is then, as plain data.

    `at_once`: volumes under way at the same time. An unfinished backup of somebody else is waited
    for too, for it does as well. A second call finds nothing to do.

    Raises:
        FirstBackupsError: volumes are without a backup; what was made for others stays.
        LonghornError: a wanted job does not exist.
        ClusterError: the cluster refuses.
    """
    found = _look(longhorn, wanted)
    _tell(longhorn, found, say)
    run = _Run(longhorn, say, now, named)
    run.all_of(found.work, seconds, at_once)
    faults = [*found.faults, *run.faults]
    if faults:
        raise FirstBackupsError(faults)
    return {
        "made": run.made,
        "held": list(found.held),
        "uncovered": list(found.uncovered),
        "leftOut": dict(found.left_out),
    }


def _look(longhorn: Longhorn, wanted: Collection[str]) -> Outlook:
    client, namespace = longhorn.client, longhorn.namespace
    jobs = read_jobs(client, namespace)
    unknown = sorted(set(wanted) - {one.name for one in jobs if one.backs_up})
    if unknown:
        raise LonghornError(
            f"there is no recurring job {unknown[0]} that makes backups; correct longhorn.jobs, or "
            "run `refresh` and `up`"
        )
    return outlook(
        read_volumes(client, namespace),
        jobs,
        read_targets(client, namespace),
        read_backups(client, namespace),
        wanted,
    )


def _tell(longhorn: Longhorn, found: Outlook, say: Say) -> None:
    for name in found.uncovered:
        say(f"volume {name}: no job backs it up")
    for name, why in found.left_out.items():
        say(f"volume {name} is left out: {why}")
    idle = [one.volume.told for one in found.work if one.volume.state == DETACHED]
    if idle and not jobs_take_detached(longhorn.client, longhorn.namespace):
        for told in idle:
            say(
                f"volume {told} is detached: Longhorn attaches it for this backup, but its jobs "
                f"leave it out as long as Longhorn's setting {JOBS_WHILE_DETACHED} is false"
            )


@dataclass
class _Course:
    """One volume under way. `snapshot`, `backup`: the names of what is made for it.

    `since`: when its snapshot was first looked for. `begun`: whether its backup was asked for.
    """

    work: Work
    snapshot: str
    backup: str
    since: float
    begun: bool = False
    told: str = ""

    @property
    def volume(self) -> Volume:
        return self.work.volume

    @property
    def marks(self) -> dict[str, str]:
        return {MARK: label_value(self.volume.name)}


@dataclass
class _Run:
    longhorn: Longhorn
    say: Say
    now: Now
    named: NewName
    made: list[dict[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def all_of(self, work: Iterable[Work], seconds: float, at_once: int) -> None:
        """Carries every volume to its end, or to the end of the time."""
        waiting, active = list(work), list[_Course]()

        def step() -> bool | None:
            while waiting and len(active) < at_once:
                active.append(self._begin(waiting.pop(0)))
            for course in list(active):
                if self._advance(course):
                    active.remove(course)
            return None if active or waiting else True

        try:
            until(step, self.longhorn.clock, seconds, passing=RETRIED)
        except TimeoutPassedError as error:
            said = f" ({error.last})" if error.last else ""
            for course in active:
                self.faults.append(
                    f"volume {course.volume.told} has no backup after {seconds:.0f} s: "
                    f"{course.told or 'nothing was heard of it'}{said}; it goes on by itself, and "
                    "who runs this again waits for it"
                )
            for one in waiting:
                self.faults.append(
                    f"volume {one.volume.told} has no backup: its turn did not come within "
                    f"{seconds:.0f} s; run this again"
                )

    def _begin(self, work: Work) -> _Course:
        # Longhorn's own form for a backup, which bears its name in the store for ever.
        names = self.named("first"), self.named("backup")
        return _Course(work, *names, since=self.longhorn.clock.now())

    def _advance(self, course: _Course) -> bool:
        """One step of a volume; whether it has ended."""
        try:
            return self._follow(course)
        except ClusterError as error:
            if error.cause in RETRIED:
                raise
            self.faults.append(f"volume {course.volume.told}: {error}")
            return True

    def _follow(self, course: _Course) -> bool:
        volume = course.volume
        labels = {VOLUME_LABEL: volume.name, TARGET_LABEL: volume.backup_target}
        backups = read_backups(self.longhorn.client, self.longhorn.namespace, labels)
        done = [one for one in backups if one.state == COMPLETED]
        running = [one for one in backups if not one.ended and one.state != _DELETING]
        ours = next((one for one in backups if one.name == course.backup), None)
        if done:
            self._complete(course, done[-1])
            return True
        if running:
            self._note(course, f"backup {running[-1].name} {_progress(running[-1])}")
            return False
        if course.begun or ours is not None:
            self.faults.append(_failure(volume, course.backup, ours))
            return True
        return self._prepare(course, {one.snapshot for one in backups})

    def _complete(self, course: _Course, done: Backup) -> None:
        self._note(course, f"backup {done.name} is complete")
        volume = course.volume
        self.made.append(
            {
                "volume": volume.name,
                "namespace": volume.namespace,
                "claim": volume.claim,
                "target": volume.backup_target,
                "job": course.work.job.name,
                "backup": done.name,
            }
        )

    def _prepare(self, course: _Course, used: Collection[str]) -> bool:
        """Sees that there is a snapshot, and asks for its backup when it is ready."""
        found = self._unused(course, used)
        if found is None:
            self._create("snapshots", self._asked(course).snapshot(course.snapshot))
        elif found.ready:
            self._create("backups", self._asked(course).backup(course.backup, found.name))
            course.begun = True
        elif self.longhorn.clock.now() - course.since > SNAPSHOT_SECONDS:
            # Taken back, or Longhorn would attach the volume for it at some later time.
            self.longhorn.writer.delete(self.longhorn.path("snapshots", found.name))
            self.faults.append(
                f"volume {course.volume.told}: Longhorn made no snapshot within "
                f"{SNAPSHOT_SECONDS:.0f} s ({_state(course.volume, found)}); look at the volume in "
                "Longhorn's UI, and run this again when it can be attached"
            )
            return True
        else:
            self._note(course, f"snapshot {found.name}: {_state(course.volume, found)}")
        return False

    def _unused(self, course: _Course, used: Collection[str]) -> Snapshot | None:
        """The newest snapshot that was made for this, here or by a run before, and not used yet."""
        client, namespace = self.longhorn.client, self.longhorn.namespace
        limit = self.now() - TAKE_OVER
        fresh = [
            (one.created, one.name, one)
            for one in read_snapshots(client, namespace, course.marks)
            if one.volume == course.volume.name
            and one.name not in used
            and one.created is not None
            and one.created > limit
        ]
        return max(fresh)[2] if fresh else None

    def _asked(self, course: _Course) -> Asked:
        return Asked(self.longhorn.namespace, course.volume, course.work.job, course.marks)

    def _create(self, kind: str, content: dict[str, Any]) -> None:
        try:
            self.longhorn.writer.create(self.longhorn.path(kind), content)
        except ExistsError:
            return  # the answer to the same request was lost

    def _note(self, course: _Course, text: str) -> None:
        if text != course.told:
            self.say(f"volume {course.volume.told}: {text}")
            course.told = text


def _progress(backup: Backup) -> str:
    return f"is {backup.state or 'new'}" + (f", {backup.progress} %" if backup.progress else "")


def _state(volume: Volume, found: Snapshot) -> str:
    said = one_line(found.error)
    return f"the volume was {volume.state or 'not there yet'}" + (f"; {said}" if said else "")


def _failure(volume: Volume, name: str, backup: Backup | None) -> str:
    if backup is None or backup.state == _DELETING:
        return f"volume {volume.told}: backup {name} was deleted while it ran; run this again"
    said = one_line(backup.error) or "Longhorn says nothing"
    return (
        f"volume {volume.told}: backup {name} ended as {backup.state} ({said}); put that right and "
        "run this again"
    )
