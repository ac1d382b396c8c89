"""Waits until something is so, over restarts of the API server and of the node below it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import unquote

from kube import places
from kube.client import Client, Clock, Object
from kube.errors import RETRIED, Cause, ClusterError

INTERVAL_SECONDS = 2.0
# What ends soon is seen soon: the first pause of a wait, which then doubles up to its interval.
FIRST_PAUSE_SECONDS = 0.25
# An API server that has just started may know neither its roles nor its custom kinds yet.
_PASSING = RETRIED | {Cause.FORBIDDEN, Cause.MISSING}
# For how long in a row the API server may be away, and may refuse what it is expected to allow.
OUTAGE_SECONDS = 180.0
REFUSAL_SECONDS = 30.0
# A watch that says nothing is begun anew this often: what lies between may swallow its events.
WINDOW_SECONDS = 20.0

T = TypeVar("T")


class TimeoutPassedError(Exception):
    """It did not become so in time. `last`: what the cluster said last, None if nothing wrong."""

    def __init__(self, last: ClusterError | None) -> None:
        super().__init__("" if last is None else str(last))
        self.last = last


def until(
    ask: Callable[[], T | None],
    clock: Clock,
    seconds: float,
    *,
    interval: float = INTERVAL_SECONDS,
    passing: frozenset[Cause] = _PASSING,
) -> T:
    """The first answer of `ask` that is not None. `passing`: refusals that are waited out.

    `interval`: the longest pause between two questions; the first ones are shorter.

    Raises:
        TimeoutPassedError: there was none within `seconds`.
        ClusterError: the cluster refuses for good.
    """
    deadline = clock.now() + seconds
    pause = min(FIRST_PAUSE_SECONDS, interval)
    while True:
        last = None
        try:
            answer = ask()
            if answer is not None:
                return answer
        except ClusterError as error:
            if error.cause not in passing:
                raise
            last = error
        if clock.now() + pause > deadline:
            raise TimeoutPassedError(last)
        clock.sleep(pause)
        pause = min(pause * 2, interval)


@dataclass
class Away:
    """For how long the API server has been away in a row."""

    clock: Clock
    _since: float | None = None

    def note(self, error: ClusterError) -> None:
        """Raises the error if it is none that passes, or lasts too long."""
        now = self.clock.now()
        self._since = now if self._since is None else self._since
        if error.cause not in RETRIED or now - self._since > OUTAGE_SECONDS:
            raise error

    def over(self) -> None:
        self._since = None


@dataclass(frozen=True)
class Seen:
    """How a wait ended: the object (None: there is none), and the seconds it took."""

    found: Object | None
    seconds: float


class WaitTimeoutError(TimeoutPassedError):
    """`found`: the object as last seen, None if there is none. The text is one sentence."""

    def __init__(
        self, sentence: str, last: ClusterError | None, found: Object | None, seconds: float
    ) -> None:
        super().__init__(last)
        self.args = (sentence,)
        self.found = found
        self.seconds = seconds


Met = Callable[[Object | None], bool]
Describe = Callable[[Object | None], str]
Say = Callable[[str], None]


def phase_of(found: Object | None) -> str:
    """`status.phase`, or what stands for it: "absent" for no object, "new" before any phase."""
    if found is None:
        return "absent"
    return str((found.get("status") or {}).get("phase") or "new")


def wait_for(
    client: Client,
    path: str,
    met: Met,
    *,
    clock: Clock,
    seconds: float,
    describe: Describe = phase_of,
    say: Say | None = None,
    outage: float = OUTAGE_SECONDS,
) -> Seen:
    """Returns when `met` holds for the object at `path`; it is asked of every state that is seen.

    Each change reaches it at once by a watch, or within INTERVAL_SECONDS where no watch works.
    `met` gets None while there is no object. `describe` puts a state into a few words, and `say` is
    told them whenever they change. A client's own patience makes the deadline coarser, no more.

    Raises:
        WaitTimeoutError: not so within `seconds`.
        ClusterError: the API server was away for longer than `outage`, or refuses.
        What `met` raises.
    """
    wait = _Wait(clock, clock.now(), describe, say, outage)
    deadline = wait.started + seconds
    while True:
        began = clock.now()
        try:
            for found in _states(client, path, min(WINDOW_SECONDS, deadline - began)):
                wait.note(found)
                if met(found):
                    return Seen(found, clock.now() - wait.started)
                if clock.now() >= deadline:
                    break
        except ClusterError as error:
            wait.failed(error)
        pause = max(0.0, INTERVAL_SECONDS - (clock.now() - began))
        if clock.now() + pause >= deadline:
            raise wait.timeout(path, seconds)
        clock.sleep(pause)


@dataclass
class _Wait:
    """What one wait has seen so far."""

    clock: Clock
    started: float
    describe: Describe
    say: Say | None
    outage: float
    found: Object | None = None
    told: str = field(default="")
    error: ClusterError | None = None
    away_since: float | None = None

    def note(self, found: Object | None) -> None:
        self.found, self.error, self.away_since = found, None, None
        text = self.describe(found)
        if text != self.told and self.say is not None:
            self.say(text)
        self.told = text

    def failed(self, error: ClusterError) -> None:
        """Raises the error if it is none that passes, or if it has lasted too long."""
        if error.cause is Cause.GONE:
            return  # the next round lists anew
        now = self.clock.now()
        self.error = error
        self.away_since = now if self.away_since is None else self.away_since
        limit = self.outage if error.cause in RETRIED else min(self.outage, REFUSAL_SECONDS)
        if error.cause not in _PASSING or now - self.away_since > limit:
            raise error

    def timeout(self, path: str, seconds: float) -> WaitTimeoutError:
        state = str(self.error) if self.error else f"last seen: {self.told or 'nothing'}"
        return WaitTimeoutError(
            f"{path}: not so within {seconds:.0f} s; {state}",
            self.error,
            self.found,
            self.clock.now() - self.started,
        )


def _states(client: Client, path: str, seconds: float) -> Iterator[Object | None]:
    """The object as it is, then as it becomes, for `seconds` at most."""
    collection, _, name = path.rpartition("/")
    fields = {"metadata.name": unquote(name)}
    try:
        listed = next(client.pages(collection, fields=fields))
    except ClusterError as error:
        if error.cause is not Cause.FORBIDDEN:
            raise
        yield places.at(client, path)  # it may be read by name only
        return
    yield listed.items[0] if listed.items else None
    if seconds > 0:
        for kind, found in client.watch(
            collection, since=listed.resource_version, fields=fields, seconds=seconds
        ):
            yield None if kind == "DELETED" else found
