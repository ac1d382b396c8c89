"""Whether every volume of the live cluster is backed up: by a job, and in the store."""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from drills.backupstore.errors import BackupStoreError
from drills.backupstore.url import Target, parse_target
from drills.frame import Compared, NotCompared
from drills.longhorn.expected import Live, Subject
from drills.longhorn.lines import bounded, grouped
from drills.longhorn.live.objects import is_copy
from drills.longhorn.payload import Excuse, LonghornLimits
from drills.sandbox.marks import run_id_of
from drills.verdict import Check, Reason
from kube.longhorn.jobs import Job, backing_up, binding
from kube.longhorn.volumes import DETACHED, PersistentVolume

_SAVED = "in a recurring job, and in a backup that is young enough"
_HOW = "the live cluster against its recurring jobs and the backups in the store"
MOST_IDLE = 20
UNDECLARED = "the stack declares no such target"


@dataclass(frozen=True)
class Point:
    """The newest finished backup of a volume. `taken`: its snapshot's time, aware."""

    name: str
    taken: datetime.datetime


@dataclass(frozen=True)
class Terms:
    """What the cluster is held to. `drilled`: where each BackupTarget must be whose store is read,
    by name. `unread`: why the store of one is not read, by name."""

    drilled: Mapping[str, Target]
    limits: LonghornLimits
    exceptions: Sequence[Excuse]
    now: datetime.datetime
    unread: Mapping[str, str] = field(default_factory=dict)

    def rpo(self, jobs: Iterable[Job]) -> float:
        """How old the newest backup may be, in seconds. `jobs`: those that make it."""
        known = self.limits.rpo_by_job
        return min(
            (known[job.name] for job in jobs if job.name in known), default=self.limits.rpo_seconds
        )


@dataclass(frozen=True)
class Coverage:
    """`points`: the newest backup of each volume that the cluster has and nothing excuses.

    `protected`: the volumes of which nothing is missing.
    """

    checks: Sequence[Check]
    compared: Sequence[Compared]
    not_compared: Sequence[NotCompared]
    points: Mapping[str, Point]
    protected: Sequence[str] = ()

    def told(self) -> str:
        red = sum(not one.ok for one in self.checks)
        return f"{len(self.protected)} volumes backed up, {red} findings"


@dataclass(frozen=True)
class _Gap:
    reason: Reason
    seen: str


Points = Mapping[str, Mapping[str, Point]]
"""The newest backup of each volume that has one, by target and by volume."""


def survey(live: Live, points: Points, terms: Terms) -> Coverage:
    """Every volume of `live` against the store of its own target."""
    if not live.installed:
        absent = Check("cluster", "Longhorn", "installed", "not installed", Reason.SCOPE_LOST)
        return Coverage([absent], [], [], {})
    findings = _Findings(live, terms)
    for one in live.subjects:
        findings.enter(one, points)
    for lost in live.gone:
        findings.enter_gone(lost)
    return findings.closed()


