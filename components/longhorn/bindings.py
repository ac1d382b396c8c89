"""Which claims of the config get their labels in this run; pure rules on what was seen.

A cluster that was built anew has none of them yet. What is not there is named and left for a later
run, for a resource of it would fail, and the jobs, targets and drills of all others with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.longhorn.objects import SOURCE_LABEL
from components.settings.longhorn import Longhorn, VolumeBinding
from kube.longhorn.seen import SeenLonghorn

TYPE = "kubernetes:core/v1:PersistentVolumeClaimPatch"
_KEY = "config backstop:longhorn.volumes"
_NAMED = 3
Resources = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Bindings:
    """The claims of the config, in its order.

    `bound`: they are there. `kept`: they are gone, and the state still has their labels, which
    nobody can take away from a claim that is not there. `waiting`: the others.
    """

    bound: tuple[VolumeBinding, ...] = ()
    kept: tuple[VolumeBinding, ...] = ()
    waiting: tuple[VolumeBinding, ...] = ()


def resource_name(one: VolumeBinding) -> str:
    return f"longhorn-volume-{one.namespace}.{one.claim}"


def bindings(longhorn: Longhorn, seen: SeenLonghorn | None, recorded: Resources) -> Bindings:
    """What to do with each claim. `seen` None: there is no Longhorn yet; `recorded`: the state's
    resources by type and name.
    """
    there = _there(seen)
    absent = [one for one in longhorn.volumes if (one.namespace, one.claim) not in there]
    kept = [one for one in absent if (TYPE, resource_name(one)) in recorded]
    return Bindings(
        tuple(one for one in longhorn.volumes if one not in absent),
        tuple(kept),
        tuple(one for one in absent if one not in kept),
    )


def _there(seen: SeenLonghorn | None) -> set[tuple[str, str]]:
    """Claims with a volume of Longhorn behind them.

    A restored volume names its source's claim before there is one, and a claim may still wait for
    its volume, so both have to be there.
    """
    if seen is None:
        return set()
    behind = {(one.namespace, one.claim) for one in seen.volumes}
    return behind & {(one.namespace, one.name) for one in seen.claims}


def warnings(longhorn: Longhorn, seen: SeenLonghorn | None, recorded: Resources) -> Iterator[str]:
    """What is not bound, and why: one sentence for each cause."""
    found = bindings(longhorn, seen, recorded)
    if found.waiting:
        yield (
            f"{_KEY}: Longhorn has no volume of {_told(found.waiting)} yet, and the jobs and "
            "groups named there are not bound; make or restore it, and the next `up` binds it, or "
            "correct the name"
        )
    if found.kept:
        yield (
            f"{_KEY}: Longhorn has no volume of {_told(found.kept)} any more; run `refresh`, so "
            "that it is bound anew when it is there again, or take it out"
        )
    lost = _without_labels(found.bound, seen, recorded)
    if lost:
        yield (
            f"{_KEY}: {_told(lost)} came anew or lost the labels of its jobs; run `refresh` and "
            "`up`, which bind it again"
        )


def _without_labels(
    bound: Sequence[VolumeBinding], seen: SeenLonghorn | None, recorded: Resources
) -> list[VolumeBinding]:
    """Claims whose labels the state has and the cluster has not."""
    labelled = {
        (one.namespace, one.name)
        for one in (seen.claims if seen else ())
        if SOURCE_LABEL in one.labels
    }
    return [
        one
        for one in bound
        if (TYPE, resource_name(one)) in recorded and (one.namespace, one.claim) not in labelled
    ]


def _told(some: Sequence[VolumeBinding]) -> str:
    """The claims of a sentence, the first of many."""
    names = [f"{one.namespace}/{one.claim}" for one in some]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    noun = "the claim" if len(names) == 1 else "the claims"
    return f"{noun} {', '.join(names[:_NAMED])}{more}"
