"""Restored volumes, read: reader pods made, waited for, and asked.

What a pod looks like is decided in reader_pod.py, what a fault means in unread.py, and how a volume
is read in reading.py; here it is only carried out, one volume after the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from drills.aside import is_own
from drills.sandbox.hold import Idle
from drills.sandbox.marks import Run
from drills.verdict import reason_of_error
from drills.volumes import reading, unread
from drills.volumes.reader_pod import ReaderPod, manifest, pod_name
from drills.volumes.reading import ReadError, Reading
from drills.volumes.sources import Source
from drills.volumes.unread import Unread
from kube import places
from kube.client import Client, Clock
from kube.errors import RETRIED, Cause, ClusterError
from kube.pods.channels import Dial
from kube.pods.readiness import NotReadyError, Wanted, wait_ready
from kube.waiting import TimeoutPassedError, until
from kube.writer import ExistsError, Writer

# A namespace that was just made has no service account yet, without which admission takes no pod.
MAKE_SECONDS = 30.0
_NOT_YET = RETRIED | {Cause.ADMISSION}
# A node that is busy, or an API server that restarts, has a moment before the second try.
PAUSE_SECONDS = 5.0
LOG_LINES = 3

Say = Callable[[str], None]
Place = tuple[str, str]
"""Namespace and name of a pod."""
Shape = Callable[[Run, ReaderPod, Idle], dict[str, Any]]
"""What a reader pod looks like."""


@dataclass(frozen=True)
class Edges:
    """The cluster as the readers use it."""

    client: Client
    writer: Writer
    dial: Dial
    clock: Clock


@dataclass
class Readers:
    """The readers of one run.

    `idle`: image, command and pull secrets of reader pods, as of held ones. `folder`: a temporary
    folder of the caller's, which holds the digest trees. `xattrs`: read extended attributes too;
    `times`: when each entry last changed. `make_seconds`: how long a refusal that may pass is
    waited out.
    """

    run: Run
    edges: Edges
    idle: Idle
    folder: Path
    say: Say
    xattrs: bool = False
    times: bool = False
    shape: Shape = manifest
    make_seconds: float = MAKE_SECONDS
    _made: set[Place] = field(default_factory=set)
    _unmade: dict[Place, ClusterError] = field(default_factory=dict)
    _spools: int = 0

    def start(self, pods: Iterable[ReaderPod]) -> None:
        """Has pods made, and waits for none; one that is refused is told when it is to be read."""
        for pod in pods:
            place = (pod.namespace, pod_name(self.run, pod.claim))
            why = self._refusal(pod)
            if why is not None:
                self._unmade[place] = why
                self.say(f"no reader for volume {pod.origin}/{pod.claim}: {why}")

    def _refusal(self, pod: ReaderPod) -> ClusterError | None:
        """Why the pod was not made; None if it was."""
        create = partial(self._create, pod)
        try:
            until(create, self.edges.clock, self.make_seconds, interval=1.0, passing=_NOT_YET)
        except TimeoutPassedError as error:
            return error.last
        except ClusterError as error:
            return error
        return None

    def _create(self, pod: ReaderPod) -> bool:
        content = self.shape(self.run, pod, self.idle)
        place = (pod.namespace, content["metadata"]["name"])
        path = _path(place)
        # Before it is sent: when the answer is lost, the pod may be there all the same.
        self._made.add(place)
        try:
            self.edges.writer.create(path.rpartition("/")[0], content)
        except ExistsError:
            if not is_own(self._get(path) or {}, self.run):
                raise
        return True

    def read_all(
        self, sources: Iterable[Source], *, ready_seconds: float, read_seconds: float
    ) -> Iterator[Reading | Unread]:
        """Each volume once, in the order of the sources, as soon as the caller asks for the next.

        `ready_seconds`: until all pods have to be ready, from now on. `read_seconds`: for each
        volume. No fault raises: each becomes an Unread.
        """
        deadline = self.edges.clock.now() + ready_seconds
        for source in sorted(set(sources)):
            left = max(0.0, deadline - self.edges.clock.now())
            yield self.read(source, ready_seconds=left, read_seconds=read_seconds)

    def read(
        self, source: Source, *, ready_seconds: float, read_seconds: float
    ) -> Reading | Unread:
        """One volume, out of a pod that is waited for; tried a second time if that may help."""
        found = self.ready(source, seconds=ready_seconds) or self._read(source, read_seconds)
        if isinstance(found, Unread):
            self.say(found.sentence)
        else:
            sums = found.trailer
            self.say(
                f"volume {source}: {sums.entries} entries, {sums.bytes} bytes read in "
                f"{found.seconds:.1f} s"
            )
        return found

    def ready(self, source: Source, *, seconds: float) -> Unread | None:
        """None once the source's pod is ready, and is the drill's own."""
        unmade = self._unmade.get((source.namespace, source.pod))
        if unmade is not None:
            return _refused(source, unmade)
        edges, wanted = self.edges, Wanted(source.namespace, source.pod)
        # The log of a pod that came with the restore is nobody's to show.
        lines = 0 if source.held else LOG_LINES
        try:
            ready = wait_ready(
                edges.client, wanted, clock=edges.clock, seconds=seconds, log_lines=lines,
                say=self.say,
            )  # fmt: skip
        except NotReadyError as error:
            return self._not_ready(source, error)
        except ClusterError as error:
            return _refused(source, error)
        owned = all(is_own(one, self.run) for one in ready.pods)
        return None if owned else unread.not_own(source)

    def _not_ready(self, source: Source, error: NotReadyError) -> Unread:
        if not unread.asks_for_claim(source, error.fault):
            return unread.not_ready(source, error, None, asked=False)
        path = f"/api/v1/namespaces/{source.namespace}/persistentvolumeclaims/{source.claim}"
        try:
            return unread.not_ready(source, error, self._get(path), asked=True)
        except ClusterError:
            return unread.not_ready(source, error, None, asked=False)

    def _read(self, source: Source, seconds: float) -> Reading | Unread:
        clock = self.edges.clock
        self._spools += 1
        spool = self.folder / f"{self._spools}.tree"
        deadline = clock.now() + seconds
        self.say(f"volume {source}: reading it")
        found = self._try(source, spool, seconds)
        left = deadline - clock.now() - PAUSE_SECONDS
        if isinstance(found, ReadError) and found.again and left > 0:
            self.say(f"{found}; reading it once more")
            clock.sleep(PAUSE_SECONDS)
            found = self._try(source, spool, left)
        if isinstance(found, ReadError):
            spool.unlink(missing_ok=True)
            return Unread(source, found.reason, str(found))
        return found

    def _try(self, source: Source, spool: Path, seconds: float) -> Reading | ReadError:
        edges = self.edges
        try:
            return reading.read(
                edges.dial, source, spool, seconds=seconds, xattrs=self.xattrs, clock=edges.clock,
                times=self.times,
            )  # fmt: skip
        except ReadError as error:
            return error

    def _get(self, path: str) -> Mapping[str, Any] | None:
        return places.at(self.edges.client, path)


def _refused(source: Source, error: ClusterError) -> Unread:
    return Unread(source, reason_of_error(error), f"volume {source} cannot be read: {error}")


def _path(place: Place) -> str:
    return f"/api/v1/namespaces/{place[0]}/pods/{place[1]}"
