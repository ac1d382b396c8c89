"""What one check finds: an answer with a code and, where it was asked for, whether a text came.

Neither what a workload answers nor what a command says is kept: it may be anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drills.sandbox.marks import Run
from drills.usable import objects
from drills.usable.edges import CheckerError, Edges, asked
from drills.usable.settings import CommandCheck, HttpCheck, JobCheck, ReadyCheck
from drills.usable.start import Started, Target
from drills.verdict import Reason, reason_of_error
from kube.client import Object
from kube.errors import ClusterError
from kube.pods.container import Container
from kube.pods.execution import Ended, ExecCause, ExecError, execute, sealed
from kube.pods.faults import diagnose, is_ready, undone
from kube.waiting import WaitTimeoutError, wait_for

# The workload's own; any other cause lies between here and there, and says nothing about it.
_OF_WORKLOAD = frozenset({ExecCause.TIMEOUT, ExecCause.NOT_STARTED})


@dataclass(frozen=True)
class Answer:
    """`code` None: there was none, and `reason` says what that means. `text`: whether the wanted
    text came, None if none was wanted. `said`: for people, bounded by whoever shows it."""

    code: int | None
    text: bool | None
    said: str
    reason: Reason | None = None


@dataclass(frozen=True)
class Asker:
    """Asks the started workloads. `started`: by their keys."""

    edges: Edges
    run: Run
    started: Sequence[Started]

    def answer(self, target: Target, number: int, expected: int) -> Answer:
        """`number`: of the check, for the names of what is made. `expected`: its code."""
        check = target.check
        try:
            if isinstance(check, HttpCheck):
                return self._http(check, target.sandbox, expected)
            if isinstance(check, CommandCheck):
                return self._command(check, target)
            if isinstance(check, JobCheck):
                return self._job(check, target.sandbox, number)
            return _ready(check)
        except CheckerError as error:
            return Answer(None, None, str(error), Reason.DRILL_FAILED)
        except ClusterError as error:
            return Answer(None, None, str(error), reason_of_error(error))

    def _http(self, check: HttpCheck, sandbox: str, expected: int) -> Answer:
        question = {
            "ask": "http",
            "scheme": check.scheme,
            "host": check.service,
            "port": check.port,
            "path": check.path,
            "header": check.host,
            "expected": expected,
            "contains": check.contains,
            "seconds": check.seconds,
        }
        found = asked(self.edges, sandbox, question)
        status, tries = found.get("status"), found.get("tries")
        told = f" (asked {tries} times)" if isinstance(tries, int) and tries > 1 else ""
        if not isinstance(status, int):
            said = f"no status: {found.get('error') or 'no reason given'}{told}"
            return Answer(None, None, said, Reason.CHECK_FAILED)
        text = None if check.contains is None else found.get("found") is True
        return Answer(status, text, f"status {status}{told}")

    def _command(self, check: CommandCheck, target: Target) -> Answer:
        pod = self._pod(check, target)
        if pod is None:
            said = f"no ready pod of {check.workload} is there any more"
            return Answer(None, None, said, Reason.CHECK_FAILED)
        container = Container(target.sandbox, pod, target.container)
        try:
            ended, text = _run(self.edges, container, check)
        except ExecError as error:
            own = error.cause in _OF_WORKLOAD
            reason = Reason.CHECK_FAILED if own else Reason.DRILL_FAILED
            return Answer(None, None, str(error), reason)
        return Answer(ended.exit_code, text, f"exit code {ended.exit_code}")

    def _pod(self, check: CommandCheck, target: Target) -> str | None:
        key = next(one for one in target.needs if f"{one.resource}/{one.name}" == check.workload)
        workload = next(one for one in self.started if one.key == key)
        pods = self.edges.client.list(
            f"/api/v1/namespaces/{target.sandbox}/pods", labels=workload.labels
        )
        names = [one["metadata"]["name"] for one in pods if workload.owns(one) and is_ready(one)]
        return min(names, default=None)

    def _job(self, check: JobCheck, sandbox: str, number: int) -> Answer:
        collection = f"/apis/batch/v1/namespaces/{sandbox}/jobs"
        made = objects.job(self.run, sandbox, number, check)
        called = str(made["metadata"]["name"])
        self.edges.writer.create(collection, made)
        try:
            seen = wait_for(
                self.edges.client, f"{collection}/{called}", _over, clock=self.edges.waits,
                seconds=check.seconds, describe=_state,
            )  # fmt: skip
        except WaitTimeoutError:
            why = f"not completed within {check.seconds} s: its pod {self._why(sandbox, called)}"
            return Answer(None, None, why, Reason.CHECK_FAILED)
        if seen.found is None:
            return Answer(None, None, "its Job was deleted", Reason.DRILL_FAILED)
        if _condition(seen.found, "Complete"):
            return Answer(0, None, f"completed after {seen.seconds:.0f} s")
        said = f"failed: its pod {self._why(sandbox, called)}"
        return Answer(None, None, said, Reason.CHECK_FAILED)

    def _why(self, sandbox: str, called: str) -> str:
        """What became of a Job's pod; never what it wrote."""
        wanted = {"batch.kubernetes.io/job-name": called}
        pods = self.edges.client.list(f"/api/v1/namespaces/{sandbox}/pods", labels=wanted)
        if pods:
            return diagnose(pods[0]).text
        path = f"/api/v1/namespaces/{sandbox}/events"
        return undone(self.edges.client.list(path, fields={"involvedObject.name": called})).text


def _ready(check: ReadyCheck) -> Answer:
    # It is asked only when all that it needs is ready.
    return Answer(0, None, f"{check.workload} is ready")


def _run(edges: Edges, container: Container, check: CommandCheck) -> tuple[Ended, bool | None]:
    """Raises ExecError, ClusterError."""
    command, mark = sealed(check.command)
    try:
        return _attempt(edges, container, check, command, mark)
    except ExecError as error:
        if error.cause is not ExecCause.NOT_STARTED:
            raise
        # An image without a shell: its end can be no more than believed.
        return _attempt(edges, container, check, list(check.command), b"")


def _attempt(
    edges: Edges, container: Container, check: CommandCheck, command: Sequence[str], mark: bytes
) -> tuple[Ended, bool | None]:
    search = _Search(check.contains)
    with execute(
        edges.dial, container, command, seconds=check.seconds, mark=mark, clock=edges.waits
    ) as running:
        for chunk in running:
            search.take(chunk)
        return running.ended(), search.found


class _Search:
    """Looks for a text in pieces of an output, of which no more is kept than its own length."""

    def __init__(self, text: str | None) -> None:
        self._wanted = None if text is None else text.encode()
        self._rest = b""
        self.found: bool | None = None if text is None else False

    def take(self, chunk: bytes) -> None:
        if self._wanted is None or self.found:
            return
        whole = self._rest + chunk
        self.found = self._wanted in whole
        self._rest = whole[-(len(self._wanted) - 1) :] if len(self._wanted) > 1 else b""


def _over(found: Object | None) -> bool:
    return found is None or _condition(found, "Complete") or _condition(found, "Failed")


def _condition(found: Mapping[str, Any], kind: str) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any((one.get("type"), one.get("status")) == (kind, "True") for one in conditions)


def _state(found: Object | None) -> str:
    return "absent" if found is None else "over" if _over(found) else "running"
