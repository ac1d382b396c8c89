"""The drill of layer `kube-objects`.

find      the cluster's identity, the restore point, the archive out of the store, its age
witness   the backup against the live cluster: is everything in it, is it as it is there
prepare   sandboxes with a closed network, and the rules that hold workloads at zero
restore   Velero's restore into the sandboxes, timed against the RTO, and what Velero says of it
compare   the restored copy against the backup, field by field
clean up  what this run made, and what dead runs left
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from drills import points, rto
from drills.aside import Aside, RefusedError, is_own
from drills.frame import Clock, NotCompared, Phase, Record, RestorePoint, StopDrillError
from drills.kube_objects import changes, findings
from drills.kube_objects.archive import Archive, Overview, Reader
from drills.kube_objects.payload import KubeObjectsPayload
from drills.objects import results
from drills.objects.against_copy import CopyComparison, CopyIndex
from drills.objects.against_live import LiveComparison
from drills.objects.canonical import NotJSONError
from drills.objects.gunzip import GunzipError
from drills.objects.keys import ObjectKey, key_of
from drills.objects.normal_form import Restoration
from drills.objects.scope import LISTED_VERBS, Membership, scope_of
from drills.objects.tar_stream import TarballError
from drills.objects.truth import new_salt
from drills.rotation import Trial
from drills.sandbox import safety
from drills.sandbox.marks import Run
from drills.sandbox.plan import Plan, plan
from drills.sandbox.wish import PlanError, Wish
from drills.verdict import Check, Reason
from kube.discovery import Resource, Served, discover
from kube.facts import cluster_uid
from kube.objects import NO_CONTENT, Listing, Stage, in_namespaces, of_cluster
from kube.velero.api import Object, Velero, name, phase, status
from kube.velero.restores import Outcome, RestoreResult

_LAYER = "kube-objects"


Pairs = Iterator[tuple[ObjectKey, dict[str, Any]]]


@dataclass(frozen=True)
class Lens:
    """What the drill sees of both sides; a control puts one before it that lies.

    `saved`: the archive's objects. `copies`: the restored ones, and the index they are held
    against.
    """

    saved: Callable[[Pairs], Pairs] = lambda pairs: pairs
    copies: Callable[[Pairs, CopyIndex], Pairs] = lambda pairs, _index: pairs


@dataclass
class KubeObjectsDrill:
    """One run. `trials`: earlier drills of this site's restore points, for the rotation.

    `velero` and `reader` are the edges, passed in so that a test or a control can replace them.
    `restores`: without, the backup is only compared with the cluster, and nothing is made there.
    """

    payload: KubeObjectsPayload
    clock: Clock
    run: Run
    velero: Velero
    reader: Reader
    aside: Aside
    trials: Sequence[Trial] = ()
    lens: Lens = Lens()
    restores: bool = True
    _identified: bool = False
    _point: points.Point | None = None
    _backup: Object = field(default_factory=dict)
    _archive: Archive | None = None
    _overview: Overview | None = None
    _plan: Plan | None = None
    _served: Served | None = None
    _spans: list[rto.Span] = field(default_factory=list)
    _restored: RestoreResult | None = None

    @property
    def layer(self) -> str:
        return _LAYER

    @property
    def run_id(self) -> str:
        return self.run.run_id

    def phases(self) -> Sequence[Phase]:
        looking = (
            Phase("find", _reading(self._find)),
            Phase("witness", _reading(self._witness)),
        )
        if not self.restores:
            return looking
        return (
            *looking,
            Phase("prepare", _reading(self._prepare)),
            Phase("restore", self._restore),
            Phase("compare", _reading(self._compare)),
        )

    def closing(self) -> Sequence[Phase]:
        return (Phase("clean up", self._clean_up),)

    def versions(self) -> Mapping[str, str]:
        return {"drill": "kube-objects/1"}

    def _find(self, record: Record) -> str:
        began = self.clock.monotonic()
        seen = cluster_uid(self.velero.client)
        refusal = safety.cluster(self.payload.cluster.uid, seen, self.velero.client.server)
        if refusal is not None:
            raise _stopped(record, "cluster", "identity", refusal.sentence, refusal.reason)
        record.checks.append(Check("cluster", "identity", "that of the site", "that of the site"))
        self._identified = True
        self._check_location(record)
        point = self._point = self._choose(record)
        now = self.clock.now()
        age = points.age_seconds(point, now)
        record.point = RestorePoint(point.name, point.started, age)
        record.rpo_seconds = points.rpo_seconds(point, now)
        try:
            self._archive = Archive(self.reader, point.name)
        finally:
            self._spans.append(("fetch", began, self.clock.monotonic()))
        overview = self._overview = self._archive.look(self.payload.namespaces)
        origin = safety.origin(self._backup, self.payload.site, seen, archived=overview.cluster_uid)
        if origin.refusal is not None:
            why = origin.refusal
            raise _stopped(record, "backup", "origin", why.sentence, why.reason)
        if not origin.known:
            record.not_compared.append(
                NotCompared("the backup's cluster", 1, "nothing in the backup says whose it is")
            )
        return f"backup {point.name}, {age / 3600:.1f} h old, {self._archive.size} bytes"

    def _check_location(self, record: Record) -> None:
        place = self.payload.velero
        found = self.velero.client.get(self.velero.path("backupstoragelocations", place.location))
        said = str(status(found).get("message") or "no reason given")
        ok = phase(found) == "Available"
        observed = "Available" if ok else f"{phase(found) or 'not checked yet'}: {said}"
        reason = None if ok else Reason.STORE_UNREACHABLE
        record.checks.append(
            Check("velero", f"location {place.location}", "Available", observed, reason)
        )
        if not ok:
            raise StopDrillError(f"location {place.location} is {observed}")

    def _choose(self, record: Record) -> points.Point:
        backups = self.velero.client.list(self.velero.collection("backups"))
        deleting = [
            str((one.get("spec") or {}).get("backupName"))
            for one in self.velero.client.list(self.velero.collection("deletebackuprequests"))
        ]
        of_location = [
            one for one in backups
            if (one.get("spec") or {}).get("storageLocation") == self.payload.velero.location
        ]  # fmt: skip
        now, limits = self.clock.now(), self.payload.limits
        shelf = points.read(
            of_location, now, deleting=deleting, needed=self.run.until - self.run.made,
            schedules=self.payload.schedules or None,
        )  # fmt: skip
        try:
            point = points.choose(shelf, self.payload.choice(), now, self.trials)
        except points.NoPointError as error:
            raise _stopped(record, "velero", "restore point", str(error), error.reason) from None
        newest = points.age_seconds(shelf.usable[-1], now)
        record.checks.append(
            Check(
                "velero", "age of the newest restore point", f"at most {limits.rpo_seconds:g} s",
                f"{newest:.0f} s ({shelf.usable[-1].name})",
                Reason.OVER_RPO if newest > limits.rpo_seconds else None,
            )
        )  # fmt: skip
        self._backup = next(one for one in of_location if name(one) == point.name)
        return point

    def _objects(self, only: Collection[ObjectKey] | None = None) -> Pairs:
        if self._archive is None:
            raise StopDrillError("the archive was not read")
        yield from self.lens.saved(iter(self._archive.objects(only)))

    def _witness(self, record: Record) -> str:
        spec = self._backup.get("spec") or {}
        namespaces = self.velero.client.list("/api/v1/namespaces")
        point = self._point
        if point is None:
            raise StopDrillError("no restore point was chosen")
        self._served = discover(self.velero.client)
        membership = Membership(scope_of(spec), namespaces)
        comparison = LiveComparison(membership, point.started, new_salt())
        for key, content in self._objects():
            comparison.saved(key, content)
        for key, content in self._live(record, [name(one) for one in namespaces]):
            comparison.live(key, content)
        found = comparison.result()
        findings.take(record, found)
        for silent in self._served.unavailable:
            record.checks.append(
                Check("cluster", f"API {silent}", "answers", "does not answer",
                      Reason.CLUSTER_UNREACHABLE)
            )  # fmt: skip
        return f"{found.count} objects as in the cluster, {len(found.findings)} findings"

    def _live(self, record: Record, namespaces: Sequence[str]) -> Pairs:
        """Every live object of kinds that a backup can hold, each once."""
        wanted = [one for one in self._resources() if one.verbs >= LISTED_VERBS]
        tell = _SkippedKinds(record)
        return _once(
            chain(
                in_namespaces(self.velero.client, wanted, namespaces, tell=tell),
                of_cluster(self.velero.client, wanted, tell=tell),
            )
        )

    def _resources(self) -> Iterable[Resource]:
        return () if self._served is None else self._served.resources

    def _prepare(self, record: Record) -> str:
        payload = self.payload
        wish = Wish(
            objects=True, volumes=False, seconds=payload.limits.restore_seconds,
            namespaces=payload.namespaces, custom=payload.custom,
        )  # fmt: skip
        if self._overview is None or self._point is None:
            raise StopDrillError("no archive")
        try:
            made = self._plan = plan(
                self.run, self._point.name, self._overview.contents, wish, classes={},
                velero_namespace=self.velero.namespace,
            )  # fmt: skip
        except PlanError as error:
            raise _stopped(record, "backup", "plan", str(error), error.reason) from None
        began = self.clock.monotonic()
        try:
            self.aside.prepare(made)
        except RefusedError as error:
            why = error.refusal
            raise _stopped(record, "cluster", "sandbox", why.sentence, why.reason) from None
        finally:
            self._spans.append(("objects", began, self.clock.monotonic()))
        record.not_compared += [
            NotCompared(f"{one.what} (restored copy)", one.count, one.why)
            for one in made.not_restored
        ]
        return f"{len(made.mapping)} namespaces aside"

    def _restore(self, record: Record) -> str:
        if self._plan is None:
            raise StopDrillError("no plan")
        began, limits = self.clock.monotonic(), self.payload.limits
        result = self._restored = self.aside.restore(self._plan, limits.restore_seconds)
        self._spans.append(("objects", began, self.clock.monotonic()))
        measured = rto.measured(self._spans)
        record.rto.update(measured.seconds)
        over = measured.over(limits.rto_seconds)
        record.checks.append(
            Check("velero", "time to usable", f"at most {limits.rto_seconds:g} s",
                  over or f"{measured.total:.1f} s", Reason.OVER_RTO if over else None)
        )  # fmt: skip
        late = result.outcome is Outcome.TIMED_OUT
        failed = Reason.RESTORE_TIMEOUT if late else Reason.RESTORE_FAILED
        reason = None if result.faultless else failed
        said = f" ({result.message})" if result.message else ""
        record.checks.append(
            Check(
                "velero", f"restore {result.name}", "completed", f"{result.outcome}{said}", reason
            )
        )
        self._check_results(record)
        if result.outcome not in (Outcome.COMPLETED, Outcome.PARTIALLY_FAILED):
            raise StopDrillError(f"the restore ended as {result.outcome}")
        return f"{result.items} items in {result.seconds:.1f} s"

    def _check_results(self, record: Record) -> None:
        """What Velero says beside its phase; read before the Restore is removed, which takes it."""
        made = self._plan
        if made is None or self._restored is None:
            return
        called = self._restored.name
        file = f"restores/{called}/restore-{called}-results.gz"
        try:
            found = results.read(self.reader.pieces(file))
        except results.ResultsError as error:
            record.checks.append(
                Check("velero", "results", "readable", str(error), Reason.RESTORE_FAILED)
            )
            return
        red = [
            one for one in found.red
            if not any(known.search(one.text) for known in made.expected_warnings)
        ]  # fmt: skip
        for message in red[: findings.MOST_CHECKS]:
            record.checks.append(
                Check("velero", "results", "no word of a loss", str(message), Reason.RESTORE_FAILED)
            )
        if not red:
            record.checks.append(
                Check("velero", "results", "no word of a loss", f"{len(found.messages)} messages")
            )

    def _compare(self, record: Record) -> str:
        made = self._plan
        if made is None:
            raise StopDrillError("no plan")
        restoration = Restoration(
            made.mapping,
            left_out={one.what: one.why for one in made.not_restored if " " not in one.what},
            changes=changes.expected(made.changes),
        )
        index = CopyIndex(restoration, new_salt())
        for key, content in self._objects():
            index.take(key, content)
        comparison = CopyComparison(index)
        copies = self._copies(record, list(made.mapping.values()))
        for key, content in self.lens.copies(copies, index):
            comparison.take(key, content)
        found = comparison.result(lambda keys: self._objects(only=keys))
        findings.take(record, found)
        return f"{found.count} objects compared, {len(found.findings)} findings"

    def _copies(self, record: Record, sandboxes: Sequence[str]) -> Pairs:
        """Every object in the sandboxes but the drill's own, each once."""
        resources, tell = list(self._resources()), _SkippedKinds(record)
        found = _once(in_namespaces(self.velero.client, resources, sandboxes, tell=tell))
        return (pair for pair in found if not is_own(pair[1], self.run))

    def _clean_up(self, record: Record) -> str:
        if self._archive is not None:
            self._archive.close()
        if not self._identified:
            # Marks of the same site may stand in another cluster; they are not for this run.
            return "nothing was made, and nothing is swept in a cluster that is not known"
        told, left = self.aside.take_away()
        for one in left:
            line = f"{one.kind} {one.namespace + '/' if one.namespace else ''}{one.name}: {one.why}"
            record.left.append(line)
            if one.debris:
                record.checks.append(
                    Check("cluster", "clean up", "nothing left", line, Reason.DEBRIS_LEFT)
                )
        return told