class _Findings:
    """What has been found so far."""

    def __init__(self, live: Live, terms: Terms) -> None:
        self._live = live
        self._terms = terms
        self._red: list[Check] = []
        self._aside: list[tuple[str, str]] = []
        self._used: set[Excuse] = set()
        self._points: dict[str, Point] = {}
        self._protected: list[str] = []

    def enter(self, one: Subject, points: Points) -> None:
        why, gaps = _gaps(one, self._live, points, self._terms)
        point = points.get(one.volume.backup_target, {}).get(one.name)
        excuse = self._excuse(one.namespace, one.claim, one.name) if why or gaps else None
        if gaps and excuse is not None:
            self._aside.append((one.told, f"excused: {excuse.why}"))
            return
        if point is not None:
            self._points[one.name] = point
        if why:
            self._aside.append((one.told, why))
        self._protected += [] if why or gaps else [one.name]
        self._red += [Check("longhorn", one.told, _SAVED, gap.seen, gap.reason) for gap in gaps]

    def enter_gone(self, one: PersistentVolume) -> None:
        """A claim whose volume Longhorn has lost."""
        told = f"{one.name} ({one.namespace}/{one.claim})"
        excuse = self._excuse(one.namespace, one.claim, one.handle)
        if excuse is not None:
            self._aside.append((told, f"excused: {excuse.why}"))
            return
        if one.created is not None and _age(one.created, self._terms) <= self._terms.rpo(()):
            self._aside.append((told, "it is new, and no volume is behind it yet"))
            return
        seen = f"Longhorn has no volume {one.handle} behind it; restore it from its backup"
        wanted = "a volume behind the claim"
        self._red.append(Check("longhorn", told, wanted, seen, Reason.VOLUME_LOST))

    def closed(self) -> Coverage:
        checks = [*target_checks(self._live, self._terms)]
        checks += bounded(self._red, "further volumes")
        compared = []
        if self._protected:
            count = len(self._protected)
            checks.append(Check("longhorn", "volumes of the cluster", _SAVED, f"{count} are"))
            compared.append(Compared("coverage of volumes", count, None, _HOW))
        elif not (self._red or self._aside):
            # Nothing to save is no proof that anything is saved.
            nothing = Reason.NOTHING_TO_CHECK
            checks.append(Check("longhorn", "volumes", "one to save", "none", nothing))
        return Coverage(checks, compared, [*self._not_compared()], self._points, self._protected)

    def _excuse(self, namespace: str, claim: str, volume: str) -> Excuse | None:
        for one in self._terms.exceptions:
            if one.covers(namespace, claim, volume):
                self._used.add(one)
                return one
        return None

    def _not_compared(self) -> Iterator[NotCompared]:
        yield from grouped("coverage of", self._aside)
        idle = [one for one in self._terms.exceptions if one not in self._used]
        for one in idle[:MOST_IDLE]:
            yield NotCompared(f"exception {one.shown}", 1, "it excuses nothing; remove it")


def unread(live: Live | None, terms: Terms) -> Iterator[NotCompared]:
    """Every target that is not read, with as many volumes as the cluster backs up to it."""
    if live is None:
        for name, why in terms.unread.items():
            yield NotCompared(f"backups in target {name}", 1, why)
        return
    volumes = Counter(one.volume.backup_target for one in live.subjects)
    known = {one.name: one for one in live.targets}
    strange = [name for name in known if name not in terms.drilled and name not in terms.unread]
    for name in (*terms.unread, *strange):
        why = terms.unread.get(name, UNDECLARED)
        if name in known:
            why += f"; Longhorn has it at {known[name].url[:200] or 'no address'}"
        why += f"; volumes of the cluster that are backed up to it: {volumes[name]}"
        yield NotCompared(f"backups in target {name}", 1, why)


def target_checks(live: Live, terms: Terms) -> Iterator[Check]:
    """Whether Longhorn backs up to the places that are drilled, and gets there."""
    for name, place in terms.drilled.items():
        yield from _target_checks(live, name, place)


def _target_checks(live: Live, called: str, place: Target) -> Iterator[Check]:
    label, wanted = f"backup target {called}", place.url
    found = next((one for one in live.targets if one.name == called), None)
    if found is None or not found.url:
        seen = "has no address" if found else "does not exist"
        yield Check("longhorn", label, wanted, seen, Reason.SCOPE_LOST)
        return
    if _place(found.url) != (place.bucket, place.prefix):
        yield Check("longhorn", label, wanted, found.url[:200], Reason.SCOPE_LOST)
        return
    yield Check("longhorn", label, wanted, wanted)
    if not found.available:
        said = " ".join((found.message or "Longhorn gives no reason").split())[:300]
        seen = f"not available, so no backup is made: {said}"
        yield Check("longhorn", label, "available", seen, Reason.UNPROTECTED)


