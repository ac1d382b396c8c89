"""What a drill refuses, decided before it writes anything.

Each function returns the refusal, or None where nothing speaks against going on.
"""

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from drills.coverage.scope import Scope
from drills.sandbox.marks import PREFIX, MarkError, Run, read
from drills.sandbox.wish import SYSTEM_NAMESPACES
from drills.velero_filters import excluded_by_label
from drills.verdict import Reason
from kube import identity
from kube.marks import SITE_LABEL
from kube.velero.api import Object, labels, name, phase


class Cause(StrEnum):
    """Why a drill does not go on."""

    NAME = "name"
    SYSTEM = "system"
    PRODUCTION = "production"
    NOT_OURS = "not-ours"
    OTHER_RUN = "other-run"
    NOT_FENCED = "not-fenced"
    TERMINATING = "terminating"
    CLUSTER = "cluster"
    OTHER_SITE = "other-site"
    RUNNING = "running"
    LEASE_LOST = "lease-lost"
    RESTORING = "restoring"


@dataclass(frozen=True)
class Refusal:
    """`sentence` says what was seen and what to do."""

    cause: Cause
    sentence: str

    @property
    def reason(self) -> Reason:
        if self.cause in {Cause.CLUSTER, Cause.OTHER_SITE}:
            return Reason.CLUSTER_MISMATCH
        return Reason.TARGET_REFUSED


class RefusedError(Exception):
    """The drill must not go on; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def target(
    called: str,
    found: Object | None,
    run: Run,
    *,
    sources: Collection[str],
    scopes: Iterable[Scope] = (),
    system: Collection[str] = SYSTEM_NAMESPACES,
) -> Refusal | None:
    """Whether the namespace `called` may be restored into.

    `found`: as the cluster holds it, None if it does not. `sources`: the namespaces that are
    restored from. `scopes`: of every schedule. `system`: the cluster's own and Velero's.
    """
    if called in system:
        return Refusal(Cause.SYSTEM, f"namespace {called} is the cluster's own; {_NEVER}")
    if called in sources:
        return Refusal(
            Cause.PRODUCTION, f"namespace {called} is one that is restored from; {_NEVER}"
        )
    if not called.startswith(f"{PREFIX}{run.run_id}-"):
        return Refusal(Cause.NAME, f"namespace {called} is not named after this run; {_NEVER}")
    return None if found is None else _existing(called, found, run, scopes)


_NEVER = "a drill restores into namespaces of its own only; report this fault of the drill"
_LOOK = "look what it is, and delete it by hand if nobody needs it"


def _existing(called: str, found: Object, run: Run, scopes: Iterable[Scope]) -> Refusal | None:
    try:
        owner = read(found)
    except MarkError as error:
        return Refusal(Cause.NOT_OURS, str(error))
    if owner is None:
        covering = _covering(called, found, scopes)
        seen = f", and schedule {covering} saves it" if covering else ""
        return Refusal(
            Cause.NOT_OURS, f"namespace {called} bears no mark of a drill{seen}; {_LOOK}"
        )
    if owner != run:
        return Refusal(
            Cause.OTHER_RUN,
            f"namespace {called} is of run {owner.run_id} of site {owner.site}; run the drill "
            "again, which takes another name",
        )
    if (found.get("metadata") or {}).get("deletionTimestamp") or phase(found) == "Terminating":
        return Refusal(Cause.TERMINATING, f"namespace {called} is being deleted; wait for its end")
    covering = _covering(called, found, scopes)
    if covering:
        return Refusal(
            Cause.NOT_FENCED,
            f"namespace {called} lacks the label that keeps it out of schedule {covering}; {_LOOK}",
        )
    return None


def _covering(called: str, found: Object, scopes: Iterable[Scope]) -> str:
    if excluded_by_label(labels(found)):
        return ""
    return next((scope.schedule for scope in scopes if scope.takes_namespace(called)), "")


def cluster(expected: str, seen: str, server: str) -> Refusal | None:
    """Whether this is the site's cluster, by the UIDs of its namespace kube-system."""
    sentence = identity.mismatch(expected, seen, server)
    return None if sentence is None else Refusal(Cause.CLUSTER, sentence)


@dataclass(frozen=True)
class Origin:
    """Whose backup it is. `known`: whether anything said so; if not, a receipt has to tell."""

    refusal: Refusal | None
    known: bool


def origin(
    backup: Object, site: str, uid: str, *, recorded: str | None = None, archived: str | None = None
) -> Origin:
    """Whether a restore point is of this site's cluster, whose UID is `uid`.

    Velero notes no identity of a cluster in a backup, only its version. What tells: the site that
    our schedules label their backups with; `recorded`, the UID in a truth that was kept outside
    when the backup was made; `archived`, the UID of namespace kube-system in the backup's archive.
    """
    called, owner = name(backup), labels(backup).get(SITE_LABEL)
    if owner is not None and owner != site:
        return _foreign(Cause.OTHER_SITE, f"backup {called} is of site {owner}, not of {site}")
    for what, other in (("recorded", recorded), ("archived", archived)):
        if other is not None and other != uid:
            return _foreign(
                Cause.CLUSTER,
                f"backup {called} is of the cluster {other} by its {what} UID, not of {uid}",
            )
    return Origin(None, any(one is not None for one in (owner, recorded, archived)))


def _foreign(cause: Cause, fact: str) -> Origin:
    cure = "two clusters write into one bucket or prefix; give each its own"
    return Origin(Refusal(cause, f"{fact}; {cure}"), known=True)


def running(found: Iterable[Object], run: Run, now: datetime.datetime) -> Refusal | None:
    """Whether another run of the same drill may be alive, by the marks of what it made.

    Two runs do not meet, for all their names differ; but both would want the same volumes,
    consumers and time, and each would spoil what the other one measures. Only where no Lease tells
    who lives are marks asked.
    """
    for one in found:
        try:
            owner = read(one)
        except MarkError:
            continue
        if owner is None or (owner.site, owner.layer) != (run.site, run.layer):
            continue
        if owner.run_id != run.run_id and now < owner.until:
            return _alive(owner.run_id, owner.until)
    return None


def _alive(run_id: str, until: datetime.datetime) -> Refusal:
    return Refusal(
        Cause.RUNNING,
        f"run {run_id} of this drill may be alive until {until:%H:%M:%S} UTC; wait for it, or, if "
        "it was killed, until then",
    )
