"""What the controls of all layers share: names, turns, and when a fault counts as noticed."""

import datetime

import pytest

from drills.controls import Planted, Score, check_name, next_in_turn, score
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


@pytest.mark.parametrize("every", [("a", "b", "c"), ("a", "b", "c", "d")])
def test_turns_reach_all_and_move_with_receipts_or_days(every: tuple[str, ...]) -> None:
    numbers = range(len(every))
    counts = range(1, len(every) + 1)
    days = [DAY + datetime.timedelta(days=n) for n in numbers]
    assert {next_in_turn(every, receipts, DAY) for receipts in counts} == set(every)
    assert {next_in_turn(every, 0, day) for day in days} == set(every), "no receipts are kept"
    daily = {next_in_turn(every, counts[n], days[n]) for n in numbers}
    assert daily == set(every), "a drill a day keeps a receipt a day"


def test_nothing_has_no_turn() -> None:
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


def test_what_was_not_as_it_must_be_is_told_with_what_was_seen() -> None:
    lost = Judgement(Verdict.BROKEN, Reason.OBJECT_LOST, "store: an object is gone")
    proven = Judgement(Verdict.PROVEN, None, "all is well")
    said: list[str] = []
    assert not score(lost, [], said.append).complete
    blunt = Planted("blunt", "nothing", Reason.OBJECT_LOST, lambda: proven)
    sharp = Planted("sharp", "a loss", Reason.OBJECT_LOST, lambda: lost)
    assert score(proven, [blunt, sharp], said.append).killed == 1
    assert said == [
        "control: without any fault: store: an object is gone",
        "control: blunt SURVIVED: all is well",
        "control: sharp killed",
    ]
