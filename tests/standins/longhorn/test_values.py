"""Durations, times, sizes and labels as Longhorn and Kubernetes write them."""

from datetime import UTC, datetime, timedelta

import pytest

from standins.longhorn import selection, sizes
from standins.longhorn.moments import duration, duration_text, moment, stamp
from standins.longhorn.records import MIB


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [("300s", 300, "5m0s"), ("5m0s", 300, "5m0s"), ("1h30m", 5400, "1h30m0s"), ("45s", 45, "45s"),
     ("1.5m", 90, "1m30s"), ("0s", 0, "0s")],
)  # fmt: skip
def test_a_duration_is_written_as_go_writes_it(text: str, seconds: int, written: str) -> None:
    assert duration(text) == timedelta(seconds=seconds)
    assert duration_text(duration(text)) == written


@pytest.mark.parametrize("text", [None, "", "5", "5m 0s", "abc", "-5m", "5mm"])
def test_what_is_no_duration_turns_polling_off(text: object) -> None:
    assert duration(text) == timedelta(0)


def test_times_are_read_as_they_are_written() -> None:
    time = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    assert stamp(time) == "2026-03-01T12:00:30Z"
    assert moment("2026-03-01T12:00:30Z") == time
    assert moment("2026-03-01T12:00:30") is None
    assert moment(None) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("1Gi", 1 << 30), ("64Mi", 64 * MIB), ("1Mi", 10 * MIB), ("11Mi", 12 * MIB),
     ("20M", 20 * MIB), ("1073741824", 1 << 30), ("1.5Gi", 1536 * MIB), ("1e9", 954 * MIB)],
)  # fmt: skip
def test_a_volume_is_as_large_as_longhorn_makes_it(text: str, size: int) -> None:
    assert sizes.volume_size(text) == size


@pytest.mark.parametrize("text", ["", "Gi", "1Xi", "1 Gi", "one"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        sizes.quantity(text)


JOB = "recurring-job.longhorn.io/nightly"
GROUP = "recurring-job-group.longhorn.io/gold"
SOURCE = "recurring-job.longhorn.io/source"


@pytest.mark.parametrize(
    ("volume", "claim", "wanted"),
    [
        ({}, {}, {selection.DEFAULT_GROUP: "enabled"}),
        ({JOB: "enabled", "other": "x"}, {}, {JOB: "enabled"}),
        ({}, {JOB: "enabled"}, {selection.DEFAULT_GROUP: "enabled"}),
        ({GROUP: "enabled"}, {SOURCE: "enabled", JOB: "enabled"}, {JOB: "enabled"}),
        ({GROUP: "enabled"}, {SOURCE: "enabled"}, {selection.DEFAULT_GROUP: "enabled"}),
        ({GROUP: "enabled"}, {SOURCE: "off", JOB: "enabled"}, {GROUP: "enabled"}),
    ],
    ids=["none", "own", "claim-not-source", "claim-wins", "claim-empty", "source-off"],
)
def test_labels_of_a_volume(
    volume: dict[str, str], claim: dict[str, str], wanted: dict[str, str]
) -> None:
    assert selection.wanted_labels(volume, claim) == wanted


def test_a_class_hands_its_jobs_on_to_new_volumes() -> None:
    parameter = '[{"name":"nightly","isGroup":false},{"name":"gold","isGroup":true}]'
    assert selection.class_labels(parameter) == {JOB: "enabled", GROUP: "enabled"}
    assert selection.class_labels("") == {}
    assert selection.class_labels('["nightly"]') == {}


def test_a_job_works_by_its_name_or_a_group() -> None:
    assert selection.selects("nightly", [], {JOB: "enabled"})
    assert selection.selects("other", ["gold"], {GROUP: "enabled"})
    assert not selection.selects("other", ["gold"], {GROUP: "disabled"})
    assert not selection.selects("gold", [], {GROUP: "enabled"})
