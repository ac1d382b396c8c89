"""Longhorn's restores of one run: made, waited for, read, compared, taken away again.

restore   a class and a claim for each volume, one after the other; Longhorn makes and fills it
read      a pod of the drill mounts each, and its files are read
compare   with the image that the drill rebuilt of the same backup, the canary's with their truths
clean up  all of it, and what dead runs left; the backups themselves must still be there
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from drills import alone
from drills.canary.testimony import Testimony
from drills.frame import NotCompared, Record
from drills.lease import Lease
from drills.longhorn.history import RESTORED
from drills.longhorn.live import judge
from drills.longhorn.live.objects import Order
from drills.longhorn.live.orders import Orders, has_another
from drills.longhorn.live.place import Place
from drills.longhorn.live.settings import LiveRestores
from drills.longhorn.live.trees import Trees
from drills.longhorn.live.waits import NotRestoredError, Waits
from drills.sandbox.safety import RefusedError
from drills.verdict import Check, Reason, reason_of_error
from drills.volumes.judge import Look, as_it_is
from drills.volumes.reader_pod import ReaderPod
from drills.volumes.readers import Readers
from drills.volumes.reading import Reading
from drills.volumes.tree import TreeError
from drills.volumes.unread import Unread
from kube.errors import RETRIED, ClusterError
from kube.longhorn.api import Longhorn
from kube.longhorn.backups import Backup, read_backups

RESTORE, MOUNT = "longhorn: restore", "longhorn: attach and mount"
"""Of the time to usable: Longhorn has all data, a pod has the volume open."""
READY_SECONDS = 300.0
ORIGIN = "longhorn"
"""How readers name where these volumes come from."""


@dataclass(frozen=True)
class Opened:
    """The edges of the restores of one run."""

    place: Place
    lease: Lease
    readers: Readers

    @property
    def longhorn(self) -> Longhorn:
        return self.place.longhorn


@dataclass(frozen=True)
class Copy:
    """A volume that Longhorn brought back. `handle`: its own name for it."""

    order: Order
    handle: str


@dataclass
class Restores:
    """`canaries`: what the canary calls its volumes, by name. `sources`: namespaces of live
    volumes. `left_seconds`: of the drill's own time.

    `copies`, `readings`, `bytes` (that were compared): what came of it, for whoever chooses a
    control. `seconds`: by phase of the time to usable.
    """

    settings: LiveRestores
    opened: Opened
    trees: Trees
    stop: threading.Event
    testimony: Testimony | None
    left_seconds: Callable[[], float]
    canaries: dict[str, str] = field(default_factory=dict)
    sources: Sequence[str] = ()
    copies: list[Copy] = field(default_factory=list)
    readings: list[tuple[Order, Reading]] = field(default_factory=list)
    bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    _ordered: list[Order] = field(default_factory=list)
    _claimed: list[str] = field(default_factory=list)

    def restore(self, record: Record, ordered: Callable[[Sequence[Backup]], Orders]) -> str:
        """`ordered`: what is to be brought back, given Longhorn's own objects of its backups.

        Raises StopDrillError, ClusterError, StoreError, StoppedError.
        """
        place, lease = self.opened.place, self.opened.lease
        found = ordered(self.backups())
        record.checks += found.checks
        record.not_compared += found.left
        if not found.taken and place.is_clean():
            return "no volume to be restored by Longhorn"
        try:
            lease.take(place.others)
            self._make_room()
            if found.taken:
                place.make(len(found.taken), self.sources)
                lease.rests_on(place.mark)
        except RefusedError as error:
            raise alone.refused(record, "sandbox", error) from None
        return self._alone(record, lambda: self._each(record, found.taken))

    def backups(self) -> Sequence[Backup]:
        """As Longhorn has them. Raises ClusterError."""
        return read_backups(self.opened.longhorn.client, self.opened.longhorn.namespace)

    def _make_room(self) -> None:
        """What dead runs left goes first: it may take the room, and its time would be ours."""
        if self.opened.place.debris().any:
            count, _ = self.opened.place.take_away()
            self.opened.place.say(f"what dead runs left is taken away: {count} objects")

    def _each(self, record: Record, taken: Sequence[Order]) -> str:
        for order in taken:
            self._ordered.append(order)
            try:
                copy = self._one(order)
            except NotRestoredError as error:
                record.checks.append(_not_so(order, str(error), error.reason))
            except RefusedError as error:
                record.checks.append(_not_so(order, str(error), error.refusal.reason))
            except ClusterError as error:
                if error.cause in RETRIED:
                    raise
                record.checks.append(_not_so(order, str(error), reason_of_error(error)))
            else:
                self.copies.append(copy)
        return f"{len(self.copies)} of {len(taken)} volumes restored by Longhorn"

    def _one(self, order: Order) -> Copy:
        """Raises NotRestoredError, RefusedError, ClusterError, StoppedError."""
        place, settings = self.opened.place, self.settings
        waits = Waits(self.opened.longhorn, self.stop, place.say)
        limit = min(float(settings.restore_seconds), self.left_seconds())
        clock = self.opened.longhorn.clock
        began = clock.now()
        with self._timed(RESTORE):
            self._claimed.append(place.order(order, settings.parameters))
            handle = waits.bound(place.namespace, order.claim, limit)
            left = max(0.0, limit - (clock.now() - began))
            waits.filled(handle, order.url, left)
        return Copy(order, handle)

    def read(self, record: Record) -> str:
        """Raises StopDrillError, ClusterError."""
        return self._alone(record, lambda: self._read_all(record))

    def _read_all(self, record: Record) -> str:
        for copy in self.copies:
            found = self._read(copy.order)
            if isinstance(found, Unread):
                record.checks.append(_not_so(copy.order, found.sentence, found.reason))
                continue
            self.readings.append((copy.order, found))
            told = f"whole, mounted, and read: {found.trailer.entries} entries"
            record.checks.append(Check(copy.order.told, RESTORED, "whole", told))
        return f"{len(self.readings)} of {len(self.copies)} volumes read"

    def _read(self, order: Order) -> Reading | Unread:
        readers, place = self.opened.readers, self.opened.place
        pod = ReaderPod(ORIGIN, place.namespace, order.claim, placement=order.placement)
        source = pod.source(place.run)
        if source is None:
            raise ValueError("a claim of this drill is never a raw device")
        left = self.left_seconds()
        with self._timed(MOUNT):
            readers.start([pod])
            unread = readers.ready(source, seconds=min(READY_SECONDS, left))
        if unread is not None:
            return unread
        seconds = min(float(self.settings.read_seconds), max(1.0, self.left_seconds()))
        return readers.read(source, ready_seconds=READY_SECONDS, read_seconds=seconds)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        """All volumes together; what did not come back counts as well."""
        clock = self.opened.longhorn.clock
        began = clock.now()
        try:
            yield
        finally:
            spent = clock.now() - began
            self.seconds[phase] = self.seconds.get(phase, 0.0) + spent

    def compare(self, record: Record, look: Look = as_it_is) -> str:
        """`look`: what is seen of the restored files. Raises StoreError, OSError."""
        files = size = 0
        for order, found in self.readings:
            for judged in self._judged(record, order, found, look):
                record.checks += judged.checks
                record.compared += judged.compared
                record.not_compared += judged.not_compared
                files, size = files + judged.files, size + judged.bytes
        self.bytes = size
        return f"{len(self.readings)} volumes, {files} files, {size} bytes compared"

    def _judged(
        self, record: Record, order: Order, found: Reading, look: Look
    ) -> Iterator[judge.Judged]:
        try:
            yield judge.against_image(order, found, look)
            called = self.canaries.get(order.volume)
            if called is not None and self.testimony is not None:
                witnessed = judge.against_truths(order, found, called, self.testimony, look)
                yield judge.once(witnessed)
        except TreeError as error:
            record.checks.append(_not_so(order, str(error), Reason.DRILL_FAILED))

    def clean_up(self, record: Record) -> str:
        """Takes everything away, this run's and what dead ones left. Raises ClusterError."""
        if not self.opened.lease.asked:
            return "nothing was made in the cluster"
        place, lease = self.opened.place, self.opened.lease
        try:
            count, left = place.take_away()
            gone = [*self._volumes_left()]
            self._check_backups(record)
        except BaseException:
            with suppress(ClusterError):
                lease.release(clean=False)
            raise
        # Where a dead run's marks stay, a Lease without a holder tells that nobody owns them.
        lease.release(clean=not gone and not left)
        for one in left:
            line = f"{one.kind} {one.name}: {one.why}"
            record.left.append(line)
            if one.debris:
                _left_behind(record, line)
        for volume in gone:
            _left_behind(record, f"volume {volume} of Longhorn, which this run had made")
        return f"{count} objects removed"

    def _volumes_left(self) -> Iterator[str]:
        """Volumes of this run, by the names that they had or would have been given."""
        own = {one.handle for one in self.copies} | {f"pvc-{uid}" for uid in self._claimed if uid}
        if own:
            longhorn = self.opened.longhorn
            there = longhorn.client.list(longhorn.path("volumes"))
            yield from sorted(own & {str(one["metadata"]["name"]) for one in there})

    def _check_backups(self, record: Record) -> None:
        """What was restored from must not have gone with its copy."""
        if not self._ordered:
            return
        found = self.backups()
        there = {(one.volume, one.name) for one in found if not one.deleting}
        gone = [one for one in self._ordered if (one.volume, one.backup) not in there]
        for order in gone:
            if has_another(found, order.target, order.volume, order.backup):
                why = "retention removed it while the drill ran; a newer one is there"
                about = f"backup {order.backup} after the clean up{order.suffix}"
                record.not_compared.append(NotCompared(about, 1, why))
            else:
                record.checks.append(
                    Check(order.told, f"backup {order.backup} after the clean up", "there",
                          "it is gone, or being deleted", Reason.RESTORE_POINT_DAMAGED)
                )  # fmt: skip
        if len(gone) < len(self._ordered):
            count = f"{len(self._ordered) - len(gone)} are"
            record.checks.append(Check("longhorn", "backups after the clean up", "there", count))

    def _alone(self, record: Record, work: Callable[[], str]) -> str:
        """What was seen while another run took this one for dead is no finding."""
        lease = self.opened.lease
        return alone.going(lease, record, work) if lease.asked else work()


def _not_so(order: Order, seen: str, reason: Reason) -> Check:
    return Check(order.told, RESTORED, "whole", f"backup {order.backup}: {seen}", reason)


def _left_behind(record: Record, line: str) -> None:
    record.checks.append(Check("cluster", "clean up", "nothing left", line, Reason.DEBRIS_LEFT))
