"""How a phase ends the drill, so that its record says why."""

from collections.abc import Callable

from drills.frame import Record, StopDrillError
from drills.objects.canonical import NotJSONError
from drills.objects.gunzip import GunzipError
from drills.objects.tar_stream import TarballError
from drills.verdict import Check, Reason


def stopped(record: Record, who: str, what: str, sentence: str, reason: Reason) -> StopDrillError:
    """The error to raise, once its check stands in the record."""
    record.checks.append(Check(who, what, "as it should be", sentence, reason))
    return StopDrillError(sentence)


def reading(run: Callable[[Record], str]) -> Callable[[Record], str]:
    """The phase, for which an unreadable archive is a finding and no fault of the drill."""

    def guarded(record: Record) -> str:
        try:
            return run(record)
        except (TarballError, GunzipError, NotJSONError) as error:
            damaged = Reason.RESTORE_POINT_DAMAGED
            raise stopped(record, "backup", "archive", str(error), damaged) from None

    return guarded
