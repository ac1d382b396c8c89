"""What can be wrong with the live cluster, or with what is asked of it, told of one volume."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from drills.longhorn.expected import Live
from drills.longhorn.payload import LonghornPayload
from drills.verdict import Reason
from kube.longhorn.jobs import ENABLED, GROUP_PREFIX, JOB_PREFIX
from kube.longhorn.volumes import Expected, Volume

_NEVER = 1e-9
_NOBODY = "no-job-serves-this"
_STRANGER = "pvc-that-nobody-backed-up"


@dataclass(frozen=True)
class ClusterFault:
    """`plant`: the lie, given the cluster with one volume, and its name. `terms`: what the drill is
    told beside it."""

    name: str
    planted: str
    expected: Reason
    plant: Callable[[Live, str], Live] = lambda live, _volume: live
    terms: Callable[[LonghornPayload], LonghornPayload] = lambda payload: payload


def only(live: Live, volume: str) -> Live:
    """The cluster without any other volume."""
    held = live.expected
    claimed = [one for one in held.claimed if one.volume and one.volume.name == volume]
    unclaimed = [one for one in held.unclaimed if one.name == volume]
    return replace(live, expected=Expected(tuple(claimed), tuple(unclaimed)))


def _changed(live: Live, volume: str, change: Callable[[Volume], Volume]) -> Live:
    held = live.expected
    claimed = tuple(
        replace(one, volume=change(one.volume)) if one.volume and one.volume.name == volume else one
        for one in held.claimed
    )
    unclaimed = tuple(change(one) if one.name == volume else one for one in held.unclaimed)
    return replace(live, expected=Expected(claimed, unclaimed))


def _without_job(live: Live, volume: str) -> Live:
    def change(one: Volume) -> Volume:
        others = {
            key: value
            for key, value in one.labels.items()
            if not key.startswith((JOB_PREFIX, GROUP_PREFIX))
        }
        # One label more, of a group that nothing serves, ends what `default` gave.
        return replace(one, labels={**others, f"{GROUP_PREFIX}{_NOBODY}": ENABLED})

    return _changed(live, volume, change)


def _with_stranger(live: Live, volume: str) -> Live:
    """One volume more, older than the store's own patience."""
    known = next(one.volume for one in live.subjects if one.name == volume)
    stranger = replace(known, name=_STRANGER, created=None, last_backup="")
    held = live.expected
    return replace(live, expected=replace(held, unclaimed=(*held.unclaimed, stranger)))


def _elsewhere(live: Live, _volume: str) -> Live:
    targets = tuple(replace(one, url=f"{one.url.rstrip('/')}/elsewhere/") for one in live.targets)
    return replace(live, targets=targets)


def _impatient(payload: LonghornPayload) -> LonghornPayload:
    never = {"rpo_seconds": _NEVER, "rpo_by_job": {}}
    limits = payload.limits.model_copy(update=never)
    return payload.model_copy(update={"limits": limits})


FAULTS: tuple[ClusterFault, ...] = (
    ClusterFault("stale-point", "no age of a volume's newest backup is young enough",
                 Reason.OVER_RPO, terms=_impatient),
    ClusterFault("unsaved-volume", "the cluster has one volume more, of which there is no backup",
                 Reason.VOLUME_LOST, _with_stranger),
    ClusterFault("lost-job", "no recurring job backs up one of the volumes any more",
                 Reason.UNPROTECTED, _without_job),
    ClusterFault("other-target", "Longhorn backs up to another place than the one drilled",
                 Reason.SCOPE_LOST, _elsewhere),
)  # fmt: skip
