"""Restore points: which are usable, which one is drilled, how old its data is."""

import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from drills import point_choice, points
from drills.point_choice import Choice, NoPointError, Way
from drills.points import State
from drills.rotation import Trial
from drills.verdict import Reason, Verdict, verdict_of

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def text(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def backup(name: str, age: float = 1.0, **more: Any) -> dict[str, Any]:
    """A backup that began `age` hours ago and completed a quarter of an hour later."""
    started = NOW - age * HOUR
    status = {
        "phase": "Completed",
        "startTimestamp": text(started),
        "completionTimestamp": text(started + HOUR / 4),
        "expiration": text(started + 720 * HOUR),
        **more.pop("status", {}),
    }
    labels = {
        "velero.io/schedule-name": more.pop("schedule", "daily"),
        "velero.io/storage-location": "default",
    }
    metadata = {"name": name, "labels": labels, **more.pop("metadata", {})}
    return {"metadata": metadata, "status": status, **more}


def chosen(backups: Sequence[dict[str, Any]], choice: Choice, trials: Sequence[Trial] = ()) -> str:
    return point_choice.choose(points.read(backups, NOW), choice, NOW, trials).name


def test_a_completed_backup_is_a_point_with_its_schedule_place_and_times() -> None:
    (point,) = points.read([backup("a", 2)], NOW).usable
    assert (point.name, point.schedule, point.location) == ("a", "daily", "default")
    assert point.started == NOW - 2 * HOUR
    assert point.completed == NOW - 1.75 * HOUR
    assert point.expires == NOW + 718 * HOUR


UNUSABLE = [
    ({"phase": ""}, State.IN_PROGRESS, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "Queued"}, State.IN_PROGRESS, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "InProgress"}, State.IN_PROGRESS, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "FinalizingPartiallyFailed"}, State.IN_PROGRESS, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "PartiallyFailed"}, State.PARTIALLY_FAILED, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "Failed"}, State.FAILED, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "FailedValidation"}, State.REFUSED, Reason.RESTORE_POINT_UNFINISHED),
    ({"phase": "Deleting"}, State.DELETING, Reason.RESTORE_POINT_MISSING),
    ({"expiration": text(NOW)}, State.EXPIRED, Reason.RESTORE_POINT_MISSING),
    ({"completionTimestamp": None}, State.TIMELESS, Reason.RESTORE_POINT_MISSING),
    ({"startTimestamp": "yesterday"}, State.TIMELESS, Reason.RESTORE_POINT_MISSING),
    ({"startTimestamp": text(NOW + HOUR)}, State.AHEAD_OF_CLOCK, Reason.CLOCK_SKEW),
]


@pytest.mark.parametrize(("status", "state", "reason"), UNUSABLE)
@pytest.mark.parametrize("way", ["latest", "longest-unproven", "name", "age"])
def test_what_cannot_be_restored_from_is_named_with_its_state(
    status: dict[str, Any], state: State, reason: Reason, way: Way
) -> None:
    shelf = points.read([backup("one", status=status)], NOW)
    assert not shelf.usable
    assert [(one.name, one.state) for one in shelf.unusable] == [("one", state)]
    with pytest.raises(NoPointError) as refused:
        point_choice.choose(shelf, Choice(way, name="one"), NOW)
    assert refused.value.reason is reason
    assert "one" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_state_is_tested() -> None:
    assert {state for _, state, _ in UNUSABLE} | {State.EXPIRING} == set(State)


def test_a_backup_that_is_being_deleted_is_no_point() -> None:
    gone = backup("gone", metadata={"deletionTimestamp": text(NOW)})
    shelf = points.read([gone, backup("asked")], NOW, deleting={"asked"})
    assert {one.state for one in shelf.unusable} == {State.DELETING}


def test_a_backup_that_expires_during_the_drill_is_no_point() -> None:
    short = backup("short", status={"expiration": text(NOW + HOUR)})
    assert points.read([short], NOW, needed=HOUR / 2).usable
    (refused,) = points.read([short], NOW, needed=2 * HOUR).unusable
    assert refused.state is State.EXPIRING


def test_a_backup_without_expiry_never_expires() -> None:
    (point,) = points.read([backup("kept", status={"expiration": None})], NOW).usable
    assert point.expires is None


def test_only_the_asked_schedules_count() -> None:
    backups = [backup("a"), backup("b", schedule="weekly"), {"metadata": {"name": "by-hand"}}]
    shelf = points.read(backups, NOW, schedules={"weekly"})
    assert [point.name for point in shelf.usable] == ["b"]
    assert not shelf.unusable


OTHERS = [
    backup("weekly-1", schedule="weekly", spec={"storageLocation": "default"}),
    backup("weekly-2", schedule="weekly", spec={"storageLocation": "default"}),
    backup("by-hand", schedule="", spec={"storageLocation": "default"}),
    backup("far", spec={"storageLocation": "far"}),
]


@pytest.mark.parametrize("way", ["latest", "longest-unproven", "age"])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"schedules": ["monthly", "daily"], "location": "default"},
         "there is no backup in location default of schedule daily or monthly, only others: "
         "1 in location far, 1 of no schedule, 2 of schedule weekly; make one"),
        ({"location": "gone"},
         "there is no backup in location gone, only others: 3 in location default, "
         "1 in location far; make one"),
        ({"schedules": ["monthly"]},
         "there is no backup of schedule monthly, only others: 1 of no schedule, "
         "1 of schedule daily, 2 of schedule weekly; make one"),
    ],
)  # fmt: skip
def test_where_only_others_are_it_is_said_what_they_are(
    way: Way, asked: dict[str, Any], told: str
) -> None:
    shelf = points.read(OTHERS, NOW, **asked)
    assert (shelf.usable, shelf.unusable) == ((), ())
    with pytest.raises(NoPointError) as refused:
        point_choice.choose(shelf, Choice(way), NOW)
    assert refused.value.reason is Reason.RESTORE_POINT_MISSING
    assert str(refused.value).startswith(told)


