"""One run's way through a restore point: found, read, restored aside, taken away again.

The drills of both layers go it; what they compare on the way is their own.
"""

import datetime
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from drills import alone, listing, point_choice, points, rto
from drills.aside import Aside
from drills.backup import location, truths, words
from drills.backup.archive import Archive, Overview, Reader
from drills.backup.payload import READER, BackupPayload
from drills.backup.stops import stopped
from drills.backup.truths import Truths
from drills.frame import Clock, NotCompared, Progress, Record, RestorePoint, StopDrillError
from drills.lease import Lease
from drills.rotation import Trial
from drills.sandbox import fence, safety
from drills.sandbox.marks import Run
from drills.sandbox.plan import Plan
from drills.sandbox.safety import RefusedError
from drills.verdict import Check, Reason
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.errors import ClusterError
from kube.facts import cluster_uid
from kube.kubeconfig import Kubeconfig
from kube.velero.api import Object, Velero, moment, name, status
from kube.velero.restores import Outcome, RestoreResult
from kube.writer import open_writer

# A restarted API server answers custom kinds with a refusal for a moment.
PATIENCE_SECONDS = 20.0

AnyPayload = TypeVar("AnyPayload", bound=BackupPayload)


@dataclass(frozen=True)
class Found:
    """A chosen restore point: its Backup object, its archive, and what is in that."""

    point: points.Point
    backup: Object
    archive: Archive
    overview: Overview


@dataclass
class Course(Generic[AnyPayload]):
    """`velero` and `reader` are the edges, passed in so that a test or a control can replace them.

    `lease`: without it nothing is made, and by it other runs know that this one lives. `truths`:
    what was recorded around backups. `trials`: earlier drills of this site's restore points, for
    the rotation. `spans`: what a restore in need would do as well, and when.
    """

    payload: AnyPayload
    clock: Clock
    run: Run
    velero: Velero
    reader: Reader
    aside: Aside
    lease: Lease
    truths: Truths
    trials: Sequence[Trial] = ()
    spans: list[rto.Span] = field(default_factory=list)
    _identified: bool = False
    _archive: Archive | None = None

    def find(self, record: Record) -> Found:
        """Raises StopDrillError, ClusterError, StoreError, TarballError, GunzipError."""
        began = self.clock.monotonic()
        seen = cluster_uid(self.velero.client)
        refusal = safety.cluster(self.payload.cluster.uid, seen, self.velero.client.server)
        if refusal is not None:
            raise stopped(record, "cluster", "identity", refusal.sentence, refusal.reason)
        record.checks.append(Check("cluster", "identity", "that of the site", "that of the site"))
        self._identified = True
        self._check_location(record)
        point, backup = self._choose(record)
        now = self.clock.now()
        age = points.age_seconds(point, now)
        record.point = RestorePoint(point.name, point.started, age)
        record.rpo_seconds = points.rpo_seconds(point, now)
        try:
            archive = self._archive = Archive(self.reader, point.name)
        finally:
            self.spans.append(("fetch", began, self.clock.monotonic()))
        overview = archive.look(self.payload.namespaces)
        origin = safety.origin(backup, self.payload.site, seen, archived=overview.cluster_uid)
        if origin.refusal is not None:
            why = origin.refusal
            raise stopped(record, "backup", "origin", why.sentence, why.reason)
        if not origin.known:
            record.not_compared.append(
                NotCompared("the backup's cluster", 1, "nothing in the backup says whose it is")
            )
        return Found(point, backup, archive, overview)

    def _check_location(self, record: Record) -> None:
        called = self.payload.velero.location
        found = self.velero.client.get(self.velero.path("backupstoragelocations", called))
        check = location.check(found, called)
        record.checks.append(check)
        if not check.ok:
            raise StopDrillError(f"location {called} is {check.observed}")

    def _choose(self, record: Record) -> tuple[points.Point, Object]:
        backups = self.velero.client.list(self.velero.collection("backups"))
        deleting = [
            str((one.get("spec") or {}).get("backupName"))
            for one in self.velero.client.list(self.velero.collection("deletebackuprequests"))
        ]
        now, limits = self.clock.now(), self.payload.limits
        shelf = points.read(
            backups, now, deleting=deleting, needed=self.run.until - self.run.made,
            schedules=self.payload.schedules or None, location=self.payload.velero.location,
        )  # fmt: skip
        try:
            point = point_choice.choose(shelf, self.payload.choice(), now, self.trials)
        except point_choice.NoPointError as error:
            raise stopped(record, "velero", "restore point", str(error), error.reason) from None
        newest = points.age_seconds(shelf.usable[-1], now)
        record.checks.append(
            Check(
                "velero", "age of the newest restore point", f"at most {limits.rpo_seconds:g} s",
                f"{newest:.0f} s ({shelf.usable[-1].name})",
                Reason.OVER_RPO if newest > limits.rpo_seconds else None,
            )
        )  # fmt: skip
        return point, next(one for one in backups if name(one) == point.name)

    def prepare(self, record: Record, plan: Plan, *, readers: int = 0) -> None:
        """Makes the sandboxes, once no other run of the layer lives and nothing of a dead one is in
        the way; neither is part of the time to usable.

        Raises StopDrillError, ClusterError.
        """
        try:
            self.lease.take(self.aside.others)
            self.aside.make_room(self.payload.limits.restore_seconds)
            before = self.clock.now()
            self._make(plan, readers)
        except RefusedError as error:
            raise alone.refused(record, "sandbox", error) from None
        alone.check(self.lease, record, len(record.checks))
        record.not_compared += [
            NotCompared(f"{one.what} (restored copy)", one.count, one.why)
            for one in plan.not_restored
        ]
        self._check_clock(record, plan, before, self.clock.now())
        self._tell_of_network(record, len(plan.mapping))

    def _make(self, plan: Plan, readers: int) -> None:
        began = self.clock.monotonic()
        try:
            self.aside.prepare(plan, readers=readers)
        finally:
            self.spans.append(("objects", began, self.clock.monotonic()))
        self.lease.rests_on(self.aside.mark(plan))

    def alone(self, phase: Callable[[Record], str]) -> Callable[[Record], str]:
        """A phase that ends the drill if another run took this one for dead: what it saw may then
        be that run's doing, and is no finding."""

        return lambda record: alone.going(self.lease, record, lambda: phase(record))

    def _check_clock(
        self, record: Record, plan: Plan, before: datetime.datetime, after: datetime.datetime
    ) -> None:
        """This machine's clock against the cluster's: by it every age is told, and the RPO.

        The sandboxes were made after `before`.
        """
        for sandbox in sorted(plan.mapping.values())[:1]:
            found = self.velero.client.get(f"/api/v1/namespaces/{sandbox}")
            made = moment((found.get("metadata") or {}).get("creationTimestamp"))
            if made is None:
                continue
            apart = max(before - made, made - after, datetime.timedelta())
            limit = points.AHEAD_TOLERANCE
            record.checks.append(
                Check("cluster", "clock", f"at most {limit.total_seconds():.0f} s apart",
                      f"{apart.total_seconds():.0f} s apart",
                      Reason.CLOCK_SKEW if apart > limit else None)
            )  # fmt: skip

    def _tell_of_network(self, record: Record, sandboxes: int) -> None:
        client = self.velero.client
        nodes = client.list("/api/v1/nodes")
        versions = [str((status(one).get("nodeInfo") or {}).get("kubeletVersion")) for one in nodes]
        if fence.enforcer(client.list("/apis/apps/v1/daemonsets"), versions) is None:
            why = "no network plugin that is known to enforce NetworkPolicies runs in this cluster"
            record.not_compared.append(NotCompared("closed networks of sandboxes", sandboxes, why))

    def restore(
        self, record: Record, plan: Plan, begun: Callable[[], None] | None = None
    ) -> RestoreResult:
        """Velero's restore and what it says of it. `begun` is called when Velero has the order.

        The caller notes the time. Raises StopDrillError, ClusterError, StoreError.
        """
        result = self.aside.restore(plan, self.payload.limits.restore_seconds, begun)
        words.take(record, result, plan.expected_warnings, self.reader)
        if result.outcome not in (Outcome.COMPLETED, Outcome.PARTIALLY_FAILED):
            raise StopDrillError(f"the restore ended as {result.outcome}")
        return result

    def check_time(self, record: Record) -> None:
        """The time to usable, from the spans, against its limit."""
        limit, measured = self.payload.limits.rto_seconds, rto.measured(self.spans)
        record.rto.update(measured.seconds)
        over = measured.over(limit)
        record.checks.append(
            Check("velero", "time to usable", f"at most {limit:g} s",
                  over or f"{measured.total:.1f} s", Reason.OVER_RTO if over else None)
        )  # fmt: skip

    def clean_up(self, record: Record) -> str:
        """Takes everything away that bears this run's mark or a dead one's. Raises ClusterError."""
        if self._archive is not None:
            self._archive.close()
        if not self._identified:
            # Marks of the same site may stand in another cluster; they are not for this run.
            return "nothing was made, and nothing is swept in a cluster that is not known"
        try:
            told, left = self.aside.take_away()
        except BaseException:
            with suppress(ClusterError):
                self.lease.release(clean=False)
            raise
        # Where a dead run's marks stay, a Lease without a holder tells that nobody owns them.
        self.lease.release(clean=not left)
        for one in left:
            line = f"{one.kind} {one.namespace + '/' if one.namespace else ''}{one.name}: {one.why}"
            record.left.append(line)
            if one.debris:
                record.checks.append(
                    Check("cluster", "clean up", "nothing left", line, Reason.DEBRIS_LEFT)
                )
        return told


