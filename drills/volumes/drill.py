"""The drill of layer `volumes`.

find      the cluster's identity, the restore point, its archive and its list of volumes
coverage  every namespace and claim of the live cluster: in a schedule, and in its last backup
prepare   sandboxes with a closed network, and the rules that hold workloads at zero
restore   Velero's restore into the sandboxes, timed, and what Velero says of it
read      every restored volume, by readers of the drill's own, before any workload may write
compare   the canary file by file with its truth, other volumes with what the backup counted
use       restored workloads are started, and the user's own checks run
time      the time to usable, by phase, against the RTO
clean up  what this run made, and what dead runs left
"""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from drills.backup.course import Course
from drills.backup.drill import BackupDrill
from drills.backup.reasons import reason_of_message
from drills.backup.stops import reading, stopped
from drills.canary.freshness import age_check
from drills.canary.testimony import Testimony
from drills.coverage import backup_files, look, report
from drills.coverage.backup_files import BackupFileError
from drills.coverage.live import Live, namespace_of
from drills.coverage.survey import survey
from drills.coverage.volume_info import Method, VolumeRecord
from drills.frame import NotCompared, Phase, Record, StopDrillError
from drills.sandbox.plan import Plan, plan
from drills.sandbox.volumes import NoData, fates, storage_classes
from drills.sandbox.wish import Contents, PlanError, Wish
from drills.usable import run as usable
from drills.usable import start
from drills.usable.edges import Edges as CheckEdges
from drills.usable.objects import CheckerImage
from drills.verdict import Check, Reason
from drills.volumes import judge, timing
from drills.volumes.judge import Judgement, Look, ReadVolume, as_it_is
from drills.volumes.meanwhile import Line
from drills.volumes.payload import VolumesPayload
from drills.volumes.reader_pod import ReaderPod, most_in_one, not_readable, reader_pods
from drills.volumes.readers import Readers
from drills.volumes.reading import Reading
from drills.volumes.recorded_digests import Kept, LookAtLines, RecordedDigests, as_kept, recorded
from drills.volumes.sources import Source, held_sources
from drills.volumes.tree import TreeError
from drills.volumes.unread import Unread, not_filled
from kube.velero.api import name, phase
from kube.velero.volume_faults import essence
from kube.velero.volumes import VolumeRestore, volume_restores

_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
READY_SECONDS = 300.0


@dataclass(frozen=True)
class Lens:
    """What the drill sees; a control puts one before it that lies.

    `live`: the cluster, for the coverage. `records`: what the backup says of its volumes. `tree`: a
    restored volume's files. `checks`: what the user's checks must end with. `digests`: what was
    read of a volume around the backup.
    """

    live: Callable[[Live], Live] = lambda live: live
    records: Callable[[Sequence[VolumeRecord]], Sequence[VolumeRecord]] = lambda records: records
    tree: Look = as_it_is
    checks: usable.Lens = field(default_factory=usable.Lens)
    digests: LookAtLines = as_kept


@dataclass(frozen=True)
class Edges:
    """`testimony`: the canary's truths, None without a canary. `forget`: removes what was read.

    `digests`: where those are that were read around backups.
    """

    readers: Readers
    checks: CheckEdges
    testimony: Testimony | None
    forget: Callable[[], None] = lambda: None
    digests: Kept | None = None


