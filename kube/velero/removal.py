"""Takes the record of a restore away, and what belongs to it, also where no server works any more.

A Restore bears a finalizer that only a running server takes off, after it has deleted the restore's
files in the store; it does neither while the location is not available, nor before its current
restore has ended. Records of volumes go with it, each by the node agent that works on it, which
breaks the work off first. What is not let go in time loses its finalizers here, and that is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kube.errors import RETRIED, Cause, ClusterError
from kube.velero.api import GROUP, Object, Velero, VeleroError, name
from kube.velero.volumes import KINDS, RESTORE_UID_LABEL
from kube.waiting import TimeoutPassedError, until

Say = Callable[[str], None]


@dataclass(frozen=True)
class Removal:
    """What it took. `released`: records that nobody let go, as "kind/name".

    A restore among them left its log and results in the store, below restores/; and a server that
    works on it may go on making objects until it ends.
    """

    released: tuple[str, ...] = ()


def remove_restore(velero: Velero, called: str, uid: str, *, seconds: float, say: Say) -> Removal:
    """Removes the restore of that name and uid and its volume records; returns when they are gone.

    One that is gone already, or whose name another one bears now, is removed. `seconds`: how long
    Velero has for it, in all; the rest is done after that.

    Raises:
        VeleroError: somebody holds on to it even then.
        ClusterError: the cluster is not reached, or refuses.
    """
    deadline = velero.clock.now() + seconds
    _patiently(velero, seconds, partial(_begin, velero, called, uid))
    left = _wait(velero, called, uid, deadline - velero.clock.now())
    for kind, group, one in left:
        say(f"{kind}/{name(one)} is not let go by Velero; removing its finalizers")
        _patiently(velero, seconds, partial(release, velero, kind, one, group))
    held = _wait(velero, called, uid, seconds) if left else []
    if held:
        kind, _, one = held[0]
        raise VeleroError(
            f"{kind}/{name(one)} does not go: somebody puts its finalizers back; look who does"
        )
    return Removal(tuple(f"{kind}/{name(one)}" for kind, _, one in left))


def release(velero: Velero, kind: str, found: Object, group: str = GROUP) -> None:
    """Takes the finalizers off this very object, which is being deleted. Raises ClusterError."""
    uid = found["metadata"]["uid"]
    try:
        velero.writer.merge(
            velero.path(kind, name(found), group), {"metadata": {"uid": uid, "finalizers": []}}
        )
    except ClusterError as error:
        # A patch for another uid is an invalid change to the server, and no conflict.
        if error.cause not in (Cause.MISSING, Cause.INVALID):
            raise


def _begin(velero: Velero, called: str, uid: str) -> None:
    try:
        velero.writer.delete(velero.path("restores", called), uid=uid)
    except ClusterError as error:
        if error.cause is not Cause.CONFLICT:
            raise
    for kind, group, one in _volumes(velero, uid):
        # The garbage collector would find them as well, where it works.
        velero.writer.delete(velero.path(kind, name(one), group))


def _patiently(velero: Velero, seconds: float, deed: Callable[[], None]) -> None:
    """Does what is the same when it is done twice, over a restart of the API server."""

    def done() -> bool:
        deed()
        return True

    try:
        until(done, velero.clock, seconds, passing=RETRIED)
    except TimeoutPassedError as error:
        if error.last is not None:
            raise error.last from None
        raise


def _wait(velero: Velero, called: str, uid: str, seconds: float) -> list[tuple[str, str, Object]]:
    """What is still there after `seconds`."""
    try:
        until(lambda: None if _left(velero, called, uid) else True, velero.clock, seconds)
    except TimeoutPassedError as error:
        if error.last is not None:
            raise error.last from None
        return _left(velero, called, uid)
    return []


def _left(velero: Velero, called: str, uid: str) -> list[tuple[str, str, Object]]:
    return [*_restore(velero, called, uid), *_volumes(velero, uid)]


def _restore(velero: Velero, called: str, uid: str) -> list[tuple[str, str, Object]]:
    try:
        found = velero.client.get(velero.path("restores", called))
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return []
        raise
    return [("restores", GROUP, found)] if found["metadata"].get("uid") == uid else []


def _volumes(velero: Velero, uid: str) -> list[tuple[str, str, Object]]:
    return [
        (plural, group, one)
        for plural, group in KINDS.values()
        for one in velero.client.list(
            velero.collection(plural, group), labels={RESTORE_UID_LABEL: uid}
        )
    ]
