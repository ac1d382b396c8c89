"""The drill of layer `longhorn`: read from the store, and some of it brought back by Longhorn too.

find      the cluster's identity, and the volumes, jobs and backup targets it has
          (each of the following goes through every target that is read)
records   every record of every volume, and that each block it lists is in the store
coverage  every volume of the cluster: in a recurring job, and in a backup that is young enough
blocks    those that are due today, or all: read, decompressed, held against their checksums
rebuild   the newest backup as an image, its file system, the canary's files against their truth
restore   where the cluster has a Longhorn: some of these volumes by Longhorn itself, aside
read      their files, by pods of the drill
compare   each with its image, the canary's with their truth as well
time      the time to usable, by phase, against the RTO
clean up  the images, and what was made in the cluster
"""

import datetime
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from drills.backup.stops import stopped
from drills.backupstore.catalog import BackupStore
from drills.backupstore.objects import Objects
from drills.backupstore.parallel import StoppedError
from drills.canary.testimony import Testimony
from drills.frame import Clock, NotCompared, Phase, Record, RestorePoint, StopDrillError
from drills.images.check import Run
from drills.longhorn import chosen, content, coverage, expected, shares, stock
from drills.longhorn.coverage import Coverage, Point, Terms
from drills.longhorn.expected import Live
from drills.longhorn.history import History
from drills.longhorn.lineage import Lineage
from drills.longhorn.lines import grouped
from drills.longhorn.live.part import BY_LONGHORN, PATH, Part
from drills.longhorn.live.restores import Opened
from drills.longhorn.live.times import time_check
from drills.longhorn.live.trees import Trees
from drills.longhorn.payload import LonghornPayload
from drills.longhorn.rebuilds import Rebuilds
from drills.longhorn.records import Reader
from drills.longhorn.restore import PHASES, Restorer, Spans
from drills.longhorn.shares import Share
from drills.longhorn.sources import (
    Source,
    all_points,
    bound,
    points_of,
    strangers,
    suffix_of,
)
from drills.sandbox import safety
from drills.scratch import Scratch, sweep
from drills.verdict import Check, Reason
from kube.client import Client
from kube.facts import cluster_uid

_GIVE_ONE = (
    "give it a canary on a storage class of Longhorn, or set drills.longhorn.enabled to false "
    "until there are volumes"
)


def _same(found: Objects) -> Objects:
    return found


@dataclass(frozen=True)
class Lens:
    """What the drill sees; a control puts one before it that lies.

    `day`: the day it is said to be, for the share of blocks. Without `reads` no block is read,
    without `restores` no image is rebuilt, without `aside` Longhorn restores nothing. `further`:
    what is seen of a further target, by its name.
    """

    objects: Callable[[Objects], Objects] = _same
    live: Callable[[Live], Live] = lambda live: live
    testimony: Callable[[Testimony], Testimony] = lambda testimony: testimony
    day: datetime.date | None = None
    reads: bool = True
    restores: bool = True
    aside: bool = True
    further: Callable[[str, Objects], Objects] = lambda _name, objects: objects


@dataclass(frozen=True)
class Edges:
    """`connect`: the cluster, None where it is gone; it raises ClusterError. `testimony`: None
    without a canary. `run`: the tools that check file systems. `history`: what earlier drills have
    read. `stop`: is set when the drill's time is over. `trees`: a place for what was read of images
    and copies, which outlives the images. `aside`: opens what Longhorn's restores need, None where
    it takes no part; it raises ClusterError. `further`: the stores of further targets, by name.
    """

    objects: Objects
    connect: Callable[[], Client] | None
    testimony: Testimony | None
    scratch: Scratch
    run: Run
    history: History = field(default_factory=History)
    stop: threading.Event = field(default_factory=threading.Event)
    trees: Scratch = field(default_factory=Scratch)
    aside: Callable[[], Opened] | None = None
    further: Mapping[str, Objects] = field(default_factory=dict)


