"""The drill of layer `kube-objects`.

find      the cluster's identity, the restore point, the archive out of the store, its age
witness   the backup against the live cluster, and against the lists that were recorded around it
          where there are any: is everything in it, is it as it is or was there
prepare   sandboxes with a closed network, and the rules that hold workloads at zero
restore   Velero's restore into the sandboxes, timed against the RTO, and what Velero says of it
compare   the restored copy against the backup, field by field
clean up  what this run made, and what dead runs left
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from drills.aside import is_own
from drills.backup.course import Course
from drills.backup.drill import BackupDrill
from drills.backup.stops import reading, stopped
from drills.frame import NotCompared, Phase, Record
from drills.kube_objects import changes, findings, recorded_truth
from drills.kube_objects.payload import KubeObjectsPayload
from drills.objects.against_copy import CopyComparison, CopyIndex
from drills.objects.against_live import LiveComparison
from drills.objects.against_truth import TruthComparison
from drills.objects.keys import ObjectKey, key_of
from drills.objects.normal_form import Restoration
from drills.objects.scope import LISTED_VERBS, Membership
from drills.objects.truth import Truth, new_salt
from drills.sandbox.plan import Plan, plan
from drills.sandbox.wish import PlanError, Wish
from drills.velero_filters import scope_of
from drills.verdict import Check, Reason
from kube.discovery import Resource, Served, discover
from kube.objects import NO_CONTENT, Listing, Stage, in_namespaces, of_cluster
from kube.velero.api import name

Pairs = Iterator[tuple[ObjectKey, dict[str, Any]]]


@dataclass(frozen=True)
class Lens:
    """What the drill sees of both sides; a control puts one before it that lies.

    `saved`: the archive's objects. `copies`: the restored ones, and the index they are held
    against. `truth`: what was recorded around the backup.
    """

    saved: Callable[[Pairs], Pairs] = lambda pairs: pairs
    copies: Callable[[Pairs, CopyIndex], Pairs] = lambda pairs, _index: pairs
    truth: Callable[[Truth], Truth] = lambda truth: truth


class KubeObjectsDrill(BackupDrill[KubeObjectsPayload]):
    """One run. `restores`: without, the backup is only compared with the cluster, and nothing is
    made there. `truth`: what was recorded around the restore point, None if nothing usable was."""

    layer = "kube-objects"
    truth: Truth | None = None

    def __init__(
        self,
        course: Course[KubeObjectsPayload],
        lens: Lens | None = None,
        *,
        restores: bool = True,
    ) -> None:
        super().__init__(course, restores=restores)
        self._lens = lens or Lens()

    @property
    def restored_namespaces(self) -> list[str]:
        """Those that came back aside, as their sources are called."""
        return sorted(self._plan.mapping)

    def _looking(self) -> Sequence[Phase]:
        return (Phase("find", reading(self._find)), Phase("witness", reading(self._witness)))

    def _working(self) -> Sequence[Phase]:
        return (
            Phase("prepare", reading(self._prepare)),
            Phase("restore", self.course.alone(self._restore)),
            Phase("compare", self.course.alone(reading(self._compare))),
        )

    def versions(self) -> dict[str, str]:
        return {"drill": "kube-objects/2"}

    _served: Served
    _plan: Plan

    def _find(self, record: Record) -> str:
        found = self._found = self.course.find(record)
        age = record.point.age_seconds if record.point else 0.0
        return f"backup {found.point.name}, {age / 3600:.1f} h old, {found.archive.size} bytes"

    def _objects(self, only: Collection[ObjectKey] | None = None) -> Pairs:
        yield from self._lens.saved(iter(self._found.archive.objects(only)))

    def _witness(self, record: Record) -> str:
        client = self.course.velero.client
        namespaces = client.list("/api/v1/namespaces")
        self._served = discover(client)
        membership = Membership(scope_of(self._found.backup.get("spec") or {}), namespaces)
        comparison = LiveComparison(membership, self._found.point.started, new_salt())
        recorded = self._against_truth(record)
        for key, content in self._objects():
            comparison.saved(key, content)
            if recorded is not None:
                recorded.take(key, content)
        for key, content in self._live(record, [name(one) for one in namespaces]):
            comparison.live(key, content)
        found = comparison.result()
        findings.take(record, found)
        for silent in self._served.unavailable:
            record.checks.append(
                Check("cluster", f"API {silent}", "answers", "does not answer",
                      Reason.CLUSTER_UNREACHABLE)
            )  # fmt: skip
        told = f"{found.count} objects as in the cluster, {len(found.findings)} findings"
        if recorded is None:
            return f"{told}; nothing was recorded around the backup"
        kept = recorded.result()
        findings.take(record, kept)
        return f"{told}; {kept.count} as recorded, {len(kept.findings)} findings"

    def _against_truth(self, record: Record) -> TruthComparison | None:
        uid = self.course.payload.cluster.uid
        truth = recorded_truth.usable(record, self.course.truths, self._found.point, uid)
        if truth is None:
            return None
        self.truth = truth
        return TruthComparison(self._lens.truth(truth))

    def _live(self, record: Record, namespaces: Sequence[str]) -> Pairs:
        """Every live object of kinds that a backup can hold, each once."""
        client = self.course.velero.client
        wanted = [one for one in self._served.resources if one.verbs >= LISTED_VERBS]
        tell = _SkippedKinds(record)
        return _once(
            chain(
                in_namespaces(client, wanted, namespaces, tell=tell),
                of_cluster(client, wanted, tell=tell),
            )
        )

    def _prepare(self, record: Record) -> str:
        payload = self.course.payload
        wish = Wish(
            objects=True, volumes=False, seconds=payload.limits.restore_seconds,
            namespaces=payload.namespaces, custom=payload.custom,
        )  # fmt: skip
        try:
            made = self._plan = plan(
                self.course.run, self._found.point.name, self._found.overview.contents, wish,
                classes={}, velero_namespace=payload.velero.namespace,
            )  # fmt: skip
        except PlanError as error:
            raise stopped(record, "backup", "plan", str(error), error.reason) from None
        self.course.prepare(record, made)
        return f"{len(made.mapping)} namespaces aside"

    def _restore(self, record: Record) -> str:
        began = self.clock.monotonic()
        try:
            result = self.course.restore(record, self._plan)
        finally:
            self.course.spans.append(("objects", began, self.clock.monotonic()))
            self.course.check_time(record)
        return f"{result.items} items in {result.seconds:.1f} s"

    def _compare(self, record: Record) -> str:
        made = self._plan
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
        for key, content in self._lens.copies(copies, index):
            comparison.take(key, content)
        found = comparison.result(lambda keys: self._objects(only=keys))
        findings.take(record, found)
        return f"{found.count} objects compared, {len(found.findings)} findings"

    def _copies(self, record: Record, sandboxes: Sequence[str]) -> Pairs:
        """Every object in the sandboxes but the drill's own, each once."""
        resources, tell = list(self._served.resources), _SkippedKinds(record)
        client, run = self.course.velero.client, self.course.run
        found = _once(in_namespaces(client, resources, sandboxes, tell=tell))
        return (pair for pair in found if not is_own(pair[1], run))


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
