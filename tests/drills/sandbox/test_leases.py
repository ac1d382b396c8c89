"""What stands in a Lease, who is told by it, and what one observer makes of it."""

import datetime
from typing import Any

import pytest

from drills.sandbox import leases
from drills.sandbox.leases import Life, Watch
from drills.sandbox.marks import read
from tests.drills.sandbox.runs import HOUR, NOW, RUN_ID, run


def made(**spec: Any) -> dict[str, Any]:
    found = leases.content(run(), "velero", NOW, by="process 7 on here")
    return {**found, "spec": {**found["spec"], **spec}}


def test_it_says_who_holds_it_and_bears_the_runs_marks() -> None:
    found = leases.content(run(), "velero", NOW, by="process 7 on here")
    assert found["metadata"]["name"] == "backstop-drill-kube-objects"
    assert found["metadata"]["namespace"] == "velero"
    assert read(found) == run()
    assert found["spec"] == {
        "holderIdentity": RUN_ID,
        "leaseDurationSeconds": 60,
        "acquireTime": "2026-11-21T12:00:00.000000Z",
        "renewTime": "2026-11-21T12:00:00.000000Z",
    }


def test_times_are_in_utc_and_so_fine_that_each_renewal_shows() -> None:
    east = datetime.timezone(datetime.timedelta(hours=2))
    moment = NOW.astimezone(east) + datetime.timedelta(microseconds=7)
    assert leases.shown(moment) == "2026-11-21T12:00:00.000007Z"


def test_its_holder_is_told_for_people() -> None:
    one = leases.holder(made())
    assert str(one) == f"run {RUN_ID} (process 7 on here), since 12:00:00 UTC by its clock"
    bare = leases.holder({"spec": {"holderIdentity": "x"}})
    assert str(bare) == "run x"
    assert bare is not None
    assert bare.seconds == leases.LEASE_SECONDS, "who says nothing gets as much time as anybody"
    assert leases.holder({"spec": {}}) is None


@pytest.mark.parametrize(("seconds", "renews"), [(1, True), (60, True), (61, False), (7200, False)])
def test_one_that_is_good_for_hours_is_never_renewed(seconds: int, renews: bool) -> None:
    one = leases.holder(made(leaseDurationSeconds=seconds))
    assert one is not None
    assert one.renews is renews


@pytest.mark.parametrize(
    ("spec", "later", "held"),
    [
        ({}, 0, True),
        ({}, 1.99, True),
        ({}, 2, False),
        ({"holderIdentity": ""}, 0, False),
        ({"renewTime": "x"}, 0, False),
        ({"renewTime": None}, 0, False),
    ],
)
def test_one_that_is_never_renewed_ends_by_its_times(
    spec: dict[str, Any], later: float, held: bool
) -> None:
    found = made(leaseDurationSeconds=7200, **spec)
    refusal = leases.never_renewed(found, NOW + later * HOUR)
    assert (refusal is not None) is held
    if refusal is not None:
        assert "until 14:00:00 UTC" in refusal.sentence


def test_an_observer_counts_from_its_first_look() -> None:
    watch, found = Watch(), made()
    assert watch.is_new
    assert [watch.look(found, 60, now) for now in (1000, 1059.9, 1060)] == [
        Life.UNKNOWN, Life.UNKNOWN, Life.EXPIRED,
    ]  # fmt: skip
    assert not watch.is_new


@pytest.mark.parametrize(
    "change",
    [
        {"renewTime": "2026-11-21T11:00:00.000000Z"},
        {"holderIdentity": "other"},
        {"acquireTime": "2026-11-21T12:00:01.000000Z"},
    ],
)
def test_any_change_of_what_it_says_is_a_sign_of_life(change: dict[str, Any]) -> None:
    """Also backwards: nobody's clock is trusted."""
    watch = Watch()
    watch.look(made(), 60, 0)
    assert watch.look(made(**change), 60, 60) is Life.RENEWED


def test_another_object_of_its_name_is_another_one() -> None:
    watch = Watch()
    watch.look({**made(), "metadata": {"uid": "1"}}, 60, 0)
    assert watch.look({**made(), "metadata": {"uid": "2"}}, 60, 60) is Life.RENEWED


def test_a_note_that_somebody_puts_on_it_is_no_sign_of_life() -> None:
    watch = Watch()
    watch.look({**made(), "metadata": {"uid": "1", "resourceVersion": "1"}}, 60, 0)
    noted = {"uid": "1", "resourceVersion": "2", "annotations": {"a": "b"}}
    assert watch.look({**made(), "metadata": noted}, 60, 60) is Life.EXPIRED


def test_an_interruption_begins_the_time_anew_and_forgets_nothing() -> None:
    watch = Watch()
    watch.look(made(), 60, 0)
    watch.interrupted()
    assert [watch.look(made(), 60, now) for now in (100, 159)] == [Life.UNKNOWN] * 2
    watch.interrupted()
    assert watch.look(made(renewTime="later"), 60, 300) is Life.RENEWED
