"""Every block is read within the days promised, whatever days there was a drill on."""

import datetime
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.longhorn import shares
from drills.longhorn.shares import due_on, part_of, part_of_day, quick

DAY = datetime.date(2026, 11, 21)

days_of = st.integers(min_value=1, max_value=400)
dates = st.dates(min_value=datetime.date(2000, 1, 1), max_value=datetime.date(2200, 1, 1))
digests = st.binary(min_size=32, max_size=32)


def later(day: datetime.date, count: int) -> datetime.date:
    return day + datetime.timedelta(days=count)


def digest(number: int) -> bytes:
    return hashlib.sha512(str(number).encode()).digest()[:32]


@given(digests, days_of, dates)
def test_any_days_in_a_row_read_a_block_exactly_once(
    one: bytes, days: int, first: datetime.date
) -> None:
    read = [quick(later(first, count), days, 1).takes(one) for count in range(days)]
    assert sum(read) == 1


@given(digests, days_of, st.integers(min_value=1, max_value=60), dates)
def test_a_drill_every_few_days_reads_a_block_within_the_days_promised(
    one: bytes, days: int, every: int, first: datetime.date
) -> None:
    # The last drill of a window may be up to `every` days before its end.
    runs = range(0, days + every, every)
    assert any(quick(later(first, count), days, every).takes(one) for count in runs)


@given(digests, st.integers(min_value=1, max_value=40), st.lists(st.integers(0, 9)), dates)
def test_drills_that_were_left_out_are_made_up_for(
    one: bytes, days: int, pauses: list[int], first: datetime.date
) -> None:
    """Whatever the gaps: when `days` have gone by since the first drill, the block was read."""
    runs, last, read = [first], first, quick(first, days, 1).takes(one)
    for pause in [*pauses, *[1] * days]:
        run = later(last, pause)
        read = read or quick(run, days, 1, last).takes(one)
        runs.append(run)
        last = run
    assert (last - first).days >= days
    assert read


@given(digests, days_of, dates)
def test_the_day_on_which_a_block_is_due_is_at_most_so_many_days_away(
    one: bytes, days: int, after: datetime.date
) -> None:
    day = due_on(one, days, after)
    assert 0 <= (day - after).days < days
    assert quick(day, days, 1).takes(one)


def test_a_days_share_is_its_part_of_many_blocks_and_little_more() -> None:
    count, days = 70_000, 7
    blocks = [digest(number) for number in range(count)]
    for back in range(days):
        share = quick(later(DAY, back), days, 1)
        taken = sum(map(share.takes, blocks))
        # Five standard deviations of the binomial distribution.
        spread = 5 * (count * (1 / days) * (1 - 1 / days)) ** 0.5
        assert abs(taken - count / days) < spread


def test_parts_do_not_depend_on_how_a_chain_is_made() -> None:
    chance = random.Random(1)  # noqa: S311
    blocks = [chance.randbytes(32) for _ in range(1000)]
    share = quick(DAY, 5, 1)
    chosen = {one for one in blocks if share.takes(one)}
    chance.shuffle(blocks)
    assert {one for one in blocks if share.takes(one)} == chosen


def test_the_same_day_reads_the_same_again_and_a_clock_gone_wrong_makes_up_for_nothing() -> None:
    today = quick(DAY, 7, 1)
    assert quick(DAY, 7, 1, DAY).parts == today.parts
    ahead = quick(DAY, 7, 1, later(DAY, 40))
    assert ahead.parts == today.parts
    assert ahead.since is None


@pytest.mark.parametrize(("gap", "parts"), [(1, 1), (2, 2), (6, 6), (7, 7), (400, 7)])
def test_after_a_gap_all_that_was_due_in_it_is_read(gap: int, parts: int) -> None:
    share = quick(DAY, 7, 1, later(DAY, -gap))
    assert len(share.parts) == parts
    assert part_of_day(DAY, 7) in share.parts
    assert share.whole is (parts == 7)


def test_full_takes_every_block() -> None:
    share = shares.full(DAY)
    assert share.whole
    assert all(share.takes(digest(number)) for number in range(100))


def test_the_receipt_says_what_is_promised() -> None:
    assert quick(DAY, 7, 1).told() == (
        "quick depth of 2026-11-21: 1 of 7 parts, by checksum; with a drill each day every block "
        "is read within 7 days"
    )
    weekly = quick(DAY, 28, 7).told()
    assert weekly.endswith("with a drill every 7 days every block is read within 28 days")
    assert shares.full(DAY).told() == "full depth: every block"


def test_no_days_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        part_of(bytes(32), 0)
