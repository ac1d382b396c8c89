"""What the controls of all layers share: names, turns, and when a fault counts as noticed."""

import datetime

import pytest

from drills.controls import Planted, Score, check_name, next_in_turn
from drills.payload import PayloadError
from drills.receipt import ControlResult
from drills.verdict import Judgement, Reason, Verdict

DAY = datetime.date(2026, 3, 1)


def result(killed: bool) -> ControlResult:
    return ControlResult("any", "something", killed=killed)


@pytest.mark.parametrize(
    ("judgement", "killed"),
    [
        (Judgement(Verdict.BROKEN, Reason.OBJECT_LOST, ""), True),
        (Judgement(Verdict.BROKEN, Reason.OBJECT_DIFFERS, ""), False),
        (Judgement(Verdict.UNPROVEN, Reason.DRILL_FAILED, ""), False),
        (Judgement(Verdict.PROVEN, None, ""), False),
    ],
)
def test_a_fault_is_noticed_by_its_own_reason_only(judgement: Judgement, killed: bool) -> None:
    planted = Planted("dropped", "an object is gone", Reason.OBJECT_LOST, lambda: judgement)
    assert planted.result(planted.run()).killed is killed
    assert planted.unfinished().killed is False


def test_turns_reach_all_and_move_with_receipts_and_days() -> None:
    every = ("a", "b", "c")
    assert {next_in_turn(every, receipts, DAY) for receipts in range(3)} == set(every)
    days = (DAY + datetime.timedelta(days=n) for n in range(3))
    assert {next_in_turn(every, 7, day) for day in days} == set(every)
    assert next_in_turn((), 0, DAY) is None


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    for name in ("rotate", "none", "dropped"):
        check_name(name, ["dropped"])
    with pytest.raises(PayloadError, match=r"control: 'drop' is unknown; .* rotate, none, dropped"):
        check_name("drop", ["dropped"])


@pytest.mark.parametrize(
    ("twin", "controls", "complete"),
    [(True, [True, True], True), (True, [True, False], False), (False, [], False)],
)
def test_a_score_is_complete_if_the_twin_was_green_and_all_were_noticed(
    twin: bool, controls: list[bool], complete: bool
) -> None:
    score = Score(result(twin), [result(killed) for killed in controls])
    assert score.complete is complete
    assert score.killed == sum(controls)
