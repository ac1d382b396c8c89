"""The rotation: how long a restore point waits for its turn at most, simulated."""

import datetime
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills import rotation
from drills.points import Point
from drills.rotation import Trial

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)


def test_rotation_needs_points() -> None:
    with pytest.raises(ValueError, match="no points"):
        rotation.longest_unproven([], [], NOW)


def simulate(lives: Sequence[tuple[int, int]], period: int, lasts: int) -> list[tuple[int, int]]:
    """Minutes and points of drills, one each period; `lives`: when points complete and expire."""
    zero = NOW - datetime.timedelta(days=1000)

    def at(minute: int) -> datetime.datetime:
        return zero + datetime.timedelta(minutes=minute)

    drilled: list[tuple[int, int]] = []
    trials: list[Trial] = []
    for minute in range(0, max(expires for _, expires in lives), period):
        there = [
            Point(str(number), "", "", at(completed), at(completed), at(expires), {})
            for number, (completed, expires) in enumerate(lives)
            if completed <= minute < expires
        ]
        if there:
            point = rotation.longest_unproven(there, trials, at(minute))
            trials.append((point.name, at(minute + lasts)))
            drilled.append((minute, int(point.name)))
    return drilled


LIFE = st.tuples(st.integers(0, 300), st.integers(1, 400)).map(lambda one: (one[0], sum(one)))


@given(
    lives=st.lists(LIFE, min_size=1, max_size=12),
    period=st.integers(1, 40),
    share=st.floats(0, 0.9),
)
def test_every_point_has_its_turn_within_as_many_drills_as_there_were_points(
    lives: list[tuple[int, int]], period: int, share: float
) -> None:
    lasts = int(period * share)
    drilled = simulate(lives, period, lasts)
    for number, (completed, expires) in enumerate(lives):
        turns = [minute for minute, point in drilled if point == number]
        # Each stretch of waiting begins when the point completed or when its last drill ended.
        for since in [completed, *(minute + lasts for minute in turns)]:
            if since >= expires:
                continue
            retained = sum(1 for begins, ends in lives if begins <= since < ends)
            bound = rotation.bound(retained)
            following = [minute for minute, _ in drilled if minute >= since][:bound]
            waited_out = len(following) == bound and following[-1] < expires
            assert not waited_out or set(turns) & set(following)


@given(
    every=st.integers(1, 30), kept=st.integers(1, 12), period=st.integers(1, 30),
    offset=st.integers(0, 29),
)  # fmt: skip
def test_where_the_rotation_covers_no_point_expires_undrilled(
    every: int, kept: int, period: int, offset: int
) -> None:
    lifetime = every * kept
    lives = [(offset + every * number, offset + every * number + lifetime) for number in range(40)]
    covers = rotation.covers(
        kept, datetime.timedelta(minutes=period), datetime.timedelta(minutes=lifetime)
    )
    drilled = {point for _, point in simulate(lives, period, 0)}
    if covers:
        assert drilled == set(range(40))
    elif period > every * 2:
        assert drilled != set(range(40))


@given(st.lists(LIFE, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_of_its_data(
    lives: list[tuple[int, int]], random: Any
) -> None:
    held = [
        Point(str(n), "", "", NOW, NOW - datetime.timedelta(minutes=begins), None, {})
        for n, (begins, _) in enumerate(lives)
    ]
    trials = [(point.name, NOW - datetime.timedelta(minutes=5)) for point in held[::2]]
    first = rotation.longest_unproven(held, trials, NOW)
    random.shuffle(held)
    random.shuffle(trials)
    assert rotation.longest_unproven(held, trials, NOW) == first
