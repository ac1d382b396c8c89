"""The runner with a layer of the test's own: what is run, what turns red, what is kept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drills.controls import Planted, judgement_of
from drills.frame import Clock, Phase, Record, StopDrillError, run_phases
from drills.receipt import Receipt
from drills.run import Choose, open_and_run, run_drill
from drills.verdict import Judgement, Reason, Verdict, judge
from kube.errors import Cause, ClusterError
from tests.support.toy_drill import LAYER, ToyDrill, check, finds, payload, raises


def control(*reasons: Reason | None, error: Exception | None = None) -> Choose:
    """A control that expects `object-lost` and leads to a record with these reasons."""

    def run() -> Judgement:
        if error is not None:
            raise error
        return judge([check(reason) for reason in reasons])

    return lambda _record: Planted("dropped-object", "an object is gone", Reason.OBJECT_LOST, run)


def never(_record: Record) -> Planted | None:
    return pytest.fail("a control was asked for")


def run(
    drill: ToyDrill, choose: Choose, directory: Path, name: str = "rotate"
) -> tuple[Receipt, Path | None]:
    return run_drill(
        drill,
        payload(control=name),
        Clock(),
        lambda _line: None,
        directory=directory,
        control=choose,
    )


def test_a_drill_and_its_control_make_a_proven_receipt_on_disk(tmp_path: Path) -> None:
    drill = ToyDrill([finds(check())])
    receipt, place = run(drill, control(Reason.OBJECT_LOST), tmp_path)
    assert (receipt.judgement.verdict, receipt.control.killed) == (Verdict.PROVEN, True)
    assert [phase.name for phase in receipt.record.phases] == ["find", "clean up", "control"]
    assert place is not None
    assert place.name.endswith(f"Z-{LAYER}-r1.json")
    kept = json.loads(place.read_text())
    assert kept["control"]["name"] == "dropped-object"
    assert (kept["versions"]["toy"], kept["versions"]["drill"]) == ("1.2", "toy/2")


def test_a_phase_that_raises_is_red_tidied_and_runs_no_control(tmp_path: Path) -> None:
    drill = ToyDrill([finds(check()), raises(ClusterError(Cause.UNREACHABLE, "no answer"))])
    receipt, place = run(drill, never, tmp_path)
    assert receipt.judgement.reason is Reason.CLUSTER_UNREACHABLE
    assert drill.tidied == 1
    assert place is not None
    assert json.loads(place.read_text())["verdict"] == "unproven"


def test_a_control_on_a_red_drill_is_not_run(tmp_path: Path) -> None:
    receipt, _ = run(ToyDrill([finds(check(Reason.FILE_LOST))]), never, tmp_path)
    assert receipt.judgement.reason is Reason.FILE_LOST
    assert (receipt.control.name, receipt.control.killed) == ("none", False)
    assert receipt.control.planted == "not run: the drill itself is red"


def test_a_control_that_is_switched_off_is_not_run(tmp_path: Path) -> None:
    receipt, _ = run(ToyDrill([finds(check())]), never, tmp_path, name="none")
    assert receipt.judgement.verdict is Verdict.PROVEN
    assert receipt.control.planted == "switched off in the payload"


@pytest.mark.parametrize(
    ("led_to", "observed"),
    [((None,), "proven"), ((Reason.OBJECT_LOST, Reason.RESTORE_FAILED), "broken restore-failed")],
)
def test_a_control_that_is_green_or_red_for_another_reason_has_survived(
    tmp_path: Path, led_to: tuple[Reason | None, ...], observed: str
) -> None:
    receipt, place = run(ToyDrill([finds(check())]), control(*led_to), tmp_path)
    assert receipt.judgement.reason is Reason.CONTROL_SURVIVED
    assert receipt.judgement.detail.endswith(f"expected red with object-lost, observed {observed}")
    assert place is not None
    kept = json.loads(place.read_text())
    assert (kept["verdict"], kept["control"]["killed"]) == ("broken", False)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("SENTINEL"), Reason.DRILL_FAILED),
        (StopDrillError("no copy could be made"), Reason.DRILL_FAILED),
        (ClusterError(Cause.FORBIDDEN, "forbidden"), Reason.POLICY_TOO_NARROW),
    ],
)
def test_a_control_that_could_not_run_is_never_green(
    tmp_path: Path, error: Exception, reason: Reason
) -> None:
    receipt, _ = run(ToyDrill([finds(check())]), control(error=error), tmp_path)
    assert receipt.judgement.reason is reason
    assert (receipt.control.name, receipt.control.verdict) == ("dropped-object", "")
    assert "SENTINEL" not in receipt.text()


def test_a_control_that_could_not_be_chosen_is_never_green(tmp_path: Path) -> None:
    def choose(_record: Record) -> Planted | None:
        raise StopDrillError("no copy could be made")

    receipt, _ = run(ToyDrill([finds(check())]), choose, tmp_path)
    assert receipt.judgement.reason is Reason.DRILL_FAILED
    assert receipt.control.planted == "not run: no copy could be made"


def test_a_site_with_nothing_to_plant_in_is_proven_and_says_so(tmp_path: Path) -> None:
    receipt, _ = run(ToyDrill([finds(check())]), lambda _record: None, tmp_path)
    assert receipt.judgement.verdict is Verdict.PROVEN
    assert receipt.control.planted == "not run: this site has nothing to plant the fault in"


def test_the_choice_of_a_control_sees_what_the_drill_found(tmp_path: Path) -> None:
    seen: list[int] = []

    def choose(record: Record) -> Planted | None:
        seen.append(len(record.checks))
        return None

    run(ToyDrill([finds(check(), check())]), choose, tmp_path)
    assert seen == [2]


def test_an_interrupt_tidies_and_leaves_no_receipt(tmp_path: Path) -> None:
    drill = ToyDrill([raises(KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        run(drill, never, tmp_path)
    assert drill.tidied == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_tells_what_could_not_be_removed() -> None:
    """There is no receipt that would."""

    def stays(record: Record) -> str:
        record.left.append("Restore backstop-drill-r1: Velero still works on it")
        return "1 object removed"

    lines: list[str] = []
    phases, closing = [raises(KeyboardInterrupt())], [Phase("clean up", stays)]
    with pytest.raises(KeyboardInterrupt):
        run_phases(LAYER, phases, closing, Clock(), lines.append)
    assert lines[-1].endswith("left     Restore backstop-drill-r1: Velero still works on it")


def test_a_drill_can_be_run_for_its_judgement_alone() -> None:
    drill = ToyDrill([finds(check(Reason.OBJECT_LOST))])
    assert judgement_of(drill, Clock()).reason is Reason.OBJECT_LOST
    assert drill.tidied == 1


def opened(
    open_drill: Callable[[], ToyDrill], directory: Path, *, name: str = "rotate"
) -> tuple[Receipt, list[ToyDrill]]:
    """A run that opens its drill itself; and the drills that a control was chosen for."""
    seen: list[ToyDrill] = []

    def choose(drill: ToyDrill, _record: Record) -> Planted | None:
        seen.append(drill)
        return None

    receipt, place = open_and_run(
        open_drill, payload(control=name), Clock(), lambda _line: None,
        directory=directory, control=choose,
    )  # fmt: skip
    assert place is not None
    assert json.loads(place.read_text())["runId"] == receipt.run_id
    return receipt, seen


def test_a_drill_that_is_opened_runs_as_ever_and_its_control_sees_it(tmp_path: Path) -> None:
    drill = ToyDrill([finds(check())])
    receipt, seen = opened(lambda: drill, tmp_path)
    assert (receipt.judgement.verdict, receipt.run_id) == (Verdict.PROVEN, drill.run_id)
    assert (seen, drill.tidied) == ([drill], 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClusterError(Cause.CREDENTIAL_EXPIRED, "it ended"), Reason.TLS_EXPIRED),
        (ClusterError(Cause.KUBECONFIG, "no CA"), Reason.CLUSTER_UNREACHABLE),
        (KeyError("SENTINEL"), Reason.DRILL_FAILED),
    ],
)
def test_what_cannot_be_opened_is_red_in_its_first_phase(
    tmp_path: Path, error: Exception, reason: Reason
) -> None:
    def fails() -> ToyDrill:
        raise error

    receipt, seen = opened(fails, tmp_path)
    assert (receipt.layer, receipt.judgement.reason, seen) == (LAYER, reason, [])
    assert [phase.name for phase in receipt.record.phases] == ["find"]
    assert receipt.control.planted == "not run: the drill itself is red"
    assert "SENTINEL" not in receipt.text()


def test_an_interrupt_while_it_is_opened_leaves_no_receipt(tmp_path: Path) -> None:
    def interrupted() -> ToyDrill:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(interrupted, tmp_path)
    assert list(tmp_path.iterdir()) == []