def _reading(run: Callable[[Record], str]) -> Callable[[Record], str]:
    """The phase, for which an unreadable archive is a finding and no fault of the drill."""

    def guarded(record: Record) -> str:
        try:
            return run(record)
        except (TarballError, GunzipError, NotJSONError) as error:
            damaged = Reason.RESTORE_POINT_DAMAGED
            raise _stopped(record, "backup", "archive", str(error), damaged) from None

    return guarded


@dataclass
class _SkippedKinds:
    """Hears how listings went, and names those of which nothing came."""

    record: Record

    def __call__(self, listing: Listing) -> None:
        if listing.stage is Stage.SKIPPED and listing.why not in NO_CONTENT.values():
            self.record.not_compared.append(NotCompared(listing.resource.name, 0, listing.why))


def _once(listed: Iterable[tuple[Resource, dict[str, Any]]]) -> Pairs:
    """Objects by their keys; a listing that began anew tells its objects again."""
    seen: set[ObjectKey] = set()
    for resource, content in listed:
        key = _key(resource, content)
        if key not in seen:
            seen.add(key)
            yield key, content


def _key(resource: Resource, content: Mapping[str, Any]) -> ObjectKey:
    metadata = content.get("metadata") or {}
    return key_of(resource.name, str(metadata.get("namespace") or ""), str(metadata.get("name")))


def _stopped(record: Record, who: str, what: str, sentence: str, reason: Reason) -> StopDrillError:
    record.checks.append(Check(who, what, "as it should be", sentence, reason))
    return StopDrillError(sentence)
