"""Waits until pods are ready, or says in one sentence why one is not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kube.client import Client, Clock, Object
from kube.pods.container import Container
from kube.pods.faults import Diagnosis, Fault, diagnose, is_ready, undone
from kube.pods.logs import last_lines
from kube.waiting import TimeoutPassedError, until

INTERVAL_SECONDS = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """Pods of a namespace: the one of `name`, or at least `count` with all of `labels`."""

    namespace: str
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    count: int = 1

    def __str__(self) -> str:
        chosen = self.name or ",".join(f"{key}={value}" for key, value in self.labels.items())
        return f"{self.namespace}/{chosen}"


class NotReadyError(Exception):
    """A pod is not ready; the text is one sentence. `seconds`: how long it was waited for."""

    def __init__(self, fault: Fault, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.fault = fault
        self.seconds = seconds


@dataclass(frozen=True)
class Ready:
    """The pods, and the seconds until all of them were ready."""

    pods: tuple[Object, ...]
    seconds: float


def wait_ready(
    client: Client,
    wanted: Wanted,
    *,
    clock: Clock,
    seconds: float,
    log_lines: int,
    say: Say | None = None,
) -> Ready:
    """Returns when every wanted pod is ready.

    Faults that may pass (an image, a place, a crash) are waited out, others end the wait.
    `log_lines`: how many last lines of a crashed container the sentence shows; 0 for workloads of
    others, whose logs may hold secrets. `say` hears each change of the reason.

    Raises:
        NotReadyError: not so within `seconds`, or never.
        ClusterError: the cluster refuses.
    """
    started = clock.now()
    seen = _Seen()

    def look() -> tuple[Object, ...] | None:
        pods = _pods(client, wanted)
        waiting = [pod for pod in pods if not is_ready(pod)]
        if not waiting and len(pods) >= wanted.count:
            return tuple(pods)
        seen.pod = waiting[0] if waiting else None
        seen.diagnosis = _diagnosis(client, wanted, seen.pod)
        if say is not None and seen.diagnosis.text != seen.told:
            say(f"pod {_name(seen.pod, wanted)} {seen.diagnosis.text}")
            seen.told = seen.diagnosis.text
        if seen.diagnosis.lasting:
            raise _error(client, wanted, seen, log_lines, clock.now() - started)
        return None

    try:
        return Ready(until(look, clock, seconds, interval=INTERVAL_SECONDS), clock.now() - started)
    except TimeoutPassedError as error:
        if seen.diagnosis is None and error.last is not None:
            raise error.last from None
        raise _error(client, wanted, seen, log_lines, clock.now() - started) from None


@dataclass
class _Seen:
    pod: Object | None = None
    diagnosis: Diagnosis | None = None
    told: str = ""


def _pods(client: Client, wanted: Wanted) -> list[Object]:
    fields = {"metadata.name": wanted.name} if wanted.name else None
    path = f"/api/v1/namespaces/{wanted.namespace}/pods"
    found = client.list(path, labels=wanted.labels, fields=fields)
    # Those of an earlier revision that is going are nobody's wanted pods, unless asked by name.
    return [one for one in found if wanted.name or not one["metadata"].get("deletionTimestamp")]


def _diagnosis(client: Client, wanted: Wanted, pod: Object | None) -> Diagnosis:
    path = f"/api/v1/namespaces/{wanted.namespace}/events"
    if pod is None:
        return undone([] if wanted.name else client.list(path, fields={"reason": "FailedCreate"}))
    found = diagnose(pod)
    if found.fault is not Fault.STARTING:
        return found
    uid = str(pod["metadata"].get("uid", ""))
    return diagnose(pod, client.list(path, fields={"involvedObject.uid": uid}))


def _name(pod: Object | None, wanted: Wanted) -> str:
    return f"{wanted.namespace}/{pod['metadata']['name']}" if pod is not None else str(wanted)


def _error(
    client: Client, wanted: Wanted, seen: _Seen, log_lines: int, seconds: float
) -> NotReadyError:
    diagnosis = seen.diagnosis or Diagnosis(Fault.MISSING, "was not seen")
    text = f"pod {_name(seen.pod, wanted)} {diagnosis.text}"
    if diagnosis.fault is Fault.CRASH and log_lines and seen.pod is not None:
        text += _said(client, wanted, seen.pod, diagnosis.container, log_lines)
    return NotReadyError(diagnosis.fault, f"{text}; waited {seconds:.0f} s", seconds)


def _said(client: Client, wanted: Wanted, pod: Object, container: str, count: int) -> str:
    of = Container(wanted.namespace, str(pod["metadata"]["name"]), container)
    lines = last_lines(client, of, count)
    return f"; its last lines: {' | '.join(lines)}" if lines else ""
