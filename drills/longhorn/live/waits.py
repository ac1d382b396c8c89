"""Waits for Longhorn: until a claim has its volume, and until all data of that is there.

A claim is bound while its data still comes, so that says little: the volume itself is asked.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from drills.backupstore.parallel import StoppedError
from drills.verdict import Reason
from kube import places
from kube.client import Client
from kube.errors import ClusterError
from kube.longhorn.api import Longhorn
from kube.longhorn.restoring import Restoring, progress, restoring
from kube.pods.faults import newest_warning
from kube.waiting import Away, TimeoutPassedError, until

BIND_SECONDS = 300.0
"""A volume without any data is made in seconds."""
ABSENT_SECONDS = 60.0
"""For how long there may be no volume behind a claim that is bound."""
UNPLACED_SECONDS = 60.0
"""For how long there may be no place for a replica: another volume may just be going."""
_STEP = 10
_PERSISTENT = "/api/v1/persistentvolumes"

T = TypeVar("T")
Say = Callable[[str], None]


class NotRestoredError(Exception):
    """Longhorn did not bring a volume back; the text is a clause, with what Longhorn says."""

    def __init__(self, reason: Reason, clause: str) -> None:
        super().__init__(clause)
        self.reason = reason


@dataclass
class Waits:
    """`stop`: is set when the drill's time is over. `say` hears each change."""

    longhorn: Longhorn
    stop: threading.Event
    say: Say
    _told: dict[str, str] = field(default_factory=dict)

    def bound(self, namespace: str, claim: str, seconds: float) -> str:
        """The name of Longhorn's volume behind a claim.

        Raises:
            NotRestoredError: there is none in time; with the newest event about the claim.
            ClusterError: the API server is away for too long, or refuses.
            StoppedError: the drill's time is over.
        """
        client, limit = self.longhorn.client, min(seconds, BIND_SECONDS)
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}"

        def look() -> str | None:
            found = places.at(client, path) or {}
            called = str((found.get("spec") or {}).get("volumeName") or "")
            phase = str((found.get("status") or {}).get("phase") or "Pending")
            if phase == "Lost":
                raise NotRestoredError(Reason.VOLUME_LOST, f"the volume of claim {claim} is gone")
            self._tell(claim, f"claim {claim} is {phase}")
            return called if phase == "Bound" and called else None

        try:
            volume = self._until(look, limit)
        except TimeoutPassedError:
            said = _event(client, namespace, claim) or "no event says why"
            clause = f"claim {claim} got no volume within {limit:.0f} s: {said}"
            raise NotRestoredError(Reason.RESTORE_FAILED, clause) from None
        held = places.at(client, f"{_PERSISTENT}/{volume}") or {}
        return str(((held.get("spec") or {}).get("csi") or {}).get("volumeHandle") or volume)

    def filled(self, volume: str, url: str, seconds: float) -> None:
        """Returns when all data of a volume is there. `url`: the backup's that it is made of.

        Raises:
            NotRestoredError: it will not be, it has no place, or not in time.
            ClusterError, StoppedError: as `bound`.
        """
        longhorn, seen = self.longhorn, _Seen(self.longhorn.clock.now())

        def look() -> bool | None:
            found = places.at(longhorn.client, longhorn.path("volumes", volume)) or {}
            if not found:
                if longhorn.clock.now() - seen.there >= ABSENT_SECONDS:
                    clause = f"Longhorn has no volume {volume}, whose claim is bound"
                    raise NotRestoredError(Reason.RESTORE_FAILED, clause)
                return None
            seen.there = longhorn.clock.now()
            now = seen.last = restoring(found)
            self._tell(volume, f"volume {volume} is {now.told}{self._percent(now)}")
            if now.source and now.source != url:
                clause = f"volume {volume} was made of another backup: {now.source[:200]}"
                raise NotRestoredError(Reason.RESTORE_FAILED, clause)
            if now.failure:
                clause = f"Longhorn gave up on volume {volume}: {now.failure}"
                raise NotRestoredError(Reason.RESTORE_FAILED, clause)
            self._check_place(now, seen)
            return True if now.done and now.source else None

        try:
            self._until(look, seconds)
        except TimeoutPassedError:
            raise NotRestoredError(*_late(volume, seen.last, seconds)) from None

    def _check_place(self, now: Restoring, seen: "_Seen") -> None:
        at = self.longhorn.clock.now()
        seen.unplaced = None if not now.unplaced else at if seen.unplaced is None else seen.unplaced
        if seen.unplaced is not None and at - seen.unplaced >= UNPLACED_SECONDS:
            clause = (
                f"no node has room for volume {now.name}: {now.unplaced}; make room, or set "
                "mostBytes"
            )
            raise NotRestoredError(Reason.TARGET_REFUSED, clause)

    def _percent(self, now: Restoring) -> str:
        """In steps, for every change is told."""
        if not now.required:
            return ""
        try:
            found = progress(self.longhorn.client, self.longhorn.namespace, now.name)
        except ClusterError:
            return ""  # only for people
        return "" if not found else f", {found // _STEP * _STEP} %"

    def _until(self, look: Callable[[], T | None], seconds: float) -> T:
        """Over restarts of the API server, and no longer than the drill's time."""
        clock, away = self.longhorn.clock, Away(self.longhorn.clock)

        def guarded() -> T | None:
            if self.stop.is_set():
                raise StoppedError
            try:
                answer = look()
            except ClusterError as error:
                away.note(error)
                return None
            away.over()
            return answer

        return until(guarded, clock, seconds, passing=frozenset())

    def _tell(self, about: str, line: str) -> None:
        if self._told.get(about) != line:
            self._told[about] = line
            self.say(line)


@dataclass
class _Seen:
    """`there`: when the volume was last seen, at first when the wait began."""

    there: float
    last: Restoring | None = None
    unplaced: float | None = None


def _late(volume: str, last: Restoring | None, seconds: float) -> tuple[Reason, str]:
    if last is None:
        return Reason.RESTORE_FAILED, f"Longhorn has no volume {volume}, whose claim is bound"
    if not last.source:
        clause = f"volume {volume} was not made of a backup: its fromBackup is empty"
        return Reason.RESTORE_FAILED, clause
    return Reason.RESTORE_TIMEOUT, f"after {seconds:.0f} s volume {volume} is still {last.told}"


def _event(client: Client, namespace: str, claim: str) -> str:
    """What was last said of a claim; "" for nothing."""
    fields = {
        "involvedObject.kind": "PersistentVolumeClaim",
        "involvedObject.name": claim,
        "type": "Warning",
    }
    try:
        found = client.list(f"/api/v1/namespaces/{namespace}/events", fields=fields)
    except ClusterError:
        return ""
    return newest_warning(found)
