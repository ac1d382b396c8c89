"""Reads chosen volumes of running workloads before a backup and after it, and keeps what must be
in it.

One volume after the other, each by a pod that stands only while it reads: a volume that is held by
a pod of ours all through a backup would keep its workload from moving to another node.
"""

import datetime
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.backup.kept_files import KeptFiles
from drills.coverage.live import namespace_of
from drills.frame import Clock, Progress
from drills.sandbox import marks
from drills.sandbox.hold import Idle
from drills.sandbox.marks import LAYER_LABEL, PREFIX, MarkError, Run
from drills.scratch import Scratch
from drills.volumes import digest_file, digest_index, live_pod
from drills.volumes.digest_file import Head
from drills.volumes.digest_index import Chosen, Index, Volume
from drills.volumes.meanwhile import FRESH_SECONDS, merged
from drills.volumes.reader_pod import VOLUME, pod_name
from drills.volumes.readers import Edges, Readers
from drills.volumes.reading import Reading
from drills.volumes.sources import Source
from drills.volumes.tree import TreeError
from drills.volumes.unread import Unread
from kube.errors import Cause, ClusterError
from kube.marks import SITE_LABEL
from kube.velero.api import Object, name, phase
from kube.waiting import TimeoutPassedError, until

READY_SECONDS = 120.0
"""For one reader to become ready; an image may have to be fetched."""
PATIENCE_SECONDS = 300.0
"""For all readings in vain together: what keeps one reader from its work may keep them all, and the
backup waits meanwhile."""
LEAST_SECONDS = 10.0
# A namespace that is in use has all that admission asks for: a refusal there does not pass.
MAKE_SECONDS = 2.0
CLOSING_SECONDS = 60.0
REMOVAL_SECONDS = 60.0
_ENDED = frozenset({"Succeeded", "Failed"})
_NANO = 1_000_000_000

Included = Callable[[str], bool]
"""Whether the backup takes a namespace in."""


@dataclass(frozen=True)
class Taken:
    """A volume that was read once: its claim as it was, the tree, when that began and ended."""

    claim: Object
    reading: Reading
    began: datetime.datetime
    ended: datetime.datetime


