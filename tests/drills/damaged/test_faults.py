"""The table of faults: each is told by its name, can be planted, and must be called by a reason."""

import pytest

from drills.damaged.faults import ARCHIVE_FAULTS, FAULTS, REPOSITORY_FAULTS, Fault, named
from drills.verdict import Reason
from tests.drills.damaged import samples


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_changes_a_copy(fault: Fault) -> None:
    before = samples.whole()
    copy = samples.copy_of(before)
    fault.plant(copy)
    after = {key: copy.objects.get(key) for key in copy.objects.keys("")}
    assert after != before


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_by_its_name(fault: Fault) -> None:
    assert named(fault.name) is fault


def test_an_unknown_name_is_none_of_them() -> None:
    with pytest.raises(KeyError):
        named("no-such-fault")


def test_names_are_told_apart() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert set(FAULTS) == {*ARCHIVE_FAULTS, *REPOSITORY_FAULTS}


def test_a_lost_repository_a_lost_key_and_a_damaged_one_are_told_apart() -> None:
    assert {fault.expected for fault in REPOSITORY_FAULTS} == {
        Reason.REPOSITORY_VANISHED, Reason.REPOSITORY_KEY_WRONG, Reason.RESTORE_POINT_DAMAGED,
    }  # fmt: skip
