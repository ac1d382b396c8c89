"""The truth recorded around the restore point of a drill: found, and fit for it or not.

One that is there and does not fit is a finding. Were it passed over, whoever damages a truth would
be left with the weaker witness, the live cluster, and nobody would know.
"""

from drills.backup.truths import Truths
from drills.frame import NotCompared, Record
from drills.objects.truth import Head, Truth, encloses
from drills.objects.truth_file import TruthError
from drills.points import Point
from drills.verdict import Check, Reason

_WITHOUT = (
    "none were recorded around this backup, so that what was changed or deleted since then has no "
    "witness but the backup itself; `python -m stack drill backup` makes one with them"
)


def usable(record: Record, truths: Truths, point: Point, uid: str) -> Truth | None:
    """The truth about `point`; its absence, or what is wrong with it, goes into the record.

    `uid`: of the site's cluster. Raises StoreError.
    """
    what = f"lists of the cluster around {point.name}"
    try:
        truth = truths.read(point.name)
    except TruthError as error:
        record.checks.append(_check(what, str(error)))
        return None
    if truth is None:
        record.not_compared.append(NotCompared("lists of the cluster", 0, _WITHOUT))
        return None
    wrong = fault(truth.head, point, uid)
    record.checks.append(_check(what, wrong))
    return None if wrong else truth


def fault(head: Head, point: Point, uid: str) -> str:
    """Why a truth says nothing about a restore point, in one sentence; empty if it does."""
    if head.cluster_uid != uid:
        return f"they are of the cluster {head.cluster_uid}, and this site's is {uid}"
    if head.backup != point.name:
        return f"they are of backup {head.backup}; somebody renamed the file"
    return encloses(head, point.started, point.completed)


def _check(what: str, wrong: str) -> Check:
    fits = "readable, and of this backup"
    return Check("truth", what, fits, wrong or fits, Reason.TRUTH_UNUSABLE if wrong else None)
