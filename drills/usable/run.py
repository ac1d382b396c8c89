"""The user's checks, from an opened sandbox to a verdict on each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drills.frame import Compared, NotCompared, Record
from drills.objects.keys import ObjectKey
from drills.rto import Span
from drills.sandbox.marks import Run
from drills.usable import launch, network
from drills.usable.answers import Answer, Asker
from drills.usable.edges import CheckerError, Edges, shown
from drills.usable.objects import CheckerImage
from drills.usable.settings import CommandCheck, HttpCheck, JobCheck, UserCheck
from drills.usable.start import StartPlan, Target
from drills.verdict import Check, Reason

CLIENT = "user check"
_HOW = "restored workloads, started in their sandbox, against what the check expects"
_CURE = "have a network plugin that enforces NetworkPolicies, or give no checks"


@dataclass(frozen=True)
class Lens:
    """What the drill believes that a check must end with; a control puts one that lies."""

    expected: Callable[[UserCheck], int] = lambda check: check.code


@dataclass(frozen=True)
class Terms:
    """`must_be_closed`: nothing is started where the network of a sandbox is not seen to be closed.
    `dns_networks`: CIDRs of name servers that are no pods of kube-system."""

    image: CheckerImage
    must_be_closed: bool = True
    dns_networks: Sequence[str] = ()


@dataclass
class Usable:
    """What came of the checks. `spans`: for rto.measured."""

    checks: list[Check] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def into(self, record: Record) -> None:
        """Adds all but the spans, which the drill measures together with its own."""
        record.checks += self.checks
        record.compared += self.compared
        record.not_compared += self.not_compared

    def words(self) -> str:
        """For people."""
        passed = len(self.compared)
        failed = sum(not one.ok for one in self.checks)
        return f"{passed} user checks run, {failed} findings"


def use(
    edges: Edges, run: Run, made: StartPlan, terms: Terms, *, lens: Lens | None = None
) -> Usable:
    """Opens the sandboxes of `made`, starts their workloads, runs the checks.

    The fence's namespaces, network policies and quotas are there, and nothing that the drill still
    needs runs in them. What is made bears the run's marks, and goes with the sandboxes.

    Raises ClusterError while the sandboxes are opened; later it is a finding of the check.
    """
    found = Usable()
    for unfit in made.unfit:
        found.checks.append(_failed(unfit.check, unfit.why, unfit.reason))
    opened = [
        one for one, pods in made.pods.items()
        if _opened(edges, run, one, found, pods=pods, terms=terms)
    ]  # fmt: skip
    ready = _started(edges, made, opened, found)
    began = edges.clock.monotonic()
    asker = Asker(edges, run, made.started)
    view = lens or Lens()
    for number, target in enumerate(made.targets, start=1):
        why_not = _hindrance(target, opened, ready)
        if why_not:
            found.checks.append(_failed(target.check, why_not, Reason.CHECK_FAILED))
        else:
            _take(asker, target, number, view, found)
    if opened:
        found.spans.append(("checks", began, edges.clock.monotonic()))
    return found


def _opened(
    edges: Edges, run: Run, sandbox: str, found: Usable, *, pods: int, terms: Terms
) -> bool:
    """Makes a sandbox ready for workloads; what speaks against it is a failed check."""
    try:
        launch.clear(edges, run, sandbox)
        launch.make_room(edges, run, sandbox, pods)
        launch.place_checker(edges, run, sandbox, terms.image)
        trial = network.while_closed(edges, sandbox)
        if trial.holds or not terms.must_be_closed:
            launch.open_inside(edges, run, sandbox, terms.dns_networks)
            trial = network.while_open(edges, sandbox, trial)
    except CheckerError as error:
        check = Check("drill", f"checker in {sandbox}", "at work", shown(error),
                      Reason.DRILL_FAILED)  # fmt: skip
        found.checks.append(check)
        return False
    if trial.holds or terms.must_be_closed:
        reason = None if trial.holds else Reason.TARGET_REFUSED
        observed = f"{trial.closure}: {trial.why}" + ("" if trial.holds else f"; {_CURE}")
        found.checks.append(
            Check("cluster", f"network of {sandbox}", "closed", shown(observed), reason)
        )
        return trial.holds
    found.not_compared.append(NotCompared(f"closed network of {sandbox}", 1, trial.why))
    return True


def _started(
    edges: Edges, made: StartPlan, opened: Sequence[str], found: Usable
) -> dict[ObjectKey, bool]:
    """Starts all at once, then waits for each; which of them are ready."""
    wanted = [one for one in made.started if one.sandbox in opened]
    if not wanted:
        return {}
    ready: dict[ObjectKey, bool] = {}
    began, since = edges.clock.monotonic(), edges.waits.now()
    for workload in wanted:
        refused = launch.start(edges, workload)
        if refused is not None:
            ready[workload.key] = False
            found.checks.append(refused)
    for workload in wanted:
        if workload.key not in ready:
            check = launch.await_ready(edges, workload, since)
            edges.progress(f"{workload.key}: {check.observed}")
            ready[workload.key] = check.ok
            found.checks.append(check)
    found.spans.append(("ready", began, edges.clock.monotonic()))
    return ready


def _hindrance(target: Target, opened: Sequence[str], ready: Mapping[ObjectKey, bool]) -> str:
    """Why a check cannot be run, "" if it can; what is behind it is a finding already."""
    if target.sandbox not in opened:
        return "it was not run, for its sandbox was not opened"
    missing = [one for one in target.needs if not ready.get(one)]
    return f"it was not run, for {missing[0]} is not ready" if missing else ""


def _take(asker: Asker, target: Target, number: int, lens: Lens, found: Usable) -> None:
    expected = lens.expected(target.check)
    answer = asker.answer(target, number, expected)
    check = judged(target.check, answer, expected)
    asker.edges.progress(f"{CLIENT} {check.check}: {check.observed}")
    found.checks.append(check)
    if answer.code is not None:
        found.compared.append(Compared(f"{CLIENT} {target.check.name}", 1, None, _HOW))


def judged(check: UserCheck, answer: Answer, expected: int) -> Check:
    """The answer against what was expected of it."""
    wanted, told = _wanted(check, expected), answer.said
    reason = answer.reason
    if answer.code is not None and (answer.code != expected or answer.text is False):
        reason = Reason.CHECK_FAILED
    if answer.code is None and reason is None:
        reason = Reason.DRILL_FAILED
    if answer.text is not None:
        told += ", and the text" if answer.text else ", and not the text"
    return Check(CLIENT, check.name, wanted, shown(told), reason)


def _wanted(check: UserCheck, expected: int) -> str:
    if isinstance(check, HttpCheck | CommandCheck):
        code = "status" if isinstance(check, HttpCheck) else "exit code"
        return f"{code} {expected}" + (", and a text" if check.contains is not None else "")
    usual = "completed" if isinstance(check, JobCheck) else "ready"
    return usual if expected == check.code else f"code {expected}"


def _failed(check: UserCheck, why: str, reason: Reason) -> Check:
    return Check(CLIENT, check.name, _wanted(check, check.code), shown(why), reason)
