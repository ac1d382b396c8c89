"""What must go before Velero goes, and in which order: restores, locations, records of backups.

A restore's record has a finalizer that only a running server removes; without this step the
deletion of the namespace would hang for ever. No backup is deleted in the store: the records come
back by themselves as soon as a location points at their data again.
"""

from collections.abc import Callable, Sequence

from kube.velero.api import LOCATION_LABEL, Velero, labels, name
from kube.velero.removal import release
from kube.waiting import TimeoutPassedError, until

# A server that works removes them in seconds; one that is gone never does.
FINALIZER_SECONDS = 60.0

Say = Callable[[str], None]


def leave(
    velero: Velero, locations: Sequence[str], *, restores: bool, seconds: float, say: Say
) -> None:
    """Removes the records of restores, then each location with its records of backups.

    Raises:
        ClusterError: the cluster is not reached, or refuses.
    """
    if restores:
        _remove_restores(velero, min(seconds, FINALIZER_SECONDS), say)
    for location in locations:
        # The location first: while it is there, the server writes the records anew.
        velero.writer.delete(velero.path("backupstoragelocations", location))
        for kind in ("backups", "backuprepositories"):
            held = [
                one
                for one in velero.client.list(velero.collection(kind))
                if labels(one).get(LOCATION_LABEL) == location
            ]
            for one in held:
                velero.writer.delete(velero.path(kind, name(one)))
            if held:
                say(f"location {location}: {len(held)} {kind} taken out of the cluster's records")


def _remove_restores(velero: Velero, seconds: float, say: Say) -> None:
    there = velero.client.list(velero.collection("restores"))
    for one in there:
        velero.writer.delete(velero.path("restores", name(one)))
    if not there:
        return

    def gone() -> bool | None:
        return True if not velero.client.list(velero.collection("restores")) else None

    try:
        until(gone, velero.clock, seconds)
    except TimeoutPassedError:
        left = velero.client.list(velero.collection("restores"))
        say(f"{len(left)} restores are not removed by the server; removing their finalizers")
        for one in left:
            release(velero, "restores", one)
