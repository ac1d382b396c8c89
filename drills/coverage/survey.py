"""Every namespace and every volume of a cluster: protected by which backup, or not and why.

A volume counts as protected only by what a completed backup says it holds of it, never by what a
schedule means to take. Time is linear in claims times schedules.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from drills.coverage.causes import Why, why_no_data
from drills.coverage.gaps import ADVICE, DATA_LOST, Gap
from drills.coverage.live import Allowed, LastBackup, Live, created, namespace_of
from drills.coverage.scope import Scope
from drills.coverage.volume_info import Method, VolumeRecord
from drills.sandbox.marks import LAYER_LABEL
from drills.velero_filters import excluded_by_label
from kube.velero.api import Object, labels, name, phase


@dataclass(frozen=True)
class Protected:
    """A namespace (`claim` "") or a volume, and the backup that brings it back.

    `size`: bytes, see VolumeRecord; `at`: when the data was taken.
    """

    namespace: str
    claim: str
    schedule: str
    backup: str
    at: datetime.datetime
    method: Method | None = None
    size: int | None = None


@dataclass(frozen=True)
class Unprotected:
    """A namespace (`claim` "") or a volume that no restore brings back; `detail`: one sentence."""

    namespace: str
    claim: str
    gap: Gap
    detail: str

    @property
    def subject(self) -> str:
        return subject(self.namespace, self.claim)


@dataclass(frozen=True)
class Waiting:
    """Nothing to hold against anybody yet: too new for a backup, or without a volume."""

    namespace: str
    claim: str
    why: str


@dataclass(frozen=True)
class Excused:
    """Unprotected, and somebody wrote down why it may be."""

    found: Unprotected
    why: str


@dataclass(frozen=True)
class Survey:
    """Red if `unprotected` holds anything.

    `idle`: exceptions that excuse nothing; whoever wrote them should remove them.
    """

    protected: tuple[Protected, ...]
    unprotected: tuple[Unprotected, ...]
    waiting: tuple[Waiting, ...]
    excused: tuple[Excused, ...]
    idle: tuple[Allowed, ...]


Finding = Protected | Unprotected | Waiting


def survey(live: Live) -> Survey:
    """Names every namespace and every claim exactly once; sandboxes of drills are no part of it."""
    findings = [*_namespaces(live), *_claims(live)]
    gaps = [one for one in findings if isinstance(one, Unprotected)]
    excuses = {one: _excuse(live.allowed, one) for one in gaps}
    used = {excuse for excuse in excuses.values() if excuse is not None}
    return Survey(
        protected=tuple(one for one in findings if isinstance(one, Protected)),
        unprotected=tuple(one for one, excuse in excuses.items() if excuse is None),
        waiting=tuple(one for one in findings if isinstance(one, Waiting)),
        excused=tuple(Excused(one, by.why) for one, by in excuses.items() if by is not None),
        idle=tuple(one for one in live.allowed if one not in used and not one.by_design),
    )


def _excuse(allowed: Iterable[Allowed], found: Unprotected) -> Allowed | None:
    # What the exception names most closely excuses, so that the broader one may turn out idle.
    fitting = [one for one in allowed if one.covers(found.namespace, found.claim)]
    return max(fitting, key=lambda one: (bool(one.claim), one.namespace), default=None)


def _counts(namespace: Object) -> bool:
    return LAYER_LABEL not in labels(namespace) and phase(namespace) != "Terminating"


def _gap(namespace: str, claim: str, gap: Gap, fact: str) -> Unprotected:
    detail = f"{subject(namespace, claim)}: {fact}; {ADVICE[gap]}"
    return Unprotected(namespace, claim, gap, detail)


def subject(namespace: str, claim: str) -> str:
    """How messages name a namespace (`claim` "") or a volume."""
    return f"volume {namespace}/{claim}" if claim else f"namespace {namespace}"


def _namespaces(live: Live) -> Iterator[Finding]:
    yield from (_namespace(live, one) for one in live.namespaces if _counts(one))


def _namespace(live: Live, one: Object) -> Finding:
    called = name(one)
    if excluded_by_label(labels(one)):
        return _gap(called, "", Gap.EXCLUDED_BY_LABEL, "its label keeps it out of every backup")
    scopes = [scope for scope in live.scopes if scope.takes_namespace(called)]
    if not scopes:
        return _gap(called, "", Gap.NOT_IN_SCOPE, "no schedule takes it in")
    whole = [scope for scope in scopes if scope.whole and not scope.selectors]
    if not whole:
        gap = Gap.NOT_SELECTED if scopes[0].selectors else Gap.KIND_LEFT_OUT
        return _gap(called, "", gap, f"schedule {scopes[0].schedule} takes only a part of it")
    backups = _Backups(live, whole, called, "", created(one))
    for scope, backup in backups.later():
        if backup.namespaces is None or called in backup.namespaces:
            return Protected(called, "", scope.schedule, backup.name, backup.started)
    return backups.none_yet() or backups.without_it()


@dataclass(frozen=True)
class _Backups:
    """The last backups of the schedules that take in a namespace or a claim."""

    live: Live
    scopes: Sequence[Scope]
    namespace: str
    claim: str
    made: datetime.datetime | None

    @cached_property
    def taken(self) -> list[tuple[Scope, LastBackup]]:
        """Of schedules that are running, newest first."""
        found = [
            (scope, self.live.backups[scope.schedule])
            for scope in self.scopes
            if not scope.off and scope.schedule in self.live.backups
        ]
        return sorted(found, key=lambda one: one[1].started, reverse=True)

    def later(self) -> list[tuple[Scope, LastBackup]]:
        """Those that began after it was made."""
        return [one for one in self.taken if self.made is None or one[1].started >= self.made]

    def none_yet(self) -> Unprotected | Waiting | None:
        """What to say if no backup began after it was made; None if one did."""
        running = [scope.schedule for scope in self.scopes if not scope.off]
        if not running:
            first = self.scopes[0]
            return self._gap(Gap.SCHEDULE_OFF, f"schedule {first.schedule} {first.off}")
        if self.later():
            return None
        read = [one for one in running if one not in self.live.elsewhere]
        if not read:
            location = self.live.elsewhere[running[0]]
            fact = f"schedule {running[0]} saves to location {location}, which is not looked into"
            return self._gap(Gap.OTHER_LOCATION, fact)
        if self.live.is_young(self.made):
            why = "it is newer than the last backup and may wait for one"
            return Waiting(self.namespace, self.claim, why)
        if not self.taken:
            return self._gap(Gap.NEVER_BACKED_UP, f"schedule {read[0]} has no completed backup")
        newest = self.taken[0][1].name
        return self._gap(Gap.NEWER_THAN_BACKUP, f"it was made after backup {newest} began")

    def without_it(self) -> Unprotected:
        fact = f"backup {self.taken[0][1].name} does not hold it"
        return self._gap(Gap.NOT_IN_BACKUP, fact)

    def _gap(self, gap: Gap, fact: str) -> Unprotected:
        return _gap(self.namespace, self.claim, gap, fact)


def _claims(live: Live) -> Iterator[Finding]:
    ignored = {name(one) for one in live.namespaces if not _counts(one)}
    yield from (_claim(live, one) for one in live.claims if namespace_of(one) not in ignored)


def _claim(live: Live, one: Object) -> Finding:
    namespace, called = namespace_of(one), name(one)
    if (one.get("metadata") or {}).get("deletionTimestamp"):
        return Waiting(namespace, called, "its claim is being deleted")
    if phase(one) == "Lost":
        return _gap(namespace, called, Gap.LOST, "its claim is Lost")
    if phase(one) != "Bound":
        return Waiting(namespace, called, "its claim has no volume yet")
    scopes = _scopes(live, one)
    if isinstance(scopes, Unprotected):
        return scopes
    backups = _Backups(live, scopes, namespace, called, created(one))
    return _with_data(live, one, backups) or backups.none_yet() or _without_data(live, one, backups)


def _scopes(live: Live, claim: Object) -> list[Scope] | Unprotected:
    """The schedules that take in a claim, or what keeps it out of all of them."""
    namespace, called = namespace_of(claim), name(claim)
    held = live.namespace_labels.get(namespace, {})
    if excluded_by_label(labels(claim)) or excluded_by_label(held):
        fact = "a label keeps it out of every backup"
        return _gap(namespace, called, Gap.EXCLUDED_BY_LABEL, fact)
    scopes = [scope for scope in live.scopes if scope.takes_namespace(namespace)]
    if not scopes:
        return _gap(namespace, called, Gap.NOT_IN_SCOPE, "no schedule takes in its namespace")
    mounted = [mount.labels for mount in live.mounts.get((namespace, called), ())]
    selecting = [scope for scope in scopes if scope.takes_labels(labels(claim), *mounted)]
    if not selecting:
        fact = f"the labels that schedule {scopes[0].schedule} selects are not on it"
        return _gap(namespace, called, Gap.NOT_SELECTED, fact)
    taking = [scope for scope in selecting if scope.claims]
    if not taking:
        fact = f"schedule {selecting[0].schedule} leaves out PersistentVolumeClaims"
        return _gap(namespace, called, Gap.KIND_LEFT_OUT, fact)
    return taking


def _with_data(live: Live, claim: Object, backups: _Backups) -> Finding | None:
    """Protected by the newest backup that holds data of this very volume; None if none does."""
    key = (namespace_of(claim), name(claim))
    later = backups.later()
    for scope, backup in backups.taken:
        record = backup.by_claim.get(key)
        if record is None or not record.has_data:
            continue
        # A record without the volume's name tells nothing of a claim that was made anew.
        if not _is_of(record, claim) or (not record.volume and (scope, backup) not in later):
            continue
        if not record.size and live.sizes.get(key, 0) > 0:
            fact = f"backup {backup.name} has 0 bytes of it, an earlier one had {live.sizes[key]}"
            return _gap(*key, Gap.EMPTIED, fact)
        at = record.at or backup.started
        return Protected(
            *key, scope.schedule, backup.name, at, method=record.method, size=record.size
        )
    return None


def _without_data(live: Live, claim: Object, backups: _Backups) -> Unprotected:
    key = (namespace_of(claim), name(claim))
    found = [_why_none(live, claim, scope, backup) for scope, backup in backups.later()]
    # Of several schedules the one that meant to take it speaks, not the newest that never does.
    gap, fact = next((one for one in found if one[0] in DATA_LOST), found[0])
    return _gap(*key, gap, fact)


def _why_none(live: Live, claim: Object, scope: Scope, backup: LastBackup) -> Why:
    record = backup.by_claim.get((namespace_of(claim), name(claim)))
    if record is not None and record.has_data:
        return Gap.NEWER_THAN_BACKUP, f"backup {backup.name} holds another volume of it"
    return why_no_data(live, claim, scope, backup, record)


def _is_of(record: VolumeRecord, claim: Object) -> bool:
    bound = str((claim.get("spec") or {}).get("volumeName") or "")
    return not record.volume or record.volume == bound
