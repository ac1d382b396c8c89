"""Why a pod is not ready, from the pod and the events about it: decisions on plain objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kube.client import Object
from kube.errors import one_line


class Fault(StrEnum):
    """Why a pod is not ready."""

    MISSING = "missing"
    REFUSED = "refused"
    QUOTA = "quota-exceeded"
    TERMINATING = "terminating"
    UNSCHEDULABLE = "unschedulable"
    IMAGE = "image"
    CONFIGURATION = "configuration"
    VOLUME = "volume"
    CRASH = "crash"
    EVICTED = "evicted"
    ENDED = "ended"
    NOT_READY = "not-ready"
    STARTING = "starting"


@dataclass(frozen=True)
class Diagnosis:
    """`text`: a clause behind the pod's name. `lasting`: waiting does not help.

    `container`: whose log may say more, "" for none.
    """

    fault: Fault
    text: str
    lasting: bool = False
    container: str = ""


_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CONFIGURATION = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError"}
)
_VOLUME_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_LASTING = frozenset({"InvalidImageName", "ErrImageNeverPull"})


def is_ready(pod: Object) -> bool:
    """Whether the pod's condition Ready holds, and it is not on its way out."""
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return False
    return (_condition(pod, "Ready") or {}).get("status") == "True"


def diagnose(pod: Object, events: Sequence[Object] = ()) -> Diagnosis:
    """Why the pod is not ready. `events`: those about it, in any order."""
    return (
        _outside(pod)
        or next(_of_containers(pod), None)
        or _of_events(events)
        or Diagnosis(Fault.STARTING, "has not started yet")
    )


def undone(events: Sequence[Object]) -> Diagnosis:
    """Why there is no pod at all: what a controller was told when it tried to make one."""
    refusals = [one for one in _newest_first(events) if one.get("reason") == "FailedCreate"]
    if not refusals:
        return Diagnosis(Fault.MISSING, "does not exist")
    said = one_line(refusals[0].get("message"), 300)
    fault = Fault.QUOTA if "exceeded quota" in said else Fault.REFUSED
    return Diagnosis(fault, f"is not made: {said}")


def newest_warning(events: Sequence[Object]) -> str:
    """Its reason and message, as "FailedMount (no such volume)"; "" where none is a warning."""
    newest = _warning(events)
    return "" if newest is None else _said(newest)


def _outside(pod: Object) -> Diagnosis | None:
    """What stands in the way before the containers, or instead of them."""
    status = pod.get("status") or {}
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return Diagnosis(Fault.TERMINATING, "is being deleted", lasting=True)
    if status.get("phase") == "Succeeded":
        return Diagnosis(Fault.ENDED, "has ended, where it should go on", lasting=True)
    if status.get("phase") == "Failed" and status.get("reason"):
        said = one_line(status.get("message") or "", 300)
        text = f"was ended by its node: {status['reason']}" + (f" ({said})" if said else "")
        return Diagnosis(Fault.EVICTED, text, lasting=True)
    scheduled = _condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        said = one_line(scheduled.get("message") or scheduled.get("reason") or "", 300)
        return Diagnosis(Fault.UNSCHEDULABLE, f"fits on no node: {said}")
    return None


def _of_containers(pod: Object) -> Iterator[Diagnosis]:
    status = pod.get("status") or {}
    failed = status.get("phase") == "Failed"
    for key in ("initContainerStatuses", "containerStatuses"):
        for held in status.get(key) or []:
            # One that goes on beside the others is ready, and then in nobody's way.
            before_others = key.startswith("init") and not held.get("ready")
            found = _of_container(held, failed=failed, before_others=before_others)
            if found is not None:
                yield found


def _of_container(held: Object, *, failed: bool, before_others: bool) -> Diagnosis | None:
    name, state = str(held.get("name", "")), held.get("state") or {}
    ended = state.get("terminated") or {}
    if ended.get("exitCode"):
        return Diagnosis(Fault.CRASH, _crash(name, ended, held), failed, name)
    if "running" in state and before_others:
        text = f"waits for its init container {name}"
        return Diagnosis(Fault.STARTING, text, container=name)
    if "running" in state and held.get("ready") is False:
        text = f"has container {name} running, which does not become ready"
        return Diagnosis(Fault.NOT_READY, text, container=name)
    return _of_waiting(name, state.get("waiting") or {}, held)


def _of_waiting(name: str, waiting: Object, held: Object) -> Diagnosis | None:
    reason, said = str(waiting.get("reason") or ""), one_line(waiting.get("message") or "", 300)
    told = f" ({said})" if said else ""
    if reason in _IMAGE:
        text = f"cannot get the image {held.get('image', '')} of container {name}: {reason}{told}"
        return Diagnosis(Fault.IMAGE, text, reason in _LASTING, name)
    if reason in _CONFIGURATION:
        text = f"cannot make container {name}: {reason}{told}"
        return Diagnosis(Fault.CONFIGURATION, text, container=name)
    if reason == "CrashLoopBackOff":
        before = (held.get("lastState") or {}).get("terminated") or {}
        return Diagnosis(Fault.CRASH, _crash(name, before, held), container=name)
    return None


def _crash(name: str, ended: Object, held: Object) -> str:
    code, reason = ended.get("exitCode", "?"), ended.get("reason") or "no reason"
    restarts = held.get("restartCount") or 0
    again = f", {restarts} restarts" if restarts else ""
    return f"has container {name} ending with exit code {code} ({reason}{again})"


def _of_events(events: Sequence[Object]) -> Diagnosis | None:
    newest = _warning(events)
    if newest is None:
        return None
    fault = Fault.VOLUME if newest.get("reason") in _VOLUME_EVENTS else Fault.STARTING
    return Diagnosis(fault, f"has not started yet: {_said(newest)}")


def _warning(events: Sequence[Object]) -> Object | None:
    return next((one for one in _newest_first(events) if one.get("type") == "Warning"), None)


def _said(event: Object) -> str:
    return f"{event.get('reason') or 'Warning'} ({one_line(event.get('message') or '', 300)})"


def _newest_first(events: Sequence[Object]) -> list[Object]:
    def time(one: Object) -> str:
        metadata = one.get("metadata") or {}
        series = (one.get("series") or {}).get("lastObservedTime")
        last = series or one.get("lastTimestamp") or one.get("eventTime")
        return str(last or metadata.get("creationTimestamp") or "")

    return sorted(events, key=time, reverse=True)


def _condition(pod: Object, kind: str) -> dict[str, Any] | None:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), None)
