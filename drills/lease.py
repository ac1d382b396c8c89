"""A run's Lease, done: waited for, taken, renewed by a thread of its own, given back.

What a Lease means is in drills/sandbox/leases.py. The heartbeat never ends a drill: it goes on over
whatever it meets. What it finds out is told when the run asks (`check`), and that is whenever the
run has seen something that another run could have spoilt.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from drills.frame import Clock, Progress
from drills.sandbox import leases
from drills.sandbox.leases import Life, Watch
from drills.sandbox.marks import Run
from drills.sandbox.safety import Cause as Why
from drills.sandbox.safety import Refusal, RefusedError
from kube import places
from kube.client import Client, Object
from kube.client import Clock as KubeClock
from kube.errors import RETRIED, Cause, ClusterError
from kube.waiting import Away
from kube.writer import Writer

LOOK_SECONDS = 2.0
"""How often somebody looks who waits whether a holder lives."""
_JOIN_SECONDS = 5.0

Start = Callable[[Callable[[], None]], Callable[[], None]]
"""Begins something that goes on beside the drill; what it returns waits for its end."""


class Installation(Protocol):
    """What the Lease stands beside, in `namespace`: Velero, or Longhorn."""

    @property
    def client(self) -> Client: ...

    @property
    def writer(self) -> Writer: ...

    @property
    def namespace(self) -> str: ...

    @property
    def clock(self) -> KubeClock: ...


def in_thread(work: Callable[[], None]) -> Callable[[], None]:
    """As a daemon: a process that ends does not wait for a heartbeat."""
    thread = threading.Thread(target=work, name="lease", daemon=True)
    thread.start()
    return lambda: thread.join(_JOIN_SECONDS)


@dataclass
class Lease:
    """That of one run, beside an installation of Velero, or of Longhorn.

    `beats`: the same cluster without patience, for a request that waits holds up the end of the
    run. `by`: which process of which machine this is, for people.
    """

    installation: Installation
    beats: Installation
    run: Run
    clock: Clock
    progress: Progress
    by: str = ""
    start: Start = in_thread
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)
    _join: Callable[[], None] | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)
    _began: float = field(default=0.0, init=False)
    _version: str = field(default="", init=False)
    _mark: str = field(default="", init=False)
    _lost: Refusal | None = field(default=None, init=False)
    _late: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        return leases.lease_name(self.run.layer)

    @property
    def asked(self) -> bool:
        """Whether this run wanted it, and so may have made something."""
        return self._asked

    @property
    def path(self) -> str:
        return f"{leases.collection(self.installation.namespace)}/{self.name}"

    @property
    def pause_seconds(self) -> float:
        """Between two renewals."""
        return leases.seconds_of(self.run) / leases.RENEWALS

    def take(self, others: Callable[[], Refusal | None]) -> None:
        """Returns when this run holds it; a holder that may be dead is watched until that is known.

        `others`: whether anybody else may be alive by the marks of what was made; asked where there
        is no Lease, for then these are of a version that knew none, or somebody removed it.

        Raises:
            RefusedError: another run is alive.
            ClusterError: the cluster is not reached, or refuses.
        """
        self._asked = True
        watch, away = Watch(), Away(self.installation.clock)
        while not self._tried(watch, away, others):
            self.installation.clock.sleep(LOOK_SECONDS)
        self._began = self.clock.monotonic()
        self._join = self.start(self._beat_on)

    def _tried(self, watch: Watch, away: Away, others: Callable[[], Refusal | None]) -> bool:
        """One look, and what can be done now; True if this run holds the Lease."""
        try:
            found = _found(self.beats, self.path)
        except ClusterError as error:
            away.note(error)
            watch.interrupted()
            return False
        away.over()
        if not found:
            _refuse(others())
            return self._created(self.installation)
        one = leases.holder(found)
        if one is None or one.run_id == self.run.run_id:
            return self._taken_over(self.installation, found)
        if not one.renews:
            _refuse(leases.never_renewed(found, self.clock.now()))
            return self._taken_over(self.installation, found)
        first = watch.is_new
        life = watch.look(found, one.seconds, self.installation.clock.now())
        if life is Life.RENEWED:
            raise RefusedError(leases.alive(one, self.run.layer))
        if life is Life.EXPIRED:
            self.progress(f"{one} has not renewed the Lease {self.name}: it is dead")
            return self._taken_over(self.installation, found)
        if first:
            waiting = f"waiting {one.seconds} s to see whether it lives"
            self.progress(f"{one} holds the Lease {self.name}; {waiting}")
        return False

    def _created(self, at: Installation) -> bool:
        """False if somebody else was quicker, or nobody knows."""
        wanted = leases.content(self.run, at.namespace, self.clock.now(), by=self.by)
        try:
            self._note(at.writer.create(leases.collection(at.namespace), wanted))
        except ClusterError as error:
            # With the answer lost it may be there: the next look tells.
            if error.cause in {Cause.EXISTS, *RETRIED}:
                return False
            raise
        return True

    def _taken_over(self, at: Installation, found: Object) -> bool:
        """False if somebody changed it since it was read: of two that see it free, one succeeds."""
        wanted = leases.content(self.run, at.namespace, self.clock.now(), by=self.by)
        metadata = {
            "labels": wanted["metadata"]["labels"],
            "annotations": wanted["metadata"]["annotations"],
            "resourceVersion": _version(found),
        }
        try:
            self._note(at.writer.merge(self.path, {"metadata": metadata, "spec": wanted["spec"]}))
        except ClusterError as error:
            if error.cause in {Cause.CONFLICT, Cause.MISSING, *RETRIED}:
                return False
            raise
        return True

    def rests_on(self, path: str) -> None:
        """`path`: an object that is there for as long as nobody took away what this run made."""
        with self._lock:
            self._mark = path

    def check(self) -> None:
        """Whether everything this run has seen so far was its own.

        Raises:
            RefusedError: another run has the Lease, or had it and took away what this one made.
            ClusterError: the cluster does not say.
        """
        with self._lock:
            if self._lost is None:
                self._look(self.installation)
            if self._lost is None and not self._is_marked(self.installation):
                self._lose(None)
            _refuse(self._lost)

    def release(self, *, clean: bool) -> None:
        """Ends the heartbeat and gives the Lease back, if this run still holds it.

        `clean`: nothing of any run is left, so the Lease goes too. Otherwise it stays without a
        holder, by which the next run knows that what it finds is nobody's any more.

        Raises ClusterError.
        """
        self._over.set()
        try:
            with self._lock:
                if self._asked:
                    self._give_back(clean=clean)
        finally:
            if self._join is not None:
                self._join()

    def _give_back(self, *, clean: bool) -> None:
        found = _found(self.installation, self.path)
        one, version = leases.holder(found), _version(found)
        if one is None or one.run_id != self.run.run_id:
            return
        free = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": None}}
        try:
            if clean:
                self.installation.writer.delete(self.path, resource_version=version)
            else:
                self.installation.writer.merge(self.path, free)
        except ClusterError as error:
            if error.cause not in (Cause.CONFLICT, Cause.MISSING):
                raise

    def _beat_on(self) -> None:
        pause = self.pause_seconds
        while not self._over.wait(pause):
            if not self.beat():
                return
            pause = min(LOOK_SECONDS, self.pause_seconds) if self._late else self.pause_seconds

    def beat(self) -> bool:
        """Renews the Lease once; False when there is nothing to renew any more."""
        with self._lock:
            if self._over.is_set() or self._lost is not None or self._has_ended():
                return False
            try:
                self._renew()
            except Exception as error:  # noqa: BLE001  (a drill does not end by its heartbeat)
                self._tell(error)
            else:
                self._late = False
            return self._lost is None

    def _has_ended(self) -> bool:
        """A run that hangs is dead in the end, however well its heart beats."""
        lives = (self.run.until - self.run.made).total_seconds()
        return self.clock.monotonic() - self._began >= lives

    def _renew(self) -> None:
        patch = {
            "metadata": {"resourceVersion": self._version},
            "spec": {"renewTime": leases.shown(self.clock.now())},
        }
        try:
            self._note(self.beats.writer.merge(self.path, patch))
        except ClusterError as error:
            if error.cause not in (Cause.CONFLICT, Cause.MISSING):
                raise
            self._look(self.beats)

    def _look(self, at: Installation) -> None:
        """Whose it is now. One that is gone or free is taken back, unless another run was here."""
        found = _found(at, self.path)
        one = leases.holder(found)
        if one is not None and one.run_id == self.run.run_id:
            self._note(found)
        elif one is not None or not self._is_marked(at):
            self._lose(one)
        elif found:
            self._taken_over(at, found)
        else:
            self._created(at)

    def _is_marked(self, at: Installation) -> bool:
        return not self._mark or bool(_found(at, self._mark))

    def _note(self, held: Object) -> None:
        self._version = _version(held)

    def _lose(self, one: leases.Holder | None) -> None:
        what = (
            f"{one} has taken the Lease {self.name}" if one is not None
            else "another run has taken the Lease and removed what this one made"
        )  # fmt: skip
        self._lost = Refusal(
            Why.LEASE_LOST,
            f"{what}, for this one had not renewed it for {leases.seconds_of(self.run)} s (did its "
            "machine stand still?); what it saw since then is no proof: run the drill again",
        )

    def _tell(self, error: Exception) -> None:
        """Once in a row. Of an unforeseen error only the type, as phases tell theirs."""
        if not self._late:
            why = str(error) if isinstance(error, ClusterError) else type(error).__name__
            self.progress(f"the Lease {self.name} is not renewed, trying again: {why}")
        self._late = True


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise RefusedError(refusal)


def _found(at: Installation, path: str) -> Object:
    """{} if there is none."""
    return places.at(at.client, path) or {}


def _version(found: Object) -> str:
    return str((found.get("metadata") or {}).get("resourceVersion") or "")