@dataclass
class Witness:
    """The digests of one recording. `scratch` holds the trees, and goes with it.

    `read_seconds`: how long one volume may be read, each time.
    """

    site: str
    uid: str
    chosen: Sequence[Chosen]
    edges: Edges
    idle: Idle
    files: KeptFiles
    scratch: Scratch
    clock: Clock
    say: Progress
    read_seconds: float
    _before: dict[str, Taken] = field(default_factory=dict)
    _why: dict[str, str] = field(default_factory=dict)
    _readings: int = 0
    _patience: float = PATIENCE_SECONDS

    @property
    def folder(self) -> Path:
        return self.scratch.folder()

    def serves(self, backup: str) -> bool:
        """Whether the digests that are wanted now were wanted when this backup was made.

        Raises StoreError.
        """
        kept = digest_index.KeptDigests(self.files, self.uid, self.folder)
        try:
            index = kept.index(backup)
        except digest_file.DigestsError as error:
            self.say(f"backup {backup}: {error}")
            return False
        return index is not None and set(index.asked) >= set(self.chosen)

    def before(self, included: Included) -> None:
        """Reads every chosen volume that the backup takes in. No fault of any raises: a backup
        without digests is better than none."""
        self._before, self._why = {}, {}
        for namespace in sorted({one.namespace for one in self.chosen}):
            try:
                self._read_namespace(namespace, included)
            except ClusterError as error:
                for one in self.chosen:
                    if one.namespace == namespace:
                        self._leave(f"{namespace}/{one.claim}", str(error))

    def _read_namespace(self, namespace: str, included: Included) -> None:
        self._sweep(namespace)
        for claim, user in self._claims(namespace):
            if included(namespace):
                found = self._take(claim, user)
            else:
                found = f"the backup does not take namespace {namespace} in"
            if isinstance(found, str):
                self._leave(f"{namespace}/{name(claim)}", found)
            else:
                self._before[f"{namespace}/{name(claim)}"] = found

    def after(self, backup: str) -> dict[str, object]:
        """Reads them again, and keeps of each what must be in the backup; a summary.

        Raises NotKeptError, StoreError: the digests cannot be kept.
        """
        volumes = []
        for place, first in sorted(self._before.items()):
            found = self._again(place, first)
            if isinstance(found, str):
                self._leave(place, found)
            else:
                volumes.append(self._keep(backup, first, found))
            first.reading.spool.unlink(missing_ok=True)
        volumes += [_unread(place, why) for place, why in self._why.items()]
        self._keep_index(Index(self.uid, backup, self.chosen, volumes))
        read = [one for one in volumes if not one.why]
        totals = {key: sum(one.counts[key] for one in read) for key in ("files", "bytes")}
        return {"volumes": len(read), **totals, "unread": dict(sorted(self._why.items()))}

    def _leave(self, place: str, why: str) -> None:
        self._why[place] = why
        self.say(f"no digests of volume {place}: {why}")

    def _claims(self, namespace: str) -> Iterator[tuple[Object, Object | None]]:
        """The chosen claims of a namespace, in order, each with the pod that uses it."""
        path = f"/api/v1/namespaces/{namespace}"
        claims = self.edges.client.list(f"{path}/persistentvolumeclaims")
        pods = self.edges.client.list(f"{path}/pods")
        for claim in sorted(claims, key=name):
            if any(one.covers(namespace, name(claim)) for one in self.chosen):
                yield claim, live_pod.user_of(namespace, name(claim), pods)

    def _again(self, place: str, first: Taken) -> Taken | str:
        """The volume's second reading; why there is none, if so."""
        namespace, claim = place.split("/")
        try:
            found = [pair for pair in self._claims(namespace) if name(pair[0]) == claim]
        except ClusterError as error:
            return f"volume {place} cannot be read again: {error}"
        if not found or _volume_of(found[0][0]) != _volume_of(first.claim):
            return f"claim {place} was deleted or made anew while the backup ran"
        one, user = found[0]
        return self._take(one, user)

    def _take(self, claim: Object, user: Object | None) -> Taken | str:
        """One reading by a pod of its own, which is gone then; or why there is none."""
        why = live_pod.refusal(claim, user)
        if why or user is None:
            return why
        pod = live_pod.pod_for(claim, user)
        now = self.clock.now()
        lives = READY_SECONDS + self.read_seconds + CLOSING_SECONDS
        run = Run(
            self.site, live_pod.LAYER, secrets.token_hex(6), now,
            now + datetime.timedelta(seconds=lives),
        )  # fmt: skip
        self._readings += 1
        folder = self.folder / f"reading-{self._readings}"
        folder.mkdir()
        readers = Readers(
            run, self.edges, self.idle, folder, self.say,
            times=True, shape=live_pod.manifest, make_seconds=MAKE_SECONDS,
        )  # fmt: skip
        source = Source(
            pod.namespace, pod.claim, pod_name(run, pod.claim), VOLUME, namespace=pod.namespace
        )
        ready = max(LEAST_SECONDS, min(READY_SECONDS, self._patience))
        asked = self.edges.clock.now()
        try:
            readers.start([pod])
            found = readers.read(source, ready_seconds=ready, read_seconds=self.read_seconds)
        finally:
            self._remove(pod.namespace, pod_name(run, pod.claim))
        if isinstance(found, Unread):
            self._patience -= self.edges.clock.now() - asked
            return found.sentence
        return Taken(claim, found, now, self.clock.now())

    def _keep(self, backup: str, first: Taken, second: Taken) -> Volume:
        """Raises NotKeptError, StoreError."""
        claim = first.claim
        namespace, called = namespace_of(claim), name(claim)
        uid, volume = _volume_of(claim)
        head = Head(
            self.uid, backup, namespace, called, uid, volume,
            (first.began, first.ended), (second.began, second.ended),
        )  # fmt: skip
        place = self.folder / "digests.json.gz"
        try:
            tree = first.reading.tree()
            lines = merged(tree, second.reading.tree(), _fresh_after(tree.header.started_at))
            with place.open("wb") as out:
                sums = digest_file.write(head, lines, out)
        except (TreeError, OSError, ValueError) as error:
            why = f"the readings of {namespace}/{called} cannot be merged ({error})"
            self.say(why)
            return Volume(namespace, called, why=why)
        finally:
            second.reading.spool.unlink(missing_ok=True)
        where = self.files.keep(digest_index.file_name(backup, namespace, called), place)
        counts = sums.told()
        self.say(f"digests of {counts['strict']} entries of {namespace}/{called} kept as {where}")
        return Volume(namespace, called, digest_index.sha256_of(place), counts=counts)

    def _keep_index(self, index: Index) -> None:
        place = self.folder / "index.json"
        place.write_bytes(digest_index.render(index))
        self.files.keep(digest_index.index_name(index.backup), place)

    def _sweep(self, namespace: str) -> None:
        """Removes readers of recordings that are over: their own time ends them at the latest."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        wanted = {LAYER_LABEL: live_pod.LAYER, SITE_LABEL: self.site}
        for one in self.edges.client.list(path, labels=wanted):
            try:
                run = marks.read(one)
            except MarkError as error:
                self.say(str(error))
                continue
            over = phase(one) in _ENDED or (run is not None and run.until <= self.clock.now())
            if over and name(one).startswith(PREFIX):
                self.say(f"pod {namespace}/{name(one)} of a dead recording is removed")
                self._remove(namespace, name(one))

    def _remove(self, namespace: str, called: str) -> None:
        """Removes a reader and waits until its node let go of the volume; one that stays ends by
        itself, and is removed by the next recording."""
        path = f"/api/v1/namespaces/{namespace}/pods/{called}"
        try:
            self.edges.writer.delete(path, grace_seconds=live_pod.GRACE_SECONDS)
            until(lambda: self._gone(path), self.edges.clock, REMOVAL_SECONDS, interval=1.0)
        except (ClusterError, TimeoutPassedError) as error:
            self.say(f"reader pod {namespace}/{called} does not go ({error}); it ends by itself")

    def _gone(self, path: str) -> bool | None:
        try:
            self.edges.client.get(path)
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return True
            raise
        return None


def _unread(place: str, why: str) -> Volume:
    namespace, claim = place.split("/")
    return Volume(namespace, claim, why=why)


def _volume_of(claim: Object) -> tuple[str, str]:
    """UID of the claim and name of its volume."""
    metadata: Mapping[str, Any] = claim.get("metadata") or {}
    return str(metadata.get("uid")), str((claim.get("spec") or {}).get("volumeName") or "")


def _fresh_after(started_at: str) -> int:
    """In ns, by the clock of the node that also dates changes. Raises ValueError."""
    began = datetime.datetime.strptime(started_at, "%Y-%m-%dT%H:%M:%SZ")
    seconds = int(began.replace(tzinfo=datetime.UTC).timestamp()) - FRESH_SECONDS
    return seconds * _NANO
