"""What a drill calls it when Velero cannot bring a volume's data back."""

from drills.verdict import Reason
from kube.velero.volume_faults import Cause, cause_of

_BY_CAUSE = {
    Cause.KEY_WRONG: Reason.REPOSITORY_KEY_WRONG,
    Cause.REPOSITORY_VANISHED: Reason.REPOSITORY_VANISHED,
    Cause.REPOSITORY_DAMAGED: Reason.RESTORE_POINT_DAMAGED,
    Cause.SNAPSHOT_MISSING: Reason.RESTORE_POINT_DAMAGED,
    Cause.CONTENT_MISSING: Reason.RESTORE_POINT_DAMAGED,
    Cause.CONTENT_DAMAGED: Reason.RESTORE_POINT_DAMAGED,
}


def reason_of(cause: Cause | None) -> Reason:
    """The reason for a cause; RESTORE_FAILED where nothing was said of data."""
    return Reason.RESTORE_FAILED if cause is None else _BY_CAUSE[cause]


def reason_of_message(message: str) -> Reason:
    """The reason in a whole message of Velero's."""
    return reason_of(cause_of(message))
