"""What a run sees counts only if no other run took it for dead meanwhile: that one may have removed
what this one looked at, and then a fault is no finding."""

from collections.abc import Callable
from contextlib import suppress

from drills.backup.stops import stopped
from drills.frame import Record, StopDrillError
from drills.lease import Lease
from drills.sandbox.safety import RefusedError
from kube.errors import ClusterError


def going(lease: Lease, record: Record, work: Callable[[], str]) -> str:
    """Does it, and ends the drill if this run was not alone.

    Raises StopDrillError, ClusterError, and what `work` raises.
    """
    before = len(record.checks)
    try:
        told = work()
    except Exception:
        with suppress(ClusterError):
            check(lease, record, before)
        raise
    check(lease, record, before)
    return told


def check(lease: Lease, record: Record, known: int) -> None:
    """`known`: how many checks of the record stand anyhow. Raises StopDrillError, ClusterError."""
    try:
        lease.check()
    except RefusedError as error:
        del record.checks[known:]
        raise refused(record, "lease", error) from None


def refused(record: Record, what: str, error: RefusedError) -> StopDrillError:
    """The error to raise, once the refusal stands in the record."""
    why = error.refusal
    return stopped(record, "cluster", what, why.sentence, why.reason)
