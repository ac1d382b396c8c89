"""What restores by Longhorn left in a cluster: what goes, what stays and why; decisions alone.

Only runs that are over are touched (drills/sandbox/found.py). Namespaces and classes bear the marks
of their run. Volumes of Longhorn cannot: theirs is the group that their class gave them, a backup
that they were made of, and a claim in the namespace of such a run.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drills.longhorn.live.objects import GROUP, is_copy
from drills.sandbox.found import Found, over
from drills.sandbox.marks import PREFIX, MarkError, read, run_id_of
from drills.sandbox.sweep import Left
from kube.longhorn.volumes import PersistentVolume, Volume
from kube.velero.api import Object, name


@dataclass(frozen=True)
class Seen:
    """What the cluster holds. `namespaces`, `classes`: with the mark of this layer, of any run.

    The first are read last: whoever makes a volume has its namespace, and before that its Lease.
    `persistent`: of Longhorn's driver.
    """

    leases: Sequence[Object] = ()
    namespaces: Sequence[Object] = ()
    classes: Sequence[Object] = ()
    persistent: Sequence[PersistentVolume] = ()
    volumes: Sequence[Volume] = ()


@dataclass(frozen=True)
class Debris:
    """Names of what goes. `persistent`: PersistentVolumes of a drill's classes, which go with their
    claims. `orphans`: volumes of Longhorn behind no PersistentVolume any more."""

    namespaces: Sequence[str]
    classes: Sequence[str]
    persistent: Sequence[str]
    orphans: Sequence[str]
    left: Sequence[Left]

    @property
    def any(self) -> bool:
        return bool(self.namespaces or self.classes or self.persistent or self.orphans)


def debris(seen: Seen, site: str, now: datetime.datetime, own: str) -> Debris:
    """`own`: id of the run that asks, whose things go although it is alive."""
    # A class bears the same marks as a namespace.
    marked = Found(namespaces=[*seen.namespaces, *seen.classes], leases=seen.leases)
    ended = over(marked, site, now, own=own)
    spaces, space_left = _sorted("Namespace", seen.namespaces, site, ended)
    classes, class_left = _sorted("StorageClass", seen.classes, site, ended)
    alive = {name(one) for one in seen.namespaces} - set(spaces)
    persistent = [
        one.name for one in seen.persistent
        if run_id_of(one.storage_class) is not None and _is_debris(one.namespace, alive)
    ]  # fmt: skip
    orphans, orphan_left = _orphans(seen, alive)
    return Debris(spaces, classes, persistent, orphans, (*space_left, *class_left, *orphan_left))


def is_copy_of(volume: Volume) -> bool:
    """Whether a drill had Longhorn make this volume of a backup."""
    return is_copy(volume.labels) and bool(volume.from_backup)


def _sorted(
    kind: str, found: Sequence[Object], site: str, ended: frozenset[str]
) -> tuple[list[str], list[Left]]:
    """What goes, by name; and what bears marks, or a name, and stays."""
    going, left = list[str](), list[Left]()
    for one in found:
        try:
            owner = read(one)
        except MarkError as error:
            left.append(Left(kind, "", name(one), str(error), debris=True))
            continue
        if owner is None or owner.site != site:
            continue
        if owner.run_id not in ended:
            why = f"run {owner.run_id} may be alive until {owner.until:%H:%M:%S} UTC"
            left.append(Left(kind, "", name(one), why, debris=False))
        elif not name(one).startswith(PREFIX):
            why = "it has a drill's mark and another name; remove the mark if it is not one"
            left.append(Left(kind, "", name(one), why, debris=True))
        else:
            going.append(name(one))
    return sorted(going), left


def _is_debris(namespace: str, alive: set[str]) -> bool:
    """Whether a claim of this namespace is of a run that is over.

    A run that lives has its namespace for as long as anything of it is there.
    """
    return run_id_of(namespace) is not None and namespace not in alive


def _orphans(seen: Seen, alive: set[str]) -> tuple[list[str], list[Left]]:
    going, left = list[str](), list[Left]()
    for one in _copies(seen):
        if _is_debris(one.namespace, alive):
            going.append(one.name)
        elif one.namespace not in alive:
            # Until it is bound, Longhorn says of a copy that it is the claim's of its source.
            why = (
                f"a drill had it made (group {GROUP}), it has no PersistentVolume, and nothing "
                "tells of which run it is; look, and delete it by hand"
            )
            left.append(Left("Volume", "", one.name, why, debris=True))
    return sorted(going), left


def _copies(seen: Seen) -> Iterator[Volume]:
    behind = {one.handle for one in seen.persistent}
    for one in seen.volumes:
        if is_copy_of(one) and one.name not in behind and not one.deleting:
            yield one
