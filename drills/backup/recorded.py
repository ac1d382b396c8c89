"""A backup with its truth: the cluster is listed before it begins and after it ended.

What a drill can hold against a backup later is the cluster as it is then; what was changed or
deleted meanwhile is no witness any more. Lists from around the backup are one for ever.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drills.backup.payload import CanaryClaims
from drills.backup.truths import Truths
from drills.frame import Clock, Progress
from drills.objects.canonical import NotJSONError
from drills.objects.keys import KeyFormatError, ObjectKey, key_of
from drills.objects.scope import LISTED_VERBS, Membership
from drills.objects.truth import Head, Recorder, RecordError, Seen, Truth, encloses, new_salt
from drills.objects.truth_file import TruthError
from drills.velero_filters import ScopeError, scope_of
from kube.discovery import Resource, discover
from kube.errors import Cause, ClusterError
from kube.facts import cluster_uid
from kube.identity import mismatch
from kube.objects import Listing, Stage, in_namespaces, of_cluster
from kube.velero import backups
from kube.velero.api import ENDED, Object, Velero, VeleroError, moment, name, phase, status

EVERYWHERE = ("",)
"""All namespaces in one listing."""
# Velero writes times by the clock of the node that it runs on, which need not be the API server's.
CLOCK_SECONDS = 5.0
_STEP_SECONDS = 0.2
# Times are shown in whole seconds: what is left of one.
_CUT_OFF = datetime.timedelta(milliseconds=999)


class Digests(Protocol):
    """What reads the volumes of running workloads around a backup; see drills/volumes/witness.py.

    Both but `before` raise StoreError, `after` NotKeptError as well.
    """

    def serves(self, backup: str) -> bool:
        """Whether what is wanted now was read around this backup."""

    def before(self, included: Callable[[str], bool]) -> None:
        """Reads them. `included`: whether the backup takes a namespace in."""

    def after(self, backup: str) -> dict[str, object]:
        """Reads them again, and keeps what must be in the backup; a summary."""


@dataclass(frozen=True)
class Recording:
    """The edges. `uid`: of the site's cluster; in another one nothing is made.

    `seconds`: how long a backup may take. `clock`: this machine's, which truths are dated by once
    they are corrected for the cluster's. `digests`: None where no volume is to be read. `canary`:
    what a first backup is to hold, if anything.
    """

    velero: Velero
    truths: Truths
    uid: str
    seconds: float
    clock: Clock
    say: Progress
    digests: Digests | None = None
    canary: CanaryClaims | None = None

    def make(self, schedule: str) -> dict[str, object]:
        """A backup of the schedule with its truth, now; its summary, with `truth`.

        Raises:
            VeleroError: there is no such schedule, the backup does not complete, or what was listed
                cannot be taken for its truth.
            NotKeptError, StoreError: the truth cannot be kept.
            ClusterError: the cluster refuses, or is not reached.
        """
        self._check_cluster()
        found = self._schedule(schedule)
        try:
            self._read_volumes(found)
            truth, backup = _Lists(self).around(found)
        except (RecordError, ScopeError, KeyFormatError, NotJSONError) as error:
            raise VeleroError(f"schedule {schedule}: {error}") from None
        where = self.truths.keep(truth)
        self.say(f"truth of {len(truth.entries)} objects kept as {where}")
        told: dict[str, object] = {**backups.summary(backup), "truth": _told(truth, where)}
        if self.digests is not None:
            told["digests"] = self.digests.after(name(backup))
        return told

    def _read_volumes(self, schedule: Object) -> None:
        """Before the objects are listed, so that no reader is there any more when they are."""
        if self.digests is not None:
            namespaces = self.velero.client.list("/api/v1/namespaces")
            scope = scope_of(schedule["spec"]["template"])
            self.digests.before(Membership(scope, namespaces).namespace_included)

    def first(self, schedule: str) -> dict[str, object]:
        """The same, unless there is a completed backup of today's template with its truth, begun
        when the canary's claims were there, and with the digests that are wanted today.

        One that is still running has lost its truth with the run that began it; it is waited for,
        so that the lists of the next one hold still. Raises what `make` raises.
        """
        self._check_cluster()
        wanted = backups.from_schedule(self._schedule(schedule), self.clock.now())
        held = wanted["metadata"]["labels"]
        there = self.velero.client.list(self.velero.collection("backups"))
        matching = backups.matching(there, held)
        claim, made = self._newest_claim()
        for one in reversed(matching):
            if phase(one) == "Completed" and (truth := self._truth_of(name(one))) is not None:
                began = moment(status(one).get("startTimestamp"))
                if made is not None and (began is None or began <= made):
                    self.say(f"backup {name(one)} was begun before the canary's claim {claim}")
                    continue
                if self.digests is not None and not self.digests.serves(name(one)):
                    continue
                self.say(f"backup {name(one)} is there with its truth")
                return {**backups.summary(one), "truth": _told(truth, "")}
        for one in matching:
            if phase(one) not in ENDED:
                backups.wait_ended(self.velero, name(one), self.seconds, self.say)
        return self.make(schedule)

    def _check_cluster(self) -> None:
        seen = cluster_uid(self.velero.client)
        if (sentence := mismatch(self.uid, seen, self.velero.client.server)) is not None:
            raise VeleroError(sentence)

    def _schedule(self, called: str) -> dict[str, Any]:
        try:
            return self.velero.client.get(self.velero.path("schedules", called))
        except ClusterError as error:
            if error.cause is not Cause.MISSING:
                raise
            there = self.velero.client.list(self.velero.collection("schedules"))
            names = ", ".join(sorted(map(name, there))) or "none"
            raise VeleroError(
                f"there is no schedule {called} in namespace {self.velero.namespace} (there: "
                f"{names}); correct the name"
            ) from None

    def _newest_claim(self) -> tuple[str, datetime.datetime | None]:
        """Of the canary's, and when it was made; one that is not there is the drill's to tell."""
        if self.canary is None:
            return "", None
        path = f"/api/v1/namespaces/{self.canary.namespace}/persistentvolumeclaims"
        found = [
            (made, name(one))
            for one in self.velero.client.list(path)
            if name(one) in self.canary.claims
            and (made := moment(one["metadata"].get("creationTimestamp"))) is not None
        ]
        made, claim = max(found, default=(None, ""))
        return claim, made

    def _truth_of(self, backup: str) -> Truth | None:
        """None also for a file that is no truth of this cluster: then it is made anew."""
        try:
            truth = self.truths.read(backup)
        except TruthError as error:
            self.say(f"backup {backup}: {error}")
            return None
        return truth if truth is not None and truth.head.cluster_uid == self.uid else None


@dataclass(frozen=True)
class _Lists:
    """The two lists around one backup."""

    edges: Recording

    def around(self, schedule: Object) -> tuple[Truth, dict[str, Any]]:
        """Lists, makes the backup, lists again. Raises as `Recording.make`."""
        edges, velero = self.edges, self.edges.velero
        specification = schedule["spec"]["template"]
        namespaces = velero.client.list("/api/v1/namespaces")
        salt = new_salt()
        recorder = Recorder(Membership(scope_of(specification), namespaces), salt)
        before_began = edges.clock.now()
        recorder.take_all_before(self._listed("first", recorder.leave_out))
        before_ended = edges.clock.now()
        asked = backups.from_schedule(schedule, before_ended)
        made = backups.begin(velero, asked)
        skew = ahead(made, before_ended, edges.clock.now())
        backup = backups.wait_ended(velero, name(made), edges.seconds, edges.say)
        backups.check_completed(velero, backup)
        began, ended = _times(backup)
        self._wait_until(ended, skew)
        after_began = edges.clock.now()
        for key, content in self._listed("second", lambda _what, _why: None):
            recorder.take_after(key, content)
        after_ended = edges.clock.now()
        # The first list had ended when the backup was begun, whatever another node's clock says.
        before = skew - _late(before_ended + skew, began)
        head = Head(
            edges.uid, name(backup), before_began + before, before_ended + before,
            after_began + skew, after_ended + skew, specification, salt,
        )  # fmt: skip
        if fault := encloses(head, began, ended):
            raise VeleroError(
                f"backup {name(backup)}: {fault}; synchronise the clocks of the cluster's nodes "
                "and run this again"
            )
        return recorder.truth(head), backup

    def _listed(
        self, which: str, leave_out: Callable[[str, str], None]
    ) -> Iterator[tuple[ObjectKey, Mapping[str, object]]]:
        """Every object of the cluster that a backup may hold; what cannot be listed is told."""
        began, count = self.edges.clock.monotonic(), 0
        client = self.edges.velero.client
        served = discover(client)
        for silent in served.unavailable:
            leave_out(f"API {silent}", "it did not answer when the cluster was listed")

        def tell(listing: Listing) -> None:
            if listing.stage is Stage.SKIPPED:
                leave_out(listing.resource.name, listing.why)

        wanted = [one for one in served.resources if one.verbs >= LISTED_VERBS]
        for listing in (
            # Nothing is left out but by the scope: a backup that takes events has to hold them.
            in_namespaces(client, wanted, EVERYWHERE, excluded={}, tell=tell),
            of_cluster(client, wanted, excluded={}, tell=tell),
        ):
            for resource, content in listing:
                count += 1
                yield _key(resource, content), content
        seconds = self.edges.clock.monotonic() - began
        self.edges.say(f"{which} list: {count} objects in {seconds:.1f} s")

    def _wait_until(self, ended: datetime.datetime, skew: datetime.timedelta) -> None:
        """Waits a second cut off by somebody's clock out, and not a clock that is wrong."""
        edges = self.edges
        limit = edges.velero.clock.now() + CLOCK_SECONDS
        while edges.clock.now() + skew < ended and edges.velero.clock.now() < limit:
            edges.velero.clock.sleep(_STEP_SECONDS)


