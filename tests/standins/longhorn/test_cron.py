"""The minutes of a job are those of the project's own reading of cron, which previews check by."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.velero.cron import DESCRIPTORS, CronError, parse_calendar
from standins.longhorn import cron

FIELDS = (
    st.sampled_from(["*", "*/15", "0", "7,30", "10-20", "10-40/10", "5/20"]),
    st.sampled_from(["*", "2", "0-6/3", "?", "20-23"]),
    st.sampled_from(["*", "1", "15,31", "*/2", "10-12"]),
    st.sampled_from(["*", "jan", "2-4", "DEC", "*/3"]),
    st.sampled_from(["*", "0", "sun", "mon-fri", "6", "*/1"]),
)
EXPRESSIONS = st.one_of(st.tuples(*FIELDS).map(" ".join), st.sampled_from(sorted(DESCRIPTORS)))
MINUTES = st.integers(0, 4 * 366 * 1440).map(
    lambda number: datetime(2095, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
)


@given(EXPRESSIONS, MINUTES)
def test_a_minute_is_meant_by_both_or_by_neither(text: str, minute: datetime) -> None:
    try:
        calendar = parse_calendar(text)
    except CronError:
        return  # a day that no month has
    day = (minute.date() - datetime(2095, 1, 1, tzinfo=UTC).date()).days
    expected = (
        minute.minute in calendar.minutes
        and minute.hour in calendar.hours
        and bool(calendar.days >> day & 1)
    )
    assert cron.means(text, minute) == expected


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * 0 * *", "* * * * 7", "*/0 * * * *", "x * * * *",
             "5-1 * * * *", "* * * * * *", "² * * * *"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"fields|is no number|is not within"):
        cron.means(text, datetime(2026, 3, 1, tzinfo=UTC))