class VolumesDrill(BackupDrill[VolumesPayload]):
    """One run. `restores`: without, nothing is made in the cluster.

    `live`: the cluster as the coverage saw it; `witnessed`: whether a truth of the canary was held
    against a volume; `digested`: files held against their digests. All are for whoever chooses a
    control.
    """

    layer = "volumes"

    def __init__(
        self,
        course: Course[VolumesPayload],
        edges: Edges,
        lens: Lens | None = None,
        *,
        restores: bool = True,
    ) -> None:
        super().__init__(course, restores=restores)
        self.edges = edges
        self.live: Live | None = None
        self.witnessed = False
        self.digested = 0
        self._lens = lens or Lens()
        self._sources: list[Source] = []
        self._volumes: list[ReadVolume] = []
        self._unread: set[str] = set()

    _contents: Contents
    _plan: Plan
    _pods: list[ReaderPod]
    _moved: list[VolumeRestore]
    _digests: RecordedDigests

    @property
    def in_repositories(self) -> list[str]:
        """The namespaces whose data lies in repositories of the store, once it was found."""
        methods = (Method.FILE_SYSTEM, Method.DATA_MOVER)
        return sorted({one.namespace for one in self._contents.records if one.method in methods})

    def _looking(self) -> Sequence[Phase]:
        return (Phase("find", reading(self._find)), Phase("coverage", self._cover))

    def _working(self) -> Sequence[Phase]:
        return (
            Phase("prepare", self._prepare),
            Phase("restore", self.course.alone(self._restore)),
            Phase("read", self.course.alone(self._read)),
            Phase("compare", self._compare),
            Phase("use", self.course.alone(reading(self._use))),
            Phase("time", self._time),
        )

    def closing(self) -> Sequence[Phase]:
        return (Phase("clean up", self._clean_up),)

    def versions(self) -> dict[str, str]:
        return {"drill": "volumes/1"}

    def _find(self, record: Record) -> str:
        found = self._found = self.course.find(record)
        try:
            records = backup_files.volume_records(self.course.reader, found.point.name)
        except BackupFileError as error:
            damaged = Reason.RESTORE_POINT_DAMAGED
            raise stopped(record, "backup", "list of volumes", str(error), damaged) from None
        self._contents = replace(found.overview.contents, records=self._lens.records(records))
        age = record.point.age_seconds if record.point else 0.0
        return f"backup {found.point.name}, {age / 3600:.1f} h old, {len(records)} volumes"

    def _cover(self, record: Record) -> str:
        payload = self.course.payload
        live = look.look(
            self.course.velero,
            self.course.reader,
            self.clock,
            location=payload.velero.location,
            allowed=[one.allowed() for one in payload.exceptions],
            grace=datetime.timedelta(seconds=payload.limits.rpo_seconds),
        )
        seen = self.live = self._lens.live(live)
        return report.take(record, seen, survey(seen))

    def _prepare(self, record: Record) -> str:
        payload, client = self.course.payload, self.course.velero.client
        wish = Wish(
            objects=bool(payload.checks), volumes=True, seconds=payload.limits.restore_seconds,
            namespaces=payload.namespaces, classes=payload.classes, idle=self.edges.readers.idle,
        )  # fmt: skip
        try:
            made = self._plan = plan(
                self.course.run, self._found.point.name, self._contents, wish,
                classes=storage_classes(client.list(_CLASSES)),
                velero_namespace=payload.velero.namespace,
            )  # fmt: skip
        except PlanError as error:
            raise self._unplanned(record, error) from None
        self._take_gaps(record, made)
        if not made.filled and not made.held:
            raise self._unplanned(record, PlanError(Reason.NOTHING_TO_CHECK, "nothing has data"))
        self._pods = reader_pods(made, self._contents)
        record.not_compared += not_readable(self._pods)
        self.course.prepare(record, made, readers=most_in_one(self._pods))
        return f"{len(made.filled)} volumes of {len(made.mapping)} namespaces aside"

    def _unplanned(self, record: Record, error: PlanError) -> StopDrillError:
        """A backup that has claims and no data of any has lost it, whatever its phase says; but for
        what was empty, or somebody excused."""
        held = self._contents
        gaps = [
            one for one in fates(held.records, held.claims, held.pods, held.namespaces).without_data
            if not self._excuse(one)
        ]  # fmt: skip
        if error.reason is Reason.NOTHING_TO_CHECK and gaps:
            seen = f"it holds no data of any of {len(gaps)} claims"
            return stopped(record, "backup", "data of volumes", seen, Reason.VOLUME_LOST)
        return stopped(record, "backup", "plan", str(error), error.reason)

    def _excuse(self, gap: NoData) -> str:
        """Why nobody misses the data; "" if somebody may."""
        for one in self.course.payload.exceptions:
            if one.allowed().covers(gap.namespace, gap.claim):
                return f"excused: {one.why}"
        key = (gap.namespace, gap.claim)
        unbound = any(
            phase(one) == "Pending" and key == (namespace_of(one), name(one))
            for one in self._contents.claims
        )
        return "it had no volume yet when it was saved" if unbound and not gap.tried else ""

    def _take_gaps(self, record: Record, made: Plan) -> None:
        """Claims that come back without data: a loss, unless there is an excuse."""
        for gap in made.without_data:
            excuse = self._excuse(gap)
            if excuse:
                about = f"volume {gap.namespace}/{gap.claim}"
                record.not_compared.append(NotCompared(about, 1, excuse))
            else:
                record.checks.append(_lost(gap))
        record.not_compared += [
            NotCompared(f"volume {'/'.join(key)}", 1, "it was empty when it was saved")
            for key in made.empty
        ]

    def _restore(self, record: Record) -> str:
        readers = self.edges.readers
        began = self.clock.monotonic()
        result = self.course.restore(
            record, self._plan, lambda: readers.start(one for one in self._pods if one.during)
        )
        ended = self.clock.monotonic()
        moved = volume_restores(self.course.velero, result.uid)
        self.course.spans += timing.spans(began, ended, result, moved)
        self._moved = moved
        record.checks += [_failed(one) for one in moved if one.ended and one.phase != "Completed"]
        size = sum(one.bytes_done or 0 for one in moved)
        return f"{result.items} items, {size} bytes moved in {result.seconds:.1f} s"

    def _read(self, record: Record) -> str:
        readers, limits = self.edges.readers, self.course.payload.limits
        readers.start(one for one in self._pods if not one.during)
        own = [one.source(self.course.run) for one in self._pods]
        self._sources = [*held_sources(self._plan), *(one for one in own if one is not None)]
        # A pod whose volume was not filled waits for it, and so would its reader.
        hopeless = [one for one in map(self._unfilled, self._sources) if one is not None]
        self._unread |= {str(one.source) for one in hopeless}
        record.checks += [one.check() for one in hopeless]
        for found in readers.read_all(
            [one for one in self._sources if str(one) not in self._unread],
            ready_seconds=READY_SECONDS,
            read_seconds=float(limits.read_seconds),
        ):
            if isinstance(found, Unread):
                self._unread.add(str(found.source))
                record.checks.append(found.check())
            else:
                self._volumes.append(self._volume(found))
        return f"{len(self._volumes)} of {len(self._sources)} volumes read"

    def _unfilled(self, source: Source) -> Unread | None:
        filled = self._plan.filled.get((source.origin, source.claim))
        if not source.held and (filled is None or filled.method is not Method.DATA_MOVER):
            return None
        return not_filled(source, self._moved)

    def _volume(self, found: Reading) -> ReadVolume:
        source = found.source
        record = next(
            one for one in self._contents.records
            if one.namespace == source.origin and _is_of(one, source)
        )  # fmt: skip
        return ReadVolume(str(source), record, found.tree)

    def _compare(self, record: Record) -> str:
        beats: list[datetime.datetime] = []
        files = size = 0
        self._digests = recorded(record, self.edges.digests, self.point)
        for volume in self._volumes:
            try:
                judged = self._judge(volume)
            except TreeError as error:
                record.checks.append(
                    Check(volume.name, "digest tree", "whole", str(error), Reason.DRILL_FAILED)
                )
                continue
            record.checks += judged.checks
            record.compared += judged.compared
            record.not_compared += judged.not_compared
            files, size = files + judged.files, size + judged.bytes
            self.digested += judged.digested
            beats += [judged.heartbeat] if judged.heartbeat else []
        self._take_missing(record)
        if beats:
            self.witnessed = True
            self._take_age(record, min(beats))
        if not self._sources:
            record.checks.append(
                Check("drill", "volumes", "one to read", "none", Reason.NOTHING_TO_CHECK)
            )
        return f"{len(self._volumes)} volumes, {files} files, {size} bytes compared"

    def _take_missing(self, record: Record) -> None:
        """Volumes of the canary that did not come back at all, or with nothing in them."""
        met = {one.name for one in self._volumes} | self._unread
        for volume in sorted(self._canaries.keys() - met):
            if volume.partition("/")[0] in self._plan.mapping:
                record.checks.append(
                    Check(volume, "volume of the canary", "restored", "not", Reason.VOLUME_LOST)
                )
            else:
                record.not_compared.append(
                    NotCompared(f"canary volume {volume}", 1, "its namespace was not restored")
                )

    def _judge(self, volume: ReadVolume) -> Judgement:
        called, testimony = self._canaries.get(volume.name), self.edges.testimony
        if called is not None and testimony is not None:
            return judge.judge_canary(volume, called, testimony, self._lens.tree)
        return self._digests.judge(volume, self._lens.tree, self._lens.digests)

    def digest_lines(self, place: str) -> Iterator[Line]:
        """What was read of a volume around the backup, from `compare` on; place: namespace/claim.

        Raises DigestsError, StoreError.
        """
        return self._digests.lines(place)

    @property
    def _canaries(self) -> Mapping[str, str]:
        """Namespace and claim of the canary's volumes, and what it calls them."""
        canary = self.course.payload.canary
        return {f"{canary.namespace}/{v.claim}": v.name for v in canary.volumes} if canary else {}

    def _take_age(self, record: Record, heartbeat: datetime.datetime) -> None:
        """The true RPO, by the stalest canary volume."""
        now, point = self.clock.now(), self._found.point
        record.rpo_seconds = max(0.0, (now - heartbeat).total_seconds())
        limit = self.course.payload.limits.rpo_seconds
        record.checks.append(age_check(heartbeat, point.started, now, limit))

    def _use(self, record: Record) -> str:
        payload = self.course.payload
        if not payload.checks:
            record.not_compared.append(
                NotCompared("restored workloads", 0, "no check is configured, so none was started")
            )
            return "no checks are configured"
        wanted = start.relevant(self._found.archive.objects(), payload.checks)
        without = [(one.namespace, one.claim) for one in self._plan.without_data]
        unfilled = [*without, *self._plan.empty]
        made = start.plan(payload.checks, wanted, self._plan.mapping, unfilled=unfilled)
        image = CheckerImage(
            payload.reader.image, payload.reader.pull_policy, payload.reader.pull_secrets
        )
        terms = usable.Terms(image, payload.checks_need_closed_network, payload.dns_networks)
        found = usable.use(self.edges.checks, self.course.run, made, terms, lens=self._lens.checks)
        found.into(record)
        self.course.spans += found.spans
        return found.words()

    def _time(self, record: Record) -> str:
        self.course.check_time(record)
        return ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in record.rto.items())

    def _clean_up(self, record: Record) -> str:
        try:
            return self.course.clean_up(record)
        finally:
            self.edges.forget()


def _is_of(record: VolumeRecord, source: Source) -> bool:
    if source.claim:
        return record.claim == source.claim and record.has_data
    return (record.pod, record.pod_volume) == (source.pod, source.volume)


def _lost(gap: NoData) -> Check:
    reason = Reason.VOLUME_LOST if gap.tried else Reason.UNPROTECTED
    return Check(f"{gap.namespace}/{gap.claim}", "data in the backup", "there", gap.why, reason)


def _failed(volume: VolumeRestore) -> Check:
    observed = f"{volume.phase}: {essence(volume.message) or 'no reason given'}"
    return Check(
        f"{volume.source}/{volume.volume}", f"its {volume.method} restore", "Completed", observed,
        reason_of_message(volume.message),
    )  # fmt: skip