def ahead(made: Object, before: datetime.datetime, after: datetime.datetime) -> datetime.timedelta:
    """How far the cluster's clock is certainly ahead of this machine's, negative if behind.

    `made`: an object that the API server created between `before` and `after` by this machine's
    clock. It dates in whole seconds, cut off, so that less than that is no difference.
    """
    nothing = datetime.timedelta(0)
    created = moment((made.get("metadata") or {}).get("creationTimestamp"))
    if created is None:
        return nothing
    at_least = created - after
    at_most = created + _CUT_OFF - before
    return max(at_least, min(at_most, nothing))


def _late(listed: datetime.datetime, began: datetime.datetime) -> datetime.timedelta:
    """By how much a list seems to have ended after `began`; nothing if no clock can be so wrong."""
    late = max(listed - (began + _CUT_OFF), datetime.timedelta(0))
    return late if late.total_seconds() <= CLOCK_SECONDS else datetime.timedelta(0)


def _times(backup: Object) -> tuple[datetime.datetime, datetime.datetime]:
    began, ended = (
        moment(status(backup).get(f"{key}Timestamp")) for key in ("start", "completion")
    )
    if began is None or ended is None:
        raise VeleroError(f"backup {name(backup)} has no times in its status; look at it")
    return began, ended


def _key(resource: Resource, content: Mapping[str, Any]) -> ObjectKey:
    metadata = content.get("metadata") or {}
    return key_of(resource.name, str(metadata.get("namespace") or ""), str(metadata.get("name")))


def _told(truth: Truth, where: str) -> dict[str, object]:
    counts = {str(seen): truth.count(seen) for seen in Seen}
    return {"objects": len(truth.entries), **counts, **({"kept": where} if where else {})}