def opened(
    payload: AnyPayload, clock: Clock, progress: Progress, directory: Path
) -> Course[AnyPayload]:
    """A course of a fresh run, with its edges open. `directory`: earlier receipts."""
    cluster, namespace = payload.cluster.parsed(), payload.velero.namespace
    velero = open_velero(cluster, namespace)
    now = clock.now()
    run = Run(
        site=payload.site,
        layer=payload.layer,
        run_id=secrets.token_hex(6),
        made=now,
        until=now + datetime.timedelta(seconds=payload.limits.drill_seconds),
    )
    reader = Reader(payload.store(), payload.client(READER).credential(), payload.velero)
    aside = Aside(velero, run, clock, progress)
    beats = open_velero(cluster, namespace, patience=0.0)
    by = f"process {os.getpid()} on {socket.gethostname()}"
    lease = Lease(velero, beats, run, clock, progress, by)
    trials = listing.trials(directory, payload.layer)
    recorded = truths.of_site(payload, directory)
    return Course(payload, clock, run, velero, reader, aside, lease, recorded, trials)


def open_velero(
    kubeconfig: Kubeconfig, namespace: str, *, patience: float = PATIENCE_SECONDS
) -> Velero:
    """Velero in a cluster. `patience`: seconds for an API server that restarts.

    Raises ClusterError.
    """
    # First what tells a certificate that has ended from one that cannot be loaded.
    client = connect(kubeconfig, patience=patience)
    return Velero(client, open_writer(kubeconfig, patience=patience), namespace, KubeClock())
