"""Waiting until an object is ready or gone, by asking the API server again and again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from standins.pulumi.kubernetes import annotations, readiness
from standins.pulumi.kubernetes.cluster import Cluster, Surroundings, is_same
from standins.pulumi.kubernetes.connection import ApiError, UnreachableError
from standins.pulumi.kubernetes.kinds import Place
from standins.pulumi.kubernetes.objects import title
from standins.pulumi.kubernetes.readiness import Verdict
from standins.pulumi.kubernetes.values import Props, text

DEFAULT_SECONDS = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
# How long a Service's endpoints must stay as they are: pods come one after another.
_SETTLE_SECONDS = 2.0
_TROUBLES = 3


class NotReadyError(Exception):
    """What is not ready or not gone, in one sentence. `live` is the object as last seen."""

    def __init__(self, sentence: str, live: Props) -> None:
        super().__init__(sentence)
        self.live = live


@dataclass(frozen=True)
class Wait:
    """How to wait: told of progress by `say`, ended early by `cancelled`."""

    say: Callable[[str], None]
    cancelled: threading.Event
    clock: Callable[[], float] = time.monotonic

    def pause(self, seconds: float) -> bool:
        """False if the engine wants to end."""
        return not self.cancelled.wait(seconds)


def until_ready(
    cluster: Cluster, place: Place, wanted: Props, live: Props, patience: tuple[float, Wait]
) -> Props:
    """The object once it is ready by its kind's rule or by `pulumi.com/waitFor`.

    `patience` are the seconds to wait and how.
    Raises NotReadyError at the deadline, when it failed for good, or when the engine ends.
    """
    judge = _judge(cluster, place, wanted)
    if judge is None:
        return live
    seconds, wait = patience
    deadline = wait.clock() + seconds
    pause, verdict, settled = _FIRST_PAUSE, Verdict(ready=False), None
    while True:
        verdict = judge(live)
        now = wait.clock()
        if verdict.ready and verdict.settles:
            settled = now if settled is None else settled
            if now - settled >= _SETTLE_SECONDS:
                return live
        elif verdict.ready:
            return live
        else:
            settled = None
            wait.say(verdict.reason)
        if verdict.failed or now >= deadline:
            raise _not_ready(cluster, live, verdict.reason, seconds, verdict)
        if not wait.pause(pause):
            raise NotReadyError(f"{title(live)} is not ready: the engine ended the wait", live)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        live = _looked_at_again(cluster, place, live, wait)


def check_now(cluster: Cluster, place: Place, wanted: Props, live: Props) -> None:
    """For a refresh. Raises NotReadyError when an object is not ready at this moment."""
    rule = readiness.rule_of(place.kind)
    if rule is None or not readiness.is_judged_on_read(place.kind):
        return
    if annotations.is_true(wanted, "skipAwait") or annotations.value(wanted, "waitFor"):
        return
    verdict = rule(live, Surroundings(cluster.connection))
    if not verdict.ready:
        raise _not_ready(cluster, live, verdict.reason, 0, verdict)


def until_gone(cluster: Cluster, place: Place, live: Props, seconds: float, wait: Wait) -> None:
    """Returns once the object that `live` is, or was, is no more. Raises NotReadyError."""
    namespace, name = text(live, "metadata", "namespace"), text(live, "metadata", "name")
    deadline, pause = wait.clock() + seconds, _FIRST_PAUSE
    while True:
        try:
            found = cluster.find(place, namespace, name)
        except (ApiError, UnreachableError) as error:
            if isinstance(error, ApiError) and not error.transient:
                raise
            found = live
        if found is None or not is_same(found, live):
            return
        live = found
        wait.say("is being deleted")
        if wait.clock() >= deadline:
            raise NotReadyError(_still_there(live, seconds), live)
        if not wait.pause(pause):
            raise NotReadyError(f"{title(live)} is still being deleted: the engine ended", live)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _judge(cluster: Cluster, place: Place, wanted: Props) -> Callable[[Props], Verdict] | None:
    if annotations.is_true(wanted, "skipAwait"):
        return None
    conditions = annotations.conditions(wanted)
    if conditions:
        return lambda live: readiness.judge_all(conditions, live)
    rule = readiness.rule_of(place.kind)
    if rule is None:
        return None
    surroundings = Surroundings(cluster.connection)
    return lambda live: rule(live, surroundings)


def _looked_at_again(cluster: Cluster, place: Place, live: Props, wait: Wait) -> Props:
    namespace, name = text(live, "metadata", "namespace"), text(live, "metadata", "name")
    try:
        found = cluster.find(place, namespace, name)
    except UnreachableError as error:
        wait.say(str(error))  # a server that restarts comes back
        return live
    except ApiError as error:
        if not error.transient:
            raise NotReadyError(f"{title(live)} cannot be looked at: {error}", live) from error
        wait.say(str(error))
        return live
    if found is None:
        raise NotReadyError(f"{title(live)} was deleted by somebody while it was waited for", live)
    return found


def _not_ready(
    cluster: Cluster, live: Props, reason: str, seconds: float, verdict: Verdict
) -> NotReadyError:
    surroundings = Surroundings(cluster.connection)
    seen = readiness.pod_troubles(surroundings.pods(live))[:_TROUBLES]
    warning = surroundings.last_warning(live)
    details = "; ".join(filter(None, (reason, *seen, warning)))
    after = f" after {seconds:g} s" if seconds and not verdict.failed else ""
    return NotReadyError(f"{title(live)} is not ready{after}: {details}", live)


def _still_there(live: Props, seconds: float) -> str:
    metadata = live.get("metadata")
    finalizers = metadata.get("finalizers") if isinstance(metadata, dict) else None
    names = ", ".join(map(str, finalizers)) if isinstance(finalizers, list) else ""
    why = f"its finalizers hold it: {names}" if names else "the server still has it"
    return f"{title(live)} is not deleted after {seconds:g} s: {why}"
