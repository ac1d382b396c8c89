"""Time to usable: only what a restore in need would do as well, each second once."""

import pytest

from drills.rto import PHASES, Rto, measured


def test_phases_add_up_and_what_lies_between_does_not_count() -> None:
    spans = [("fetch", 0.0, 2.0), ("objects", 2.0, 5.5), ("volumes", 5.5, 30.0),
             ("ready", 100.0, 103.0), ("checks", 103.0, 104.0)]  # fmt: skip
    found = measured(reversed(spans))
    assert list(found.seconds) == list(PHASES)
    assert found.seconds["objects"] == 3.5
    assert found.total == 34.0


def test_a_phase_may_have_several_spans_and_may_be_missing() -> None:
    found = measured([("fetch", 0, 1), ("volumes", 1, 2), ("fetch", 2, 4)])
    assert found.seconds == {"fetch": 3.0, "volumes": 1.0}
    assert measured([]).total == 0


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([("fetch", 0, 2), ("objects", 1, 3)], "objects begins before"),
        ([("fetch", 0, 9), ("objects", 1, 3)], "objects begins before"),
        ([("fetch", 2, 1)], "fetch begins before"),
        ([("compare", 0, 1)], "compare is no phase"),
    ],
)
def test_times_that_cannot_be_added_are_refused(
    spans: list[tuple[str, float, float]], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        measured(spans)


def test_a_limit_is_passed_only_beyond_it_and_the_longest_phase_is_named() -> None:
    found = Rto({"fetch": 1.0, "volumes": 9.0})
    assert found.over(10) is None
    assert found.over(9.9) == "10 s, more than the limit of 10 s; longest was volumes with 9 s"
