"""Environment controls: the ordinary drill, in surroundings with a fault."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from drills.backup.course import opened
from drills.backup.drill import BackupDrill
from drills.backup.payload import BackupPayload
from drills.controls import Planted
from drills.frame import Clock, Progress
from drills.surroundings.cluster_faults import wait_sound
from drills.surroundings.faults import FAULTS, Stage
from drills.surroundings.planting import Surroundings
from kube.facts import cluster_uid


def in_surroundings(
    payload: BackupPayload,
    make: Callable[[Any], BackupDrill[Any]],
    clock: Clock,
    progress: Progress,
) -> Iterator[Planted]:
    """The controls of the payload's layer, none unless the payload asks for them.

    `make`: a fresh drill of a payload. Call `sweep` before anything is drilled.
    """
    if not payload.surroundings:
        return
    stage = Stage(payload, make, _live(payload, clock, progress))
    for fault in FAULTS:
        if payload.layer in fault.layers:
            yield Planted(
                fault.name,
                fault.planted,
                fault.expected,
                lambda fault=fault: fault.judged(stage),  # type: ignore[misc]
            )


def sweep(payload: BackupPayload, clock: Clock, progress: Progress) -> None:
    """Takes away what killed runs left in the surroundings: with it no drill would be proven.

    Raises ClusterError; of cause CONFLICT if a run may still be at it.
    """
    if not payload.surroundings:
        return
    there = _live(payload, clock, progress)
    # In another cluster nothing is anybody's to sweep; the drill says so.
    if cluster_uid(there.velero.client) == payload.cluster.uid:
        for path in there.sweep():
            wait_sound(there, path)


def _live(payload: BackupPayload, clock: Clock, progress: Progress) -> Surroundings:
    velero = opened(payload, clock, progress, Path("/nonexistent")).velero
    return Surroundings(velero, payload.site, payload.velero.location, clock, progress)
