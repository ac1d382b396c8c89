"""Volumes that could not be read, each with its reason: never silent, and never a volume as known.

A fault of the drill's own means (its image, its connection) says nothing of the volume. What would
keep a restored workload from its volume as well speaks against the restore.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from drills.backup.reasons import reason_of_message
from drills.verdict import Check, Reason
from drills.volumes.sources import Source
from kube.client import Object
from kube.pods.faults import Fault
from kube.pods.readiness import NotReadyError
from kube.velero.volumes import VolumeRestore

_LOST = "Lost"
_BOUND = "Bound"


@dataclass(frozen=True)
class Unread:
    """A restored volume that was not read, and why, in one sentence."""

    source: Source
    reason: Reason
    sentence: str

    def check(self) -> Check:
        """As a failed check of a drill."""
        return Check(
            str(self.source), "reading the volume", "all of it", self.sentence, self.reason
        )


_AGAIN = "look at the pod and its node, and run the drill again"
_BY_FAULT = {
    Fault.IMAGE: (Reason.DRILL_FAILED, "give the drill a reader image that the nodes can get"),
    Fault.CONFIGURATION: (Reason.DRILL_FAILED, "look at the node's container runtime"),
    Fault.UNSCHEDULABLE: (
        Reason.TARGET_REFUSED,
        "make room on a node that its workload may run on, or correct where that may run",
    ),
    Fault.VOLUME: (
        Reason.RESTORE_FAILED,
        "look at the storage driver, for a restored workload would not get the volume either",
    ),
}
# What the restore itself does in a pod that is held: it makes it, and fills its volumes before the
# idle container starts.
_BY_FAULT_HELD = dict.fromkeys(
    (Fault.MISSING, Fault.STARTING, Fault.CRASH),
    (Reason.RESTORE_FAILED, "look at the PodVolumeRestores of the restore"),
)
# Behind these a claim may stand that has no volume.
_OF_CLAIM = frozenset({Fault.UNSCHEDULABLE, Fault.STARTING, Fault.VOLUME})


def asks_for_claim(source: Source, fault: Fault) -> bool:
    """Whether the claim may say more than its pod."""
    return bool(source.claim) and fault in _OF_CLAIM


def not_ready(source: Source, error: NotReadyError, claim: Object | None, *, asked: bool) -> Unread:
    """A pod that is not ready. `claim`: as it is in the sandbox, None if not there, if `asked`."""
    begun = f"volume {source} cannot be read: {error}"
    if asked:
        found = _of_claim(source, claim)
        if found is not None:
            reason, clause = found
            return Unread(source, reason, f"{begun}, and {clause}")
    known = _BY_FAULT.get(error.fault, (Reason.DRILL_FAILED, _AGAIN))
    reason, cure = _BY_FAULT_HELD.get(error.fault, known) if source.held else known
    return Unread(source, reason, f"{begun}; {cure}")


def _of_claim(source: Source, claim: Object | None) -> tuple[Reason, str] | None:
    called = f"claim {source.namespace}/{source.claim}"
    if claim is None:
        return (
            Reason.VOLUME_LOST,
            f"{called} does not exist; look whether the restore made it, and who removed it",
        )
    phase = str((claim.get("status") or {}).get("phase") or "Pending")
    if phase == _LOST:
        return Reason.VOLUME_LOST, f"the volume of {called} is gone; look at its PersistentVolume"
    if phase != _BOUND:
        cure = "look at its events and its storage class"
        return Reason.RESTORE_FAILED, f"{called} has no volume ({phase}); {cure}"
    return None


def not_filled(source: Source, moved: Iterable[VolumeRestore]) -> Unread | None:
    """A volume that Velero did not fill, by its own records; None if it did."""
    called = f"{source.pod}/{source.volume}" if source.held else source.claim
    own = [one for one in moved if (one.namespace, one.volume) == (source.namespace, called)]
    if any(one.phase == "Completed" for one in own):
        return None
    said = own[0].phase if own else "there is no record of one"
    reason = reason_of_message(own[0].message) if own else Reason.RESTORE_FAILED
    return Unread(source, reason, f"volume {source} was not filled: its restore: {said}")


def not_own(source: Source) -> Unread:
    """A pod without the run's marks: what runs in it may have written to the volume."""
    return Unread(
        source,
        Reason.RESTORE_FAILED,
        f"volume {source} is not read: pod {source.namespace}/{source.pod} does not bear the marks "
        "of this run, so it may have changed the volume; look why Velero did not apply the drill's "
        "modifiers",
    )
