"""Cron expressions are read as Velero's scheduler reads them."""

from datetime import date, timedelta

import pytest

from policies.cron import Cron, longest_gap, read


def _read(expression: str) -> Cron:
    found = read(expression)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("0 2 * * *", 24),
        ("17 * * * *", 1),
        ("*/15 * * * *", 0.25),
        ("0 2,14 * * *", 12),
        ("0 2-6/2 * * *", 20),
        ("0 20/2 * * *", 22),
        ("0 2 * * sun", 7 * 24),
        ("0 2 * * mon-fri", 3 * 24),
        ("0 0 1 * *", 31 * 24),
        ("0 0 31 * *", 61 * 24),
        ("0 0 1 jan ?", 366 * 24),
        ("0 3 1,15 * 1", 7 * 24),
        ("0 3 */2 * 1", 2 * 24),
    ],
)
def test_longest_time_between_two_runs(expression: str, hours: float) -> None:
    assert longest_gap(_read(expression)) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 2 * *",
        "0 0 2 * * *",
        "@daily",
        "x 2 * * *",
        "60 2 * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 7",
        "0 0 * * mon-sun",
        "0 5-2 * * *",
        "*/0 * * * *",
        "1/ * * * *",
        "1- * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "²  2 * * *",
        "CRON_TZ=UTC 0 2 * * *",
        "0 0 99999999999999999999 * *",
    ],
)
def test_what_cannot_be_read_is_refused(expression: str) -> None:
    assert read(expression) is None


def test_day_and_weekday_together_mean_either() -> None:
    cron = _read("0 0 13 * fri")
    assert cron.runs_on(date(2026, 11, 13))
    assert cron.runs_on(date(2026, 11, 20))
    assert cron.runs_on(date(2026, 12, 13))
    assert not cron.runs_on(date(2026, 11, 21))


def test_a_day_that_hardly_comes_has_no_period_to_judge() -> None:
    assert longest_gap(_read("0 0 30 2 *")) is None
