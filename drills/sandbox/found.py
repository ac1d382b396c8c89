"""What a cluster holds of drills, and which of their runs are over.

A run is over when its deadline has passed, when it is the one that asks, or when that one holds the
Lease of its layer: without it nobody makes anything, and whoever had it before has lost it.
"""

import datetime
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from drills.sandbox.marks import MarkError, Run, read
from kube.velero.api import Object


@dataclass(frozen=True)
class Found:
    """What the cluster holds of these kinds; objects without a mark may be among them.

    `leases`: as they were after the others had been read. `contents`: VolumeSnapshotContents.
    `volumes`: every PersistentVolume of the cluster.
    """

    namespaces: Sequence[Object] = ()
    restores: Sequence[Object] = ()
    config_maps: Sequence[Object] = ()
    leases: Sequence[Object] = ()
    contents: Sequence[Object] = ()
    volumes: Sequence[Object] = ()

    @property
    def marked(self) -> Sequence[Object]:
        """Where the marks of runs are to be looked for."""
        return [*self.restores, *self.namespaces, *self.config_maps, *self.leases]


def over(
    found: Found,
    site: str,
    now: datetime.datetime,
    *,
    own: str | None = None,
    known: Collection[str] = (),
) -> frozenset[str]:
    """Ids of this site's runs whose things may go. `own`, `known`: see drills/sandbox/sweep.py."""
    held = _held(found, site, own)
    runs = [owner for one in found.marked if (owner := owner_of(one)) is not None]
    ended = {
        one.run_id for one in runs if one.site == site and (one.until <= now or one.layer in held)
    }
    return frozenset(ended | set(known) | ({own} if own else set()))


def _held(found: Found, site: str, own: str | None) -> frozenset[str]:
    """Layers whose Lease is the own run's."""
    return frozenset(run.layer for run in _holders(found) if (run.site, run.run_id) == (site, own))


def _holders(found: Found) -> Iterator[Run]:
    for one in found.leases:
        owner = owner_of(one)
        # A Lease without a holder still bears the marks of the last one.
        if owner and (one.get("spec") or {}).get("holderIdentity") == owner.run_id:
            yield owner


def owner_of(found: Object) -> Run | None:
    """None also for marks that nobody can read."""
    try:
        return read(found)
    except MarkError:
        return None