def test_a_name_that_is_there_and_not_meant_is_told_as_that() -> None:
    shelf = points.read(OTHERS, NOW, location="default", schedules=["weekly"])
    for called, is_ in (("far", "in location far"), ("by-hand", "of no schedule")):
        with pytest.raises(NoPointError) as refused:
            point_choice.choose(shelf, Choice("name", name=called), NOW)
        assert str(refused.value).startswith(
            f"backup {called} is {is_}, and this drill takes those in location default of schedule "
            "weekly;"
        )
    assert point_choice.choose(shelf, Choice("name", name="weekly-1"), NOW).name == "weekly-1"


def test_a_failure_tells_what_velero_said() -> None:
    failed = backup("f", status={"phase": "Failed", "failureReason": "no such\nbucket"})
    with pytest.raises(NoPointError, match=r"Failed \(no such bucket\); read `velero backup logs"):
        chosen([failed], Choice("latest"))


def test_nothing_at_all_is_missing_and_unproven() -> None:
    with pytest.raises(NoPointError, match="no backup at all") as refused:
        chosen([], Choice("latest"))
    assert refused.value.reason is Reason.RESTORE_POINT_MISSING
    assert verdict_of(refused.value.reason) is Verdict.UNPROVEN


FOUR = [backup("b1", 100), backup("b2", 60), backup("b3", 30), backup("b4", 2)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice("latest"), "b4"),
        (Choice("age", age=48 * HOUR), "b2"),
        (Choice("age", age=60 * HOUR), "b2"),
        (Choice("age"), "b4"),
        (Choice("name", name="b1"), "b1"),
        (Choice("longest-unproven"), "b1"),
    ],
)
def test_the_choice_is_the_point_it_names(choice: Choice, expected: str) -> None:
    assert chosen(list(reversed(FOUR)), choice) == expected


def test_a_newer_failed_backup_is_passed_over_and_named() -> None:
    shelf = points.read([*FOUR, backup("b5", 1, status={"phase": "PartiallyFailed"})], NOW)
    point = point_choice.choose(shelf, Choice("latest"), NOW)
    assert point.name == "b4"
    assert [one.name for one in shelf.newer_than(point)] == ["b5"]


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice("age", age=200 * HOUR), "no backup is 8 days, 8:00:00 old.*b1, is 4 days, 4:00:00"),
        (Choice("name", name="b9"), "no backup b9; the newest usable one is b4"),
    ],
)
def test_a_choice_that_nothing_meets_is_missing(choice: Choice, says: str) -> None:
    with pytest.raises(NoPointError, match=says) as refused:
        chosen(FOUR, choice)
    assert refused.value.reason is Reason.RESTORE_POINT_MISSING


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("latest", Choice("latest")),
        ("longest-unproven", Choice("longest-unproven")),
        ({"age": "48h"}, Choice("age", age=48 * HOUR)),
        ({"age": "2d12h30m5s"}, Choice("age", age=60.5 * HOUR + datetime.timedelta(seconds=5))),
        ({"name": "daily-1"}, Choice("name", name="daily-1")),
    ],
)
def test_choices_are_read(given: object, expected: Choice) -> None:
    assert point_choice.parse_choice(given) == expected


@pytest.mark.parametrize(
    "given",
    ["newest", "", None, 3, {}, {"age": "48"}, {"age": ""}, {"age": "1h2d"}, {"age": 48},
     {"name": ""}, {"name": 1}, {"age": "1h", "name": "x"}, {"at": "1h"}],
)  # fmt: skip
def test_anything_else_is_no_choice(given: object) -> None:
    with pytest.raises(ValueError, match="restorePoint") as refused:
        point_choice.parse_choice(given)
    assert "\n" not in str(refused.value)


def test_a_trial_sends_a_point_to_the_back_and_the_next_one_follows() -> None:
    trials = [("b1", NOW - 20 * HOUR), ("b2", NOW - 10 * HOUR)]
    assert chosen(FOUR, Choice("longest-unproven"), trials) == "b3"
    assert chosen(FOUR, Choice("longest-unproven"), [*trials, ("b3", NOW - HOUR)]) == "b1"


def test_a_trial_of_an_older_backup_of_the_same_name_does_not_count() -> None:
    assert chosen(FOUR, Choice("longest-unproven"), [("b1", NOW - 200 * HOUR)]) == "b1"


def test_a_trial_that_a_wrong_clock_put_into_the_future_does_not_count() -> None:
    trials = [("b1", NOW + 900 * HOUR), ("b2", NOW - HOUR)]
    assert chosen(FOUR, Choice("longest-unproven"), trials) == "b1"
    assert chosen(FOUR, Choice("longest-unproven"), [*trials, ("b1", NOW)]) == "b3"


def test_ages_count_from_the_beginning_of_the_backup() -> None:
    (point,) = points.read([backup("a", 2)], NOW).usable
    assert points.age_seconds(point, NOW) == 7200
    assert points.rpo_seconds(point, NOW) == 7200
    assert points.rpo_seconds(point, NOW, NOW - 1.9 * HOUR) == pytest.approx(6840)
    assert points.age_seconds(point, NOW - 3 * HOUR) == 0
