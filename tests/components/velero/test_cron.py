"""Cron expressions as Velero's own parser takes them, and the gaps between their starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.velero.cron import CronError, parse, parse_calendar
from components.velero.durations import canonical, of_seconds, seconds, spoken

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("0 2 * * *", DAY),
        ("*/15 * * * *", 15 * 60),
        ("0 */6 * * *", 6 * HOUR),
        ("0 4,16 * * *", 12 * HOUR),
        ("30 3 * * 0", 7 * DAY),
        ("0 3 * * mon-fri", 3 * DAY),
        ("0 3 * * SUN", 7 * DAY),
        ("0 0 1 * *", 31 * DAY),
        ("0 0 1 jan-dec/3 *", 92 * DAY),
        ("0 0 31 * *", 61 * DAY),
        ("0 0 1,15 * ?", 17 * DAY),
        ("50/5 1 * * *", DAY - 5 * 60),
        # Either of the two days, if neither is a star.
        ("0 0 13 * fri", 7 * DAY),
        # A star with a step restricts, and is no star any more.
        ("0 0 */2 * sun", 2 * DAY),
        ("0 0 29 2 *", 8 * 365 * DAY + DAY),
        ("@hourly", HOUR),
        ("@daily", DAY),
        ("@midnight", DAY),
        ("@weekly", 7 * DAY),
        ("@monthly", 31 * DAY),
        ("@yearly", 366 * DAY),
        ("@annually", 366 * DAY),
        ("@every 6h", 6 * HOUR),
        ("@every 1h30m", 90 * 60),
    ],
)
def test_the_longest_gap(text: str, gap: int) -> None:
    assert parse(text).longest_gap == gap


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" 0 2 * * *", "spaces at its ends"),
        ("0 2 * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("60 * * * *", "minute: '60' is not within 0 to 59"),
        ("0 24 * * *", "hour: '24' is not within 0 to 23"),
        ("0 0 0 * *", "day of month: '0' is not within 1 to 31"),
        ("0 0 * 13 *", "month: '13'"),
        ("0 0 * * 7", "Sunday is 0"),
        ("0 0 * * 5-1", "ends before it begins"),
        ("*/0 * * * *", "the step of '*/0' is 0"),
        ("1-2-3 * * * *", "'2-3' is no number"),
        ("0/1/2 * * * *", "'1/2' is no number"),
        ("-1 * * * *", "is no number"),
        ("1,,2 * * * *", "is no number"),
        ("mon * * * *", "minute: 'mon' is no number"),
        ("*-5 * * * *", "is no number"),
        ("0 0 30 feb *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("@often", "is no descriptor"),
        ("@reboot", "is no descriptor"),
        ("@every", "is no descriptor"),
        ("@every soon", "is no duration"),
        ("@every 30s", "less than a minute"),
        ("TZ=UTC 0 2 * * *", "time zone"),
        ("CRON_TZ=Europe/Rome 0 2 * * *", "write the hours in UTC"),
    ],
)
def test_a_wrong_expression_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


field = st.integers(0, 59).map(str)


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1),
    hours=st.sets(st.integers(0, 23), min_size=1),
    offset=st.integers(0, 59),
)
def test_a_shift_keeps_hours_and_the_number_of_starts(
    minutes: set[int], hours: set[int], offset: int
) -> None:
    text = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * 1-5"
    before, after = parse_calendar(text), parse_calendar(text).shifted(offset)
    assert len(after.minutes) == len(before.minutes)
    assert (after.hours, after.days) == (before.hours, before.days)


@given(st.text(alphabet="0123456789*/,-? @abcdefgh", max_size=30))
def test_any_text_is_an_expression_or_one_sentence(text: str) -> None:
    try:
        gap = parse(text).longest_gap
    except CronError:
        return
    assert gap > 0


@pytest.mark.parametrize(
    ("text", "count", "printed"),
    [
        ("720h", 720 * HOUR, "720h0m0s"),
        ("1h30m", 5400, "1h30m0s"),
        ("90m", 5400, "1h30m0s"),
        ("1.5h", 5400, "1h30m0s"),
        ("45s", 45, "45s"),
        ("1500ms", 1, "1s"),
        (".5h", 1800, "30m0s"),
    ],
)
def test_durations_as_go_reads_and_prints_them(text: str, count: int, printed: str) -> None:
    assert seconds(text) == count
    assert canonical(text) == printed


@pytest.mark.parametrize("text", ["", "30", "30d", "1w", "-1h", "h", "1h 30m", "0s", "500ms",
                                  "9999999999h"])  # fmt: skip
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"dur|second"):
        seconds(text)


@given(st.integers(1, 10**9))
def test_what_is_printed_is_read_back(count: int) -> None:
    assert seconds(of_seconds(count)) == count


@pytest.mark.parametrize(
    ("count", "said"),
    [(DAY, "1 day"), (30 * DAY, "30 days"), (5400, "90 minutes"), (61, "61 seconds")],
)
def test_durations_in_sentences(count: int, said: str) -> None:
    assert spoken(count) == said
