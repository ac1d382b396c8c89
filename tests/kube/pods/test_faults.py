"""Why a pod is not ready: each cause in one clause, by what the kubelet and scheduler write."""

from typing import Any

import pytest

from kube.pods.faults import Fault, diagnose, is_ready, undone


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "uid": "u"}, "status": status}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "main", "image": "example/db:1", "state": state, **more}


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


def event(reason: str, message: str, at: str = "2026-01-01T00:00:00Z", **more: Any) -> Any:
    return {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": at, **more}


def condition(kind: str, value: str, **more: str) -> dict[str, Any]:
    return pod(conditions=[{"type": kind, "status": value, **more}])


def test_ready_is_the_condition_of_a_pod_that_stays() -> None:
    ready = condition("Ready", "True")
    assert is_ready(ready)
    assert not is_ready(condition("Ready", "False"))
    assert not is_ready(condition("ContainersReady", "True"))
    assert not is_ready(pod())
    assert not is_ready({**ready, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})


@pytest.mark.parametrize(
    ("found", "fault", "said"),
    [
        (condition("PodScheduled", "False", reason="Unschedulable",
                   message="0/1 nodes are available:\n1 Insufficient cpu"),
         Fault.UNSCHEDULABLE, "0/1 nodes are available: 1 Insufficient cpu"),
        (condition("PodScheduled", "False", reason="SchedulingGated"), Fault.UNSCHEDULABLE,
         "SchedulingGated"),
        (pod(containerStatuses=[waiting("ImagePullBackOff", "Back-off pulling")]), Fault.IMAGE,
         "the image example/db:1 of container main: ImagePullBackOff (Back-off pulling)"),
        (pod(containerStatuses=[waiting("CreateContainerConfigError", 'secret "s" not found')]),
         Fault.CONFIGURATION, 'secret "s" not found'),
        (pod(containerStatuses=[waiting("CrashLoopBackOff", lastState=ended(137, "OOMKilled"),
                                        restartCount=4)]),
         Fault.CRASH, "exit code 137 (OOMKilled, 4 restarts)"),
        (pod(containerStatuses=[{"name": "main", "state": ended(2)}]), Fault.CRASH,
         "container main ending with exit code 2 (Error)"),
        (pod(initContainerStatuses=[{"name": "init", "state": ended(1)}],
             containerStatuses=[waiting("PodInitializing")]), Fault.CRASH, "container init"),
        (pod(containerStatuses=[{"name": "main", "ready": False, "started": True,
                                 "state": {"running": {}}}]), Fault.NOT_READY, "become ready"),
        (pod(initContainerStatuses=[{"name": "restore-wait", "state": {"running": {}}}],
             containerStatuses=[waiting("PodInitializing")]), Fault.STARTING,
         "waits for its init container restore-wait"),
        (pod(initContainerStatuses=[{"name": "proxy", "ready": True, "state": {"running": {}}}],
             containerStatuses=[waiting("ErrImagePull")]), Fault.IMAGE, "container main"),
        (pod(phase="Failed", reason="Evicted", message="low on disk"), Fault.EVICTED,
         "Evicted (low on disk)"),
        (pod(phase="Failed", containerStatuses=[{"name": "main", "state": ended(3)}]),
         Fault.CRASH, "exit code 3"),
        (pod(phase="Succeeded"), Fault.ENDED, "has ended"),
        ({"metadata": {"deletionTimestamp": "x"}}, Fault.TERMINATING, "being deleted"),
        (pod(), Fault.STARTING, "not started yet"),
        (pod(containerStatuses=[waiting("ContainerCreating")]), Fault.STARTING, "not started"),
    ],
)  # fmt: skip
def test_each_fault_is_told_apart(found: dict[str, Any], fault: Fault, said: str) -> None:
    told = diagnose(found)
    assert told.fault is fault
    assert said in told.text
    assert "\n" not in told.text


@pytest.mark.parametrize(
    ("found", "lasting"),
    [
        (pod(containerStatuses=[waiting("InvalidImageName")]), True),
        (pod(containerStatuses=[waiting("ErrImageNeverPull")]), True),
        (pod(containerStatuses=[waiting("ErrImagePull")]), False),
        (pod(containerStatuses=[waiting("CrashLoopBackOff")]), False),
        (pod(phase="Failed", containerStatuses=[{"name": "main", "state": ended(3)}]), True),
        (pod(containerStatuses=[{"name": "main", "state": ended(3)}]), False),
        (pod(phase="Succeeded"), True),
        (condition("PodScheduled", "False"), False),
    ],
)
def test_only_what_cannot_pass_ends_a_wait(found: dict[str, Any], lasting: bool) -> None:
    assert diagnose(found).lasting is lasting


def test_a_container_that_ended_well_is_no_crash() -> None:
    done = {"name": "init", "state": ended(0, "Completed"), "ready": True}
    found = pod(initContainerStatuses=[done], containerStatuses=[waiting("ErrImagePull")])
    assert diagnose(found).fault is Fault.IMAGE


def test_what_the_pod_does_not_say_its_newest_warning_says() -> None:
    events = [
        event("FailedMount", "timed out", "2026-01-01T00:00:01Z"),
        event("FailedMount", "the newest", "2026-01-01T00:00:09Z"),
        {"type": "Normal", "reason": "Scheduled", "message": "x", "lastTimestamp": "2027"},
    ]
    told = diagnose(pod(), events)
    assert told.fault is Fault.VOLUME
    assert "FailedMount (the newest)" in told.text
    assert diagnose(pod(), [event("FailedCreatePodSandBox", "cni")]).fault is Fault.STARTING


def test_events_of_the_newer_api_are_ordered_too() -> None:
    old = event("FailedMount", "old", "2026-01-01T00:00:01Z")
    new = {"type": "Warning", "reason": "FailedMount", "message": "new",
           "series": {"lastObservedTime": "2026-01-02T00:00:00.000000Z"}}  # fmt: skip
    assert "(new)" in diagnose(pod(), [old, new]).text


def test_a_pod_that_nobody_could_make_is_told_with_the_refusal() -> None:
    quota = event("FailedCreate", 'pods "a" is forbidden: exceeded quota: small, requested: x')
    assert undone([quota]).fault is Fault.QUOTA
    assert "exceeded quota: small" in undone([quota]).text
    hook = event("FailedCreate", 'admission webhook "w" denied the request', "2026-02-01T00:00:00Z")
    assert undone([quota, hook]).fault is Fault.REFUSED
    assert undone([]).fault is Fault.MISSING
    assert undone([event("FailedScheduling", "x")]).fault is Fault.MISSING


def test_a_long_message_is_cut() -> None:
    told = diagnose(pod(containerStatuses=[waiting("ErrImagePull", "x" * 10_000)]))
    assert len(told.text) < 500
