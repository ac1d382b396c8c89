"""What Velero says of a restore: its phase, and the warnings and errors that it kept."""

import re
from collections.abc import Sequence

from drills.backup.archive import Reader
from drills.backup.reasons import reason_of
from drills.frame import Record
from drills.objects import results
from drills.verdict import Check, Reason
from kube.velero.restores import Outcome, RestoreResult
from s3.errors import Cause, StoreError

MOST_MESSAGES = 50


def take(
    record: Record, result: RestoreResult, expected: Sequence[re.Pattern[str]], reader: Reader
) -> None:
    """Adds the checks. Call before the Restore is removed, which takes its files along.

    `expected`: warnings although nothing is wrong. Raises StoreError.
    """
    late = result.outcome is Outcome.TIMED_OUT
    failed = Reason.RESTORE_TIMEOUT if late else Reason.RESTORE_FAILED
    reason = None if result.faultless else failed
    said = f" ({result.message})" if result.message else ""
    record.checks.append(
        Check("velero", f"restore {result.name}", "completed", f"{result.outcome}{said}", reason)
    )
    _take_results(record, result.name, expected, reader, reason or Reason.RESTORE_FAILED)


def _take_results(
    record: Record,
    called: str,
    expected: Sequence[re.Pattern[str]],
    reader: Reader,
    without: Reason,
) -> None:
    file = f"restores/{called}/restore-{called}-results.gz"
    try:
        found = results.read(reader.pieces(file))
    except StoreError as error:
        if error.cause is not Cause.OBJECT_MISSING:
            raise
        # Velero writes them last: of a restore that did not end there are none.
        record.checks.append(Check("velero", "results", "readable", "not in the store", without))
        return
    except results.ResultsError as error:
        record.checks.append(
            Check("velero", "results", "readable", str(error), Reason.RESTORE_FAILED)
        )
        return
    red = [one for one in found.red if not any(known.search(one.text) for known in expected)]
    for message in red[:MOST_MESSAGES]:
        why = reason_of(message.cause)
        record.checks.append(Check("velero", "results", "no word of a loss", str(message), why))
    if len(red) > MOST_MESSAGES:
        more = f"and {len(red) - MOST_MESSAGES} more messages"
        record.checks.append(
            Check("velero", "results", "no word of a loss", more, Reason.RESTORE_FAILED)
        )
    if not red:
        record.checks.append(
            Check("velero", "results", "no word of a loss", f"{len(found.messages)} messages")
        )
