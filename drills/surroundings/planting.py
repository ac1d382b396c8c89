"""Faults in the live cluster, planted and taken away: also on an interrupt, also after a kill."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from drills.frame import Clock, Progress
from drills.surroundings.marks import LABEL, Note, NoteError, planting, read
from kube.errors import RETRIED, Cause, ClusterError
from kube.marks import SITE_LABEL
from kube.velero.api import Object, Velero, labels, name
from kube.waiting import TimeoutPassedError, until

LIFE = datetime.timedelta(minutes=20)
"""How long a fault may stand; each drill that it is planted for ends sooner."""
UNDO_SECONDS = 180.0
SETTLE_SECONDS = 180.0

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@dataclass(frozen=True)
class Surroundings:
    """The live surroundings of one site, in which faults can be planted.

    `location`: the site's BackupStorageLocation.
    """

    velero: Velero
    site: str
    location: str
    clock: Clock
    say: Progress

    @property
    def server(self) -> str:
        """Path of Velero's Deployment."""
        return f"{self._apps}/deployments/velero"

    @property
    def node_agent(self) -> str:
        """Path of the DaemonSet of Velero's node agents."""
        return f"{self._apps}/daemonsets/node-agent"

    @property
    def storage_location(self) -> str:
        return self.velero.path("backupstoragelocations", self.location)

    @property
    def secrets(self) -> str:
        return f"/api/v1/namespaces/{self.velero.namespace}/secrets"

    @property
    def _apps(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.velero.namespace}"

    @contextmanager
    def changed(self, path: str, fault: str, patch: Mapping[str, Any]) -> Iterator[None]:
        """The object at `path` with the merge patch `patch` on it.

        Raises ClusterError; of cause CONFLICT if a fault is planted in it already.
        """
        found = self.velero.client.get(path)
        if (held := _note(found)) is not None:
            raise _taken(found, held)
        wanted = planting(patch, found, self._note(fault))
        try:
            self.velero.writer.merge(path, wanted)
            yield
        finally:
            # Also when the patch raised: its answer may have been lost.
            self._take_away(path, found)

    @contextmanager
    def made(self, collection: str, fault: str, content: Mapping[str, Any]) -> Iterator[None]:
        """A new object in `collection`, marked. Raises ClusterError."""
        metadata = {**self._note(fault).metadata(), **content["metadata"]}
        path = f"{collection}/{metadata['name']}"
        try:
            self.velero.writer.create(collection, {**content, "metadata": metadata})
            yield
        finally:
            self._patiently(lambda: self._remove(path))

    def settled(self, path: str, met: Callable[[Object], bool], what: str) -> None:
        """Waits until `met` holds for the object at `path`; `what` says what is waited for.

        Raises ClusterError.
        """

        def look() -> bool | None:
            return met(self.velero.client.get(path)) or None

        try:
            until(look, self.velero.clock, SETTLE_SECONDS, interval=1.0)
        except TimeoutPassedError as error:
            raise error.last or ClusterError(
                Cause.OTHER, f"{what}: not so within {SETTLE_SECONDS:.0f} s; look at {path}"
            ) from None

    def sweep(self) -> list[str]:
        """Takes away what killed runs left; the paths of live objects that were put right.

        Raises ClusterError; of cause CONFLICT if a run may still be at it.
        """
        right: list[str] = []
        for path, found, note in self._planted():
            if note.until > self.clock.now():
                raise _taken(found, note)
            self.say(f"control: {note.fault}, left by a run that was killed, is taken away")
            if note.undo is None:
                self.velero.writer.delete(path)
            else:
                self._undo(path, found, note.undo)
                right.append(path)
        return right

    def _planted(self) -> Iterator[tuple[str, Object, Note]]:
        changed = (self.server, self.node_agent, self.storage_location)
        places = [(path, found) for path in changed if (found := self._found(path)) is not None]
        for collection in (WEBHOOKS, self.secrets):
            held = self.velero.client.list(collection, labels={SITE_LABEL: self.site})
            marked = [one for one in held if LABEL in labels(one)]
            places += [(f"{collection}/{name(one)}", one) for one in marked]
        for path, found in places:
            note = _note(found)
            if note is not None and note.site == self.site:
                yield path, found, note

    def _note(self, fault: str) -> Note:
        return Note(self.site, fault, self.clock.now() + LIFE)

    def _take_away(self, path: str, former: Object) -> None:
        """Undoes what is noted on the object at `path`, if it is still the one that was changed."""

        def undo() -> None:
            found = self._found(path)
            if found is None or found["metadata"]["uid"] != former["metadata"]["uid"]:
                return
            note = _note(found)
            if note is not None and note.undo is not None:
                self._undo(path, found, note.undo)

        self._patiently(undo)

    def _remove(self, path: str) -> None:
        found = self._found(path)
        if found is not None and LABEL in labels(found):
            self.velero.writer.delete(path, uid=str(found["metadata"]["uid"]))

    def _undo(self, path: str, found: Object, undo: Mapping[str, Any]) -> None:
        metadata = {**(undo.get("metadata") or {}), "uid": found["metadata"]["uid"]}
        self.velero.writer.merge(path, {**undo, "metadata": metadata})

    def _found(self, path: str) -> Object | None:
        try:
            return self.velero.client.get(path)
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return None
            raise

    def _patiently(self, deed: Callable[[], None]) -> None:
        """Does what is the same when it is done twice, over a restart of the API server."""

        def done() -> bool:
            deed()
            return True

        try:
            until(done, self.velero.clock, UNDO_SECONDS, passing=RETRIED)
        except TimeoutPassedError as error:
            if error.last is not None:
                raise error.last from None
            raise


def _note(found: Object) -> Note | None:
    try:
        return read(found)
    except NoteError as error:
        raise ClusterError(Cause.CONFLICT, str(error)) from None


def _taken(found: Object, note: Note) -> ClusterError:
    return ClusterError(
        Cause.CONFLICT,
        f"the fault {note.fault} is planted in {name(found)} until {note.until:%H:%M:%S} UTC by "
        "another run; wait for its end, or run this again then, which takes it away",
    )