def _place(url: str) -> tuple[str, str]:
    try:
        found = parse_target(url)
    except BackupStoreError:
        return "", ""
    return found.bucket, found.prefix


def _gaps(one: Subject, live: Live, points: Points, terms: Terms) -> tuple[str, list[_Gap]]:
    """Why nothing is expected of a volume, else what is missing."""
    volume = one.volume
    backing = backing_up(volume, live.jobs)
    limit = terms.rpo(backing)
    young = volume.created is not None and _age(volume.created, terms) <= limit
    why = _why_none(one, young=young)
    if why:
        return why, []
    gaps = [] if backing else [_Gap(Reason.UNPROTECTED, _without_job(one, live.jobs))]
    if volume.backup_target not in terms.drilled:
        return "", [_Gap(Reason.UNPROTECTED, _undrilled(one, live, points, terms)), *gaps]
    point = points.get(volume.backup_target, {}).get(one.name)
    if point is not None:
        gaps += _age_gap(one, point, _age(point.taken, terms), limit)
    elif not young:
        where = "the store" if len(terms.drilled) == 1 else f"target {volume.backup_target}"
        seen = f"no finished backup of it is in {where}{_elsewhere(one, points)}"
        gaps.append(_Gap(Reason.VOLUME_LOST, seen))
    elif not gaps:
        return "it is new, and waits for its first backup", []
    return "", gaps


def _undrilled(one: Subject, live: Live, points: Points, terms: Terms) -> str:
    """Of a volume whose target is not read: nobody has seen that it can be restored."""
    target = one.volume.backup_target
    why = terms.unread.get(target, UNDECLARED)
    if all(known.name != target for known in live.targets):
        why += ", and Longhorn has no such target"
    return (
        f"it is backed up to target {target}, which is not drilled: {why}{_elsewhere(one, points)}"
    )


def _elsewhere(one: Subject, points: Points) -> str:
    """What else is known of backups of a volume of which its own target has none to show."""
    known = f"; Longhorn knows of {one.volume.last_backup}" if one.volume.last_backup else ""
    others = sorted(
        target for target, held in points.items()
        if one.name in held and target != one.volume.backup_target
    )  # fmt: skip
    return f"{known}; backups of it are in target {', '.join(others)}" if others else known


def _why_none(one: Subject, *, young: bool) -> str:
    """Why nothing is expected of a volume, "" where something is."""
    volume = one.volume
    if volume.deleting:
        return "it is being deleted"
    if is_copy(volume.labels) or run_id_of(one.namespace) is not None:
        return "it is a drill's own copy, and goes with its run"
    if volume.standby:
        return "it follows the backups of another cluster, and makes none"
    if young and (volume.restoring or volume.linked_clone):
        return "it is being filled from another volume"
    return ""


def _age_gap(one: Subject, point: Point, age: float, limit: float) -> Iterator[_Gap]:
    if age <= limit:
        return
    seen = f"its newest backup {point.name} is {age:.0f} s old, more than {limit:.0f} s"
    if one.volume.state == DETACHED:
        seen += (
            "; it is detached, and Longhorn backs such volumes up only with the setting "
            "allow-recurring-job-while-volume-detached"
        )
    yield _Gap(Reason.OVER_RPO, seen)


def _without_job(one: Subject, jobs: Sequence[Job]) -> str:
    asked = binding(one.volume)
    wanted = sorted(asked.jobs) + [f"group {name}" for name in sorted(asked.groups)]
    there = ", ".join(sorted(job.name for job in jobs if job.backs_up)) or "none"
    if one.volume.linked_clone:
        return "it is a linked clone, which no recurring job backs up"
    asks = f"it asks for {', '.join(wanted)}" if wanted else "it asks for none"
    return f"no recurring job backs it up: {asks} (jobs that back up: {there})"


def _age(moment: datetime.datetime, terms: Terms) -> float:
    return (terms.now - moment).total_seconds()