class LonghornDrill:
    """One run. What a phase found is there for whoever chooses a control: `live`, `sources` (the
    targets that are read, `home` is the first), `coverage`, `part` (Longhorn's own)."""

    layer = "longhorn"

    def __init__(
        self,
        payload: LonghornPayload,
        clock: Clock,
        run_id: str,
        edges: Edges,
        lens: Lens | None = None,
    ) -> None:
        self.payload = payload
        self.clock = clock
        self.run_id = run_id
        self.edges = edges
        self.live: Live | None = None
        self.coverage: Coverage | None = None
        self._lens = lens or Lens()
        self.sources = self._sources()
        self._spans = Spans(clock)
        self._began = clock.monotonic()
        self.part = Part(
            payload, clock, edges.aside if self._lens.aside else None,
            Trees(edges.trees, edges.stop), edges.stop,
            {one.name: one for one in self.sources}, edges.testimony, edges.history,
            self._left_seconds,
        )  # fmt: skip
        self._timer = threading.Timer(payload.limits.drill_seconds, edges.stop.set)

    @property
    def home(self) -> Source:
        return self.sources[0]

    def _sources(self) -> Sequence[Source]:
        edges, places = self.edges, self.payload.places()
        (first, place), *others = places.items()
        found = [Source(first, place, BackupStore(self._lens.objects(edges.objects)))]
        for name, at in others:
            store = BackupStore(self._lens.further(name, edges.further[name]))
            found.append(Source(name, at, store, suffix_of(name)))
        return found

    def phases(self) -> Sequence[Phase]:
        looking = [
            Phase("find", self._in_time(self._find)),
            Phase("records", self._in_time(self._records)),
            Phase("coverage", self._cover),
        ]
        if self._lens.reads:
            looking.append(Phase("blocks", self._in_time(self._blocks)))
        if self._lens.restores:
            looking.append(Phase("rebuild", self._in_time(self._rebuild)))
            if not self.part.why_not():
                looking += [
                    Phase("restore", self._in_time(self.part.restore)),
                    Phase("read", self._in_time(self.part.read)),
                    Phase("compare", self.part.compare),
                ]
            looking.append(Phase("time", self._time))
        return looking

    def closing(self) -> Sequence[Phase]:
        return (Phase("clean up", self._clean_up),)

    def versions(self) -> Mapping[str, str]:
        return {"drill": "longhorn/1", "path": self.part.path()}

    def forget(self) -> None:
        """Removes what was read, which a control may still have wanted."""
        self.part.trees.forget()

    @cached_property
    def share(self) -> Share:
        """What of the blocks is read."""
        payload, last = self.payload, self.edges.history.last
        today = self._lens.day or self.clock.now().astimezone(datetime.UTC).date()
        if payload.depth == "full":
            return shares.full(today)
        return shares.quick(today, payload.days, payload.every, None if self._lens.day else last)

    def _in_time(self, run: Callable[[Record], str]) -> Callable[[Record], str]:
        """The phase, which ends when the drill's time is over."""

        def guarded(record: Record) -> str:
            try:
                return run(record)
            except StoppedError:
                limit = f"not through after {self.payload.limits.drill_seconds} s (drillSeconds)"
                raise stopped(record, "drill", "its end", limit, Reason.RESTORE_TIMEOUT) from None

        return guarded

    def _find(self, record: Record) -> str:
        self._began = self.clock.monotonic()
        self._timer.daemon = True
        self._timer.start()
        swept = sweep(self.edges.scratch.above)
        payload = self.payload
        if self.edges.connect is None or payload.cluster is None:
            why = "no cluster is given, so nobody knows what should be in the store"
            record.not_compared.append(NotCompared("the volumes of the cluster", 1, why))
            record.not_compared += coverage.unread(None, self._terms(self.clock.now()))
            return "no cluster"
        client = self.edges.connect()
        seen = cluster_uid(client)
        refusal = safety.cluster(payload.cluster.uid, seen, client.server)
        if refusal is not None:
            raise stopped(record, "cluster", "identity", refusal.sentence, refusal.reason)
        record.checks.append(Check("cluster", "identity", "that of the site", "that of the site"))
        live = self.live = self._lens.live(expected.look(client, payload.namespace))
        record.not_compared += coverage.unread(live, self._terms(self.clock.now()))
        debris = f", {swept} folders of dead runs removed" if swept else ""
        return f"{len(live.subjects)} volumes, {len(live.jobs)} recurring jobs{debris}"

    def _records(self, record: Record) -> str:
        payload, edges = self.payload, self.edges
        now = self.clock.now()
        for one in self.sources:
            with one.telling(record) as own:
                reader = Reader(one.store, self.share, now, payload.workers, edges.stop)
                one.stock = stock.take(reader)
                stock.tell(one.stock, own, now)
                own.not_compared += stock.surroundings(one.store)
        self._look_for_empty_ones(record, now)
        backups = sum(one.stock.backups for one in self.sources)
        volumes = sum(len(one.stock.points) for one in self.sources)
        several = f" in {len(self.sources)} targets" if len(self.sources) > 1 else ""
        return f"{backups} backups of {volumes} volumes{several}"

    def _look_for_empty_ones(self, record: Record, now: datetime.datetime) -> None:
        """Raises StopDrillError where no target has a backup."""
        empty = [one for one in self.sources if one.is_empty]
        if len(empty) == len(self.sources):
            raise self._all_empty(record, now)
        for one in empty:
            seen = _none_below([one])
            if self.live is not None:
                # Volumes that should have one there are told by coverage.
                record.not_compared.append(NotCompared(f"backups in target {one.name}", 1, seen))
                continue
            with one.telling(record) as own:
                # Nobody is there to say that this is as it should be.
                reason = Reason.RESTORE_POINT_MISSING
                own.checks.append(Check("store", "backups", "one at least", seen, reason))

    def _all_empty(self, record: Record, now: datetime.datetime) -> StopDrillError:
        if self.live is not None and self.live.installed:
            # Longhorn may know better where its backups are.
            known = coverage.target_checks(self.live, self._terms(now))
            record.checks += [one for one in known if not one.ok]
        seen = _none_below(self.sources)
        reason = Reason.RESTORE_POINT_MISSING
        if self.live is not None and self.live.is_empty:
            seen += f", and the cluster has no volume to save; {_GIVE_ONE}"
            reason = Reason.NOTHING_TO_CHECK
        return stopped(record, "store", "backups", seen, reason)

    def _terms(self, now: datetime.datetime) -> Terms:
        payload = self.payload
        unread = {one.name: one.why for one in payload.unread}
        return Terms(payload.places(), payload.limits, payload.exceptions, now, unread)

    def _cover(self, record: Record) -> str:
        """The live cluster against what was found, and the restore point of the receipt."""
        now = self.clock.now()
        points = {one.name: one.stock.points for one in self.sources}
        newest = all_points(self.sources)
        if self.live is not None:
            found = self.coverage = coverage.survey(self.live, points, self._terms(now))
            record.checks += found.checks
            record.compared += found.compared
            record.not_compared += found.not_compared
            targets = bound(self.live)
            newest = points_of(self.sources, targets, found.points) or newest
            for one in self.sources:
                with one.telling(record) as own:
                    own.not_compared += strangers(one, targets)
        self._take_point(record, newest, now)
        return self.coverage.told() if self.coverage else "not against a cluster"

    def _take_point(
        self, record: Record, points: Mapping[str, Point], now: datetime.datetime
    ) -> None:
        """The stalest of the newest backups: nothing that is lost would be younger."""
        if points:
            volume, point = min(points.items(), key=lambda one: (one[1].taken, one[0]))
            age = max(0.0, (now - point.taken).total_seconds())
            record.point = RestorePoint(f"{volume}/{point.name}", point.taken, age)
            record.rpo_seconds = age

    def _blocks(self, record: Record) -> str:
        payload, stop = self.payload, self.edges.stop
        told = []
        for one in self.sources:
            with one.telling(record) as own:
                found = content.read(one.store, one.stock.lineages, payload.workers, stop)
                found.tell(own, self.share)
            blocks = f"{found.checked} of {found.listed} blocks, {found.told_bytes}"
            told.append(f"{blocks}{one.suffix}")
        return "; ".join(told)

    def _rebuild(self, record: Record) -> str:
        why = self.part.why_not()
        if why and self.payload.path == "auto":
            record.not_compared.append(NotCompared(BY_LONGHORN, 1, why))
        lineages = {one.name: one.stock.lineages for one in self.sources}
        canaries, without = chosen.canaries(self.payload.canary, self.live, lineages)
        no_claim = "no volume of Longhorn is behind its claim"
        named = (("/".join(one), no_claim) for one in without)
        record.not_compared += grouped("canary volume", named)
        beats: list[datetime.datetime] = []
        for one in self.sources:
            with one.telling(record) as own:
                beats += self._rebuild_of(one, own, canaries.get(one.name, {}), by_longhorn=not why)
        if beats:
            record.rpo_seconds = max(0.0, (self.clock.now() - min(beats)).total_seconds())
        made = [one.rebuilt for one in self.sources if one.rebuilt is not None]
        witnessed = sum(len(one.witnessed) for one in made)
        return f"{sum(len(one.volumes) for one in made)} images, {witnessed} of the canary"

    def _rebuild_of(
        self, one: Source, record: Record, canaries: Mapping[str, str], *, by_longhorn: bool
    ) -> list[datetime.datetime]:
        """The images of one target; the canary's heartbeats."""
        edges, payload = self.edges, self.payload
        testimony = edges.testimony and self._lens.testimony(edges.testimony)
        restorer = Restorer(
            one.store, edges.scratch, edges.run, self._spans, edges.stop, payload.workers,
            payload.rebuild_limit, testimony, self.part.trees,
        )  # fmt: skip

        def aside(fit: Sequence[Lineage], canaries: Mapping[str, str]) -> frozenset[str]:
            return self.part.choose(record, self.live, one, fit, canaries)

        living = None
        if self.live is not None:
            living = {volume for volume, at in bound(self.live).items() if at == one.name}
        one.rebuilt = Rebuilds(payload, restorer, self.clock, aside if by_longhorn else None)
        history = edges.history.of(one.suffix)
        return one.rebuilt.run(record, one.stock.lineages, living, canaries, history)

    def _left_seconds(self) -> float:
        spent = self.clock.monotonic() - self._began
        return max(0.0, self.payload.limits.drill_seconds - spent)

    def _time(self, record: Record) -> str:
        spent = self._spans.seconds
        alone = {phase: round(spent[phase], 3) for phase in PHASES if phase in spent}
        by_longhorn = self.part.seconds
        record.rto.update({**alone, **by_longhorn})
        record.checks.append(time_check(alone, by_longhorn, self.payload.limits.rto_seconds))
        made = sum(len(one.rebuilt.volumes) for one in self.sources if one.rebuilt is not None)
        left = made - self.part.count
        if left or not self.part.count:
            why = "Longhorn did not restore them in this run" if self.part.count else PATH
            mounted = "attaching and mounting by Longhorn"
            record.not_compared.append(NotCompared(mounted, left, why))
        return ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in record.rto.items())

    def _clean_up(self, record: Record) -> str:
        self._timer.cancel()
        self.edges.scratch.remove()
        return f"no image is left{self.part.clean_up(record)}"


def _none_below(sources: Iterable[Source]) -> str:
    places = ", ".join(one.place.url for one in sources)
    return f"no finished backup of any volume is below {places}"
