"""A restore from its manifest to its end: made once, watched phase by phase, judged by nobody here.

Phases as Velero 1.18 writes them (pkg/apis/velero/v1/restore_types.go): New, FailedValidation,
InProgress, WaitingForPluginOperations and Finalizing (both also ...PartiallyFailed), Completed,
PartiallyFailed, Failed. A server that starts marks the restores that it finds InProgress as Failed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from kube.client import Clock
from kube.errors import Cause, ClusterError
from kube.velero import progress, server
from kube.velero.api import ENDED, Object, Velero, VeleroError, labels, name, phase, reasons, status
from kube.velero.progress import Told
from kube.waiting import OUTAGE_SECONDS, WaitTimeoutError, wait_for
from kube.writer import ExistsError

STILL_SECONDS = 30.0
"""After this long without a change somebody is asked what a restore waits for, and so on."""

_KIND = "restores"

Say = Callable[[str], None]


class Outcome(StrEnum):
    """How a restore ended. Only `completed` is an end without a fault that Velero saw.

    SERVER_RESTARTED: Velero's server ended while the restore ran, and failed it when it came back.
    TIMED_OUT: the restore goes on, or no server works on it. VANISHED: somebody deleted it.
    """

    COMPLETED = "completed"
    PARTIALLY_FAILED = "partially-failed"
    FAILED = "failed"
    FAILED_VALIDATION = "failed-validation"
    SERVER_RESTARTED = "server-restarted"
    TIMED_OUT = "timed-out"
    VANISHED = "vanished"


_OUTCOMES = {
    "Completed": Outcome.COMPLETED,
    "PartiallyFailed": Outcome.PARTIALLY_FAILED,
    "Failed": Outcome.FAILED,
    "FailedValidation": Outcome.FAILED_VALIDATION,
}


@dataclass(frozen=True)
class RestoreResult:
    """What Velero says of a restore. `phase` is its own word, "" before it looked at it.

    `timings`: seconds in each phase that was seen, in order, up to the one it ended in. `seconds`:
    all of it. `message`: Velero's reasons on one line, "" if it gives none, and how its server
    ended if it did; the texts of warnings and errors are in the store. `operations_*`: asynchronous
    ones of items, as data movement.
    """

    name: str
    uid: str
    outcome: Outcome
    phase: str
    seconds: float
    timings: Mapping[str, float] = field(default_factory=dict)
    errors: int = 0
    warnings: int = 0
    items: int = 0
    hooks_attempted: int = 0
    hooks_failed: int = 0
    operations_attempted: int = 0
    operations_failed: int = 0
    message: str = ""

    @property
    def faultless(self) -> bool:
        """Whether Velero itself saw no fault; warnings are for the caller to judge."""
        failed = self.errors + self.hooks_failed + self.operations_failed
        return self.outcome is Outcome.COMPLETED and not failed


def create_restore(velero: Velero, manifest: Mapping[str, Any]) -> Object:
    """Makes the Restore; returns it as the server holds it.

    The manifest needs a name, and labels of this run: by them a restore is known that was made by a
    request whose answer was lost.

    Raises:
        ExistsError: another restore of that name is there.
        VeleroError: the manifest is none, or of another namespace.
        ClusterError: the cluster is not reached, or refuses.
    """
    _check(velero, manifest)
    path = velero.path(_KIND, name(manifest))
    try:
        return velero.writer.create(velero.collection(_KIND), manifest)
    except ExistsError:
        raise
    except ClusterError as error:
        if error.cause not in (Cause.UNREACHABLE, Cause.BUSY):
            raise
        found = _found(velero, path)
        if found is None or not labels(manifest).items() <= labels(found).items():
            raise
        return found


def wait_restore(
    velero: Velero,
    made: Object,
    *,
    seconds: float,
    say: Say | None = None,
    waits_for: Callable[[], str] | None = None,
    outage: float = OUTAGE_SECONDS,
) -> RestoreResult:
    """Waits until the restore `made` has ended, and says how; also when it did not in time.

    `say` hears each phase, with how many items came back. `waits_for` is asked where nothing
    changes any more, and its answer told with the rest, "" for none. `outage`: for how long the API
    server may be away in a row.

    Raises:
        ClusterError: the cluster is away for longer, or refuses.
    """
    course = _Course(velero, name(made), str(made["metadata"]["uid"]))
    state = _State(velero.clock, waits_for)
    try:
        wait_for(
            velero.client,
            velero.path(_KIND, name(made)),
            course.over,
            clock=velero.clock,
            seconds=seconds,
            describe=state,
            say=None if say is None else _telling(velero, name(made), say),
            outage=outage,
        )
    except WaitTimeoutError as error:
        said = f" ({error.last})" if error.last else ""
        message = f"after {seconds:.0f} s still {state(course.last)}{said}"
        return course.result(Outcome.TIMED_OUT, message)
    if course.vanished:
        return course.result(Outcome.VANISHED, "was deleted while it ran")
    ended = course.result(_outcome(course.last), reasons(course.last))
    if ended.outcome is not Outcome.SERVER_RESTARTED:
        return ended
    # Asked when its time has been taken: the answer may have to be waited for.
    how = server.end_behind(velero, course.last)
    return replace(ended, message="; ".join(filter(None, (ended.message, how))))


def _check(velero: Velero, manifest: Mapping[str, Any]) -> None:
    metadata = manifest.get("metadata") or {}
    if manifest.get("kind") != "Restore" or not metadata.get("name") or not metadata.get("labels"):
        raise VeleroError("no restore to make: the manifest needs kind Restore, a name and labels")
    if metadata.get("namespace", velero.namespace) != velero.namespace:
        raise VeleroError(
            f"restore {name(manifest)} is of namespace {metadata['namespace']}, and Velero runs in "
            f"{velero.namespace}; make it there"
        )


def _found(velero: Velero, path: str) -> Object | None:
    try:
        return velero.client.get(path)
    except ClusterError:
        return None


class _Course:
    """What was seen of one restore: its last state, and when each phase was seen first."""

    def __init__(self, velero: Velero, called: str, uid: str) -> None:
        self._clock = velero.clock
        self._name, self._uid = called, uid
        self._started = velero.clock.now()
        self._phases: list[tuple[str, float]] = [("New", self._started)]
        self.last: Object = {}
        self.vanished = False

    @property
    def phase(self) -> str:
        return phase(self.last)

    def over(self, found: Object | None) -> bool:
        if found is None or str(found["metadata"].get("uid")) != self._uid:
            self.vanished = True
            return True
        self.last = found
        now_in = phase(found) or "New"
        if now_in != self._phases[-1][0]:
            self._phases.append((now_in, self._clock.now()))
        return phase(found) in ENDED

    def result(self, outcome: Outcome, message: str) -> RestoreResult:
        held = status(self.last)
        hooks, counts = held.get("hookStatus") or {}, held.get("progress") or {}
        return RestoreResult(
            self._name,
            self._uid,
            outcome,
            self.phase,
            round(self._clock.now() - self._started, 3),
            self._timings(),
            errors=int(held.get("errors") or 0),
            warnings=int(held.get("warnings") or 0),
            items=int(counts.get("itemsRestored") or 0),
            hooks_attempted=int(hooks.get("hooksAttempted") or 0),
            hooks_failed=int(hooks.get("hooksFailed") or 0),
            operations_attempted=int(held.get("restoreItemOperationsAttempted") or 0),
            operations_failed=int(held.get("restoreItemOperationsFailed") or 0),
            message=message,
        )

    def _timings(self) -> dict[str, float]:
        ends = [began for _, began in self._phases[1:]] + [self._clock.now()]
        return {
            called: round(end - began, 3)
            for (called, began), end in zip(self._phases, ends, strict=True)
            if called not in ENDED
        }


def _outcome(found: Object) -> Outcome:
    if phase(found) == "Failed" and server.has_restarted(found):
        return Outcome.SERVER_RESTARTED
    return _OUTCOMES[phase(found)]


def _telling(velero: Velero, called: str, say: Say) -> Say:
    return Told(lambda text: say(f"restore {called}: {text}"), velero.clock)


class _State:
    """A restore's state in words, and what it waits for once it stands still."""

    def __init__(self, clock: Clock, waits_for: Callable[[], str] | None) -> None:
        self._clock = clock
        self._waits_for = waits_for
        self._text, self._why = "", ""
        self._asked = clock.now()

    def __call__(self, found: Object | None) -> str:
        now, text = self._clock.now(), _progress(found)
        if text != self._text:
            self._text, self._why, self._asked = text, "", now
        elif self._waits_for is not None and now - self._asked >= STILL_SECONDS:
            self._why, self._asked = self._waits_for(), now
        return f"{text}; {self._why}" if self._why else text


def _progress(found: Object | None) -> str:
    if found is None:
        return "gone"
    counts = status(found).get("progress") or {}
    return progress.text(phase(found), counts.get("itemsRestored", 0), counts.get("totalItems", 0))
