"""A phase that ends the drill says why in the record, and a damaged archive is a finding."""

import pytest

from drills.backup.stops import reading, stopped
from drills.frame import Record, StopDrillError
from drills.objects.canonical import NotJSONError
from drills.objects.gunzip import Fault as GunzipFault
from drills.objects.gunzip import GunzipError
from drills.objects.tar_stream import Cause, TarballError
from drills.verdict import Reason


def test_the_sentence_stands_in_the_record_and_in_the_error() -> None:
    record = Record()
    error = stopped(record, "velero", "restore point", "there is none", Reason.OBJECT_LOST)
    assert str(error) == "there is none"
    (check,) = record.checks
    assert (check.client, check.check, check.observed, check.reason) == (
        "velero", "restore point", "there is none", Reason.OBJECT_LOST)  # fmt: skip


def test_a_phase_that_goes_well_is_left_alone() -> None:
    record = Record()
    assert reading(lambda _record: "3 objects")(record) == "3 objects"
    assert record.checks == []


@pytest.mark.parametrize(
    "fault",
    [
        TarballError(Cause.TRUNCATED, "the archive ends early"),
        GunzipError(GunzipFault.TRUNCATED, "is cut off"),
        NotJSONError("an object is no JSON"),
    ],
)
def test_an_unreadable_archive_is_a_damaged_restore_point(fault: Exception) -> None:
    def fail(_record: Record) -> str:
        raise fault

    record = Record()
    with pytest.raises(StopDrillError) as caught:
        reading(fail)(record)
    assert [one.reason for one in record.checks] == [Reason.RESTORE_POINT_DAMAGED]
    assert str(fault) in str(caught.value)


def test_a_fault_of_the_drill_is_none_of_the_archive() -> None:
    def fail(_record: Record) -> str:
        raise KeyError("name")

    record = Record()
    with pytest.raises(KeyError):
        reading(fail)(record)
    assert record.checks == []
