"""No two schedules start in the same minute, and every run finds the same minutes."""

import pytest

from components.velero.cron import Calendar, CronError, parse
from components.velero.stagger import spread


def starts(text: str) -> set[tuple[int, int]]:
    calendar = parse(text)
    assert isinstance(calendar, Calendar)
    return {(hour, minute) for hour in calendar.hours for minute in calendar.minutes}


def test_expressions_that_never_meet_stay_as_they_are() -> None:
    given = {"daily": "0 2 * * *", "weekly": "0 3 * * 0", "fixed": "@every 6h"}
    assert spread(given) == given


def test_the_later_name_is_moved_by_a_minute() -> None:
    assert spread({"b": "0 2 * * *", "a": "@daily", "c": "0 2 * * *"}) == {
        "b": "0 2 * * *",
        "a": "@daily",
        "c": "1 2 * * *",
    }


def test_schedules_of_different_days_do_not_meet() -> None:
    given = {"even": "0 2 * * 1,3,5", "odd": "0 2 * * 2,4,6"}
    assert spread(given) == given


def test_tiers_meet_only_sometimes_and_are_spread_all_the_same() -> None:
    found = spread({"daily": "0 2 * * *", "hourly": "0 * * * *", "weekly": "0 2 * * 0"})
    assert found == {"daily": "0 2 * * *", "hourly": "1 * * * *", "weekly": "2 2 * * 0"}


def test_a_minute_past_the_hour_stays_in_its_hour() -> None:
    assert spread({"a": "59 2 * * *", "b": "59 2 * * *"})["b"] == "0 2 * * *"


def test_the_order_of_the_config_does_not_matter() -> None:
    given = {"a": "0 2 * * *", "b": "0 2 * * *", "c": "*/30 * * * *"}
    assert spread(given) == spread(dict(reversed(given.items())))


def test_sixty_fit_into_an_hour_and_one_more_does_not() -> None:
    found = spread({f"s{number:02d}": "0 2 * * *" for number in range(60)})
    assert len(set.union(*map(starts, found.values()))) == 60
    with pytest.raises(CronError, match="no minute of its hours is free"):
        spread({f"s{number:02d}": "0 2 * * *" for number in range(61)})
