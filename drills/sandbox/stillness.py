"""Which restores Velero has lost: they stand still, and nothing is under way for them.

Velero 1.18 takes a restore up once, and tries for 40 s to write that it is over. If the API server
is away for longer, the restore stays InProgress until the server of Velero is started again. From
the phases after it, WaitingForPluginOperations and Finalizing, Velero takes it up again by itself
(pkg/controller/restore*_controller.go); there it may also wait in silence for ten minutes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kube.velero.api import Object, name, phase
from kube.velero.volumes import VolumeRestore

STILL_SECONDS = 120.0
"""How long a restore has to stand still before it is taken for lost.

While items come back, Velero writes their number every second. What lets it wait for longer without
a word is a transfer, which has a record of its own. And where it could not write the end, it tries
again within 40 s, or never.
"""

GAP_SECONDS = 15.0
"""Looks further apart do not add up: one waited for an API server that was away, or this machine
slept. They come every two seconds, and what they list takes a few more in a large cluster."""

_TAKEN_UP_ONCE = "InProgress"


@dataclass(frozen=True)
class Work:
    """A restore that has not ended, as one look found it.

    `versions`: the API server's, of the restore and of its transfers (PodVolumeRestores and
    DataDownloads); another one after each change. `transfers`: how many have not ended.
    """

    name: str
    uid: str
    phase: str
    versions: tuple[str, ...]
    transfers: int

    def __str__(self) -> str:
        count = self.transfers
        moving = f", {count} transfer{'s' if count > 1 else ''}" if count else ""
        return f"{self.name} ({self.phase}{moving})"


def work(restore: Object, transfers: Sequence[VolumeRestore]) -> Work:
    """`transfers`: those of this restore."""
    metadata = restore["metadata"]
    return Work(
        name=name(restore),
        uid=str(metadata.get("uid")),
        phase=phase(restore),
        versions=(str(metadata.get("resourceVersion")), *(one.version for one in transfers)),
        transfers=sum(not one.ended for one in transfers),
    )


@dataclass(frozen=True)
class Seen:
    """A restore that every look found the same, from `since` to `now` (monotonic seconds)."""

    work: Work
    since: float
    now: float

    @property
    def seconds(self) -> float:
        return self.now - self.since

    @property
    def lost(self) -> bool:
        return (
            self.work.phase == _TAKEN_UP_ONCE
            and not self.work.transfers
            and self.seconds >= STILL_SECONDS
        )


def look(before: Iterable[Seen], works: Iterable[Work], now: float) -> tuple[Seen, ...]:
    """What is known after one more look, which found `works` at `now`.

    `before`: what was known after the last one; nothing where that failed, for Velero could not
    write either.
    """
    since = {one.work: one.since for one in before if now - one.now <= GAP_SECONDS}
    return tuple(Seen(one, since.get(one, now), now) for one in works)
