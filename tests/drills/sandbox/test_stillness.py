"""Which restores of dead runs Velero has lost: by what looks at them found, and when."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from drills.sandbox.stillness import GAP_SECONDS, STILL_SECONDS, Seen, Work, look, work
from kube.velero.volumes import Method, VolumeRestore

STILL = Work("backstop-drill-dead", "uid-1", "InProgress", ("7",), transfers=0)
EVERY = 2.0


def looks(*found: tuple[float, Work | None], seen: Sequence[Seen] = ()) -> Sequence[Seen]:
    """What is known when these were seen, each for so many seconds; None: looks that fail."""
    now = seen[0].now if seen else 0.0
    for seconds, one in found:
        end = now + seconds
        while now < end:
            now = min(now + EVERY, end)
            seen = () if one is None else look(seen, [one], now)
    return seen


def lost(*found: tuple[float, Work | None]) -> bool:
    (one,) = looks(*found)
    return one.lost


def changed(one: Work, **changes: Any) -> Work:
    return replace(one, versions=(*one.versions, "8"), **changes)


def test_a_restore_that_stands_still_is_lost_after_its_time_and_no_sooner() -> None:
    assert not lost((STILL_SECONDS, STILL))
    (one,) = looks((STILL_SECONDS + EVERY, STILL))
    assert (one.lost, one.seconds) == (True, STILL_SECONDS)


def test_the_first_look_says_nothing() -> None:
    assert not lost((EVERY, STILL))


def test_each_change_begins_the_time_anew() -> None:
    assert not lost((STILL_SECONDS, STILL), (STILL_SECONDS, changed(STILL)))
    assert lost((STILL_SECONDS, STILL), (STILL_SECONDS + EVERY, changed(STILL)))


def test_a_restore_that_was_lost_and_goes_on_is_lost_no_more() -> None:
    assert not lost((STILL_SECONDS + EVERY, STILL), (EVERY, changed(STILL)))


@pytest.mark.parametrize("seconds", [STILL_SECONDS + EVERY, 100 * STILL_SECONDS])
def test_a_transfer_that_has_not_ended_may_stand_still_for_any_time(seconds: float) -> None:
    assert not lost((seconds, replace(STILL, transfers=1)))


def test_the_time_begins_with_the_end_of_the_last_transfer() -> None:
    moving = replace(STILL, transfers=1)
    assert not lost((STILL_SECONDS, moving), (STILL_SECONDS, changed(STILL)))
    assert lost((STILL_SECONDS, moving), (STILL_SECONDS + EVERY, changed(STILL)))


@pytest.mark.parametrize(
    "phase",
    ["WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed", "Finalizing",
     "FinalizingPartiallyFailed"],
)  # fmt: skip
def test_what_velero_takes_up_again_by_itself_is_never_lost(phase: str) -> None:
    assert not lost((100 * STILL_SECONDS, replace(STILL, phase=phase)))


def test_looks_that_fail_are_no_stillness_and_end_the_one_before_them() -> None:
    assert not lost((STILL_SECONDS, STILL), (EVERY, None), (STILL_SECONDS, STILL))
    assert not lost((EVERY, STILL), (STILL_SECONDS, None), (EVERY, STILL))
    assert lost((EVERY, STILL), (EVERY, None), (STILL_SECONDS + EVERY, STILL))


def test_an_outage_that_one_patient_look_waited_out_ends_it_too() -> None:
    seen = looks((STILL_SECONDS - EVERY, STILL))
    (one,) = look(seen, [STILL], seen[0].now + GAP_SECONDS + 1)
    assert (one.lost, one.seconds) == (False, 0)
    (one,) = look(seen, [STILL], seen[0].now + GAP_SECONDS)
    assert one.lost


def test_each_restore_has_a_time_of_its_own() -> None:
    other = replace(STILL, name="backstop-drill-late", uid="uid-2", versions=("9",))
    seen = look(looks((STILL_SECONDS, STILL)), [STILL, other], STILL_SECONDS + EVERY)
    assert [one.lost for one in seen] == [True, False]


def test_another_restore_of_the_same_name_is_another_one() -> None:
    assert not lost((STILL_SECONDS, STILL), (STILL_SECONDS, replace(STILL, uid="uid-2")))


def test_what_is_gone_is_not_known_any_more() -> None:
    assert look(looks((STILL_SECONDS, STILL)), [], STILL_SECONDS + EVERY) == ()


def transfer(phase: str, version: str = "1") -> VolumeRestore:
    return VolumeRestore(
        "t", Method.FILE_SYSTEM, "n", "v", "n", "s", phase, "", "cp1", None, None, None, version
    )


def found(version: str) -> dict[str, Any]:
    metadata = {"name": STILL.name, "uid": STILL.uid, "resourceVersion": version}
    return {"metadata": metadata, "status": {"phase": "InProgress"}}


def test_the_state_of_a_restore_is_its_version_and_those_of_its_transfers() -> None:
    assert work(found("7"), []) == STILL
    one = work(found("7"), [transfer("Completed", "1"), transfer("Failed", "2")])
    assert one == replace(STILL, versions=("7", "1", "2"))
    assert work(found("8"), []) != STILL
    assert work(found("7"), [transfer("Completed", "3"), transfer("Failed", "2")]) != one


@pytest.mark.parametrize("phase", ["New", "Accepted", "Prepared", "InProgress", "Canceling"])
def test_a_transfer_that_waits_has_not_ended(phase: str) -> None:
    assert work(found("7"), [transfer(phase), transfer("Completed")]).transfers == 1


def test_who_still_works_is_described_in_few_words() -> None:
    assert str(STILL) == "backstop-drill-dead (InProgress)"
    assert str(replace(STILL, transfers=1)) == "backstop-drill-dead (InProgress, 1 transfer)"
    assert str(replace(STILL, transfers=2)) == "backstop-drill-dead (InProgress, 2 transfers)"
