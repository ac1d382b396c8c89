"""Starts restored workloads in their sandbox, and waits until they are ready."""

from collections.abc import Iterable

from drills.sandbox.fence import QUOTA
from drills.sandbox.marks import RUN_LABEL, Run
from drills.usable import objects
from drills.usable.edges import CheckerError, Edges, shown
from drills.usable.objects import CHECKER, CheckerImage
from drills.usable.start import Started
from drills.verdict import Check, Reason, reason_of_error
from kube.errors import Cause, ClusterError
from kube.pods.faults import Fault
from kube.pods.readiness import NotReadyError, Wanted, wait_ready
from kube.waiting import TimeoutPassedError, until

CLIENT = "restored copy"
GOING_SECONDS = 120.0
QUOTA_SECONDS = 60.0
CHECKER_SECONDS = 300.0
_NAMESPACES = "/api/v1/namespaces"

# What was restored cannot even start: a restore in need would end there as well. What starts and
# does not become ready (it crashes, it waits for something) fails the user's expectation instead.
_CANNOT_START = frozenset(
    {
        Fault.MISSING,
        Fault.REFUSED,
        Fault.UNSCHEDULABLE,
        Fault.IMAGE,
        Fault.CONFIGURATION,
        Fault.VOLUME,
    }
)
_FENCE_REFUSES = 'violates PodSecurity "'


def clear(edges: Edges, run: Run, sandbox: str) -> None:
    """Removes the run's own pods from a sandbox: readers, and those that held copies.

    They hold volumes that only one pod may have, names of a StatefulSet's pods, and places of the
    quota. Raises CheckerError, ClusterError.
    """
    path, marks = f"{_NAMESPACES}/{sandbox}/pods", {RUN_LABEL: run.run_id}

    def gone() -> bool | None:
        there = edges.client.list(path, labels=marks)
        for one in there:
            if not one["metadata"].get("deletionTimestamp"):
                # Not at once: the node has to let go of the volumes first.
                edges.writer.delete(f"{path}/{one['metadata']['name']}", grace_seconds=1)
        return None if there else True

    try:
        until(gone, edges.waits, GOING_SECONDS, interval=1.0)
    except TimeoutPassedError:
        raise CheckerError(
            f"pods of the drill in {sandbox} were still there after {GOING_SECONDS:.0f} s; look "
            "whether their node answers"
        ) from None


def make_room(edges: Edges, run: Run, sandbox: str, pods: int) -> None:
    """Lets `pods` run, once the quota's controller knows. Raises CheckerError, ClusterError."""
    path = f"{_NAMESPACES}/{sandbox}/resourcequotas/{QUOTA}"
    edges.writer.merge(path, objects.room(run, sandbox, pods))

    def known() -> bool | None:
        # Admission counts by the status.
        hard = (edges.client.get(path).get("status") or {}).get("hard") or {}
        return True if hard.get("pods") == str(pods) else None

    try:
        until(known, edges.waits, QUOTA_SECONDS, interval=0.5)
    except TimeoutPassedError:
        raise CheckerError(
            f"the quota of {sandbox} did not take effect in {QUOTA_SECONDS:.0f} s; look whether "
            "the controller manager runs"
        ) from None


def place_checker(edges: Edges, run: Run, sandbox: str, image: CheckerImage) -> None:
    """Raises CheckerError if it does not become ready; ClusterError."""
    edges.writer.create(f"{_NAMESPACES}/{sandbox}/pods", objects.checker(run, sandbox, image))
    try:
        wait_ready(
            edges.client, Wanted(sandbox, CHECKER), clock=edges.waits, seconds=CHECKER_SECONDS,
            log_lines=0,
        )  # fmt: skip
    except NotReadyError as error:
        raise CheckerError(f"the drill's checker cannot run: {error}") from error


def open_inside(edges: Edges, run: Run, sandbox: str, dns_networks: Iterable[str]) -> None:
    """Lets pods of a sandbox talk to each other and ask for names. Raises ClusterError."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{sandbox}/networkpolicies"
    edges.writer.create(path, objects.allow(run, sandbox, tuple(dns_networks)))


def start(edges: Edges, started: Started) -> Check | None:
    """Has the workload's controller make its pods; the failed check if that is refused."""
    try:
        edges.writer.merge(started.path, started.patch)
    except ClusterError as error:
        lost = error.cause is Cause.MISSING
        reason = Reason.OBJECT_LOST if lost else reason_of_error(error)
        return _check(started, str(error), reason)
    return None


def await_ready(edges: Edges, started: Started, since: float) -> Check:
    """Waits until the workload says that it is ready. `since`: when all were started."""

    def left() -> float:
        return max(0.0, started.seconds - (edges.waits.now() - since))

    wanted = Wanted(started.sandbox, labels=started.labels, count=started.replicas)
    try:
        wait_ready(edges.client, wanted, clock=edges.waits, seconds=left(), log_lines=0)
        # Pods of another workload may bear the same labels; the workload counts its own.
        until(lambda: _counted(edges, started), edges.waits, left(), interval=1.0)
    except NotReadyError as error:
        return _check(started, _told(error), _reason(error))
    except TimeoutPassedError:
        return _check(started, f"not within {started.seconds} s", Reason.CHECK_FAILED)
    except ClusterError as error:
        return _check(started, str(error), reason_of_error(error))
    seconds = edges.waits.now() - since
    return _check(started, f"{started.replicas} ready after {seconds:.0f} s", None)


def _counted(edges: Edges, started: Started) -> bool | None:
    found = edges.client.get(started.path)
    status = found.get("status") or {}
    generation = int((found.get("metadata") or {}).get("generation") or 0)
    seen = int(status.get("observedGeneration") or 0) >= generation
    return True if seen and int(status.get("readyReplicas") or 0) >= started.replicas else None


def _reason(error: NotReadyError) -> Reason:
    if error.fault is Fault.QUOTA:
        return Reason.DRILL_FAILED  # there is no quota but the drill's own
    if error.fault is Fault.REFUSED and _FENCE_REFUSES in str(error):
        return Reason.TARGET_REFUSED
    return Reason.RESTORE_FAILED if error.fault in _CANNOT_START else Reason.CHECK_FAILED


def _told(error: NotReadyError) -> str:
    """Without what an event repeats of the output of a probe or hook."""
    text = str(error)
    return text.partition(" (")[0] if error.fault is Fault.STARTING else text


def _check(started: Started, observed: str, reason: Reason | None) -> Check:
    expected = f"ready within {started.seconds} s"
    return Check(CLIENT, f"start {started.key}", expected, shown(observed), reason)
