"""One whole run of the drill of layer `volumes`, and all its controls."""

import tempfile
from functools import partial
from pathlib import Path

from drills.backup import course
from drills.backup.payload import READER
from drills.canary.testimony import BucketTestimony
from drills.controls import Planted, Score, check_name
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.payload import parse
from drills.run import Kept, Ready, ReadyControls, run_drill
from drills.sandbox.hold import Idle
from drills.usable.edges import Edges as CheckEdges
from drills.volumes import controls
from drills.volumes.drill import Edges, VolumesDrill
from drills.volumes.payload import VolumesPayload
from drills.volumes.readers import Edges as ReaderEdges
from drills.volumes.readers import Readers
from kube.client import Clock as KubeClock
from kube.pods.channels import open_dial


def ready(text: str) -> Ready:
    """Raises PayloadError."""
    payload = parse(VolumesPayload, text)
    payload.check_drill()
    check_name(payload.control, controls.names())
    return Ready(payload, partial(run_volumes, payload))


def ready_controls(text: str) -> ReadyControls:
    """Raises PayloadError."""
    payload = parse(VolumesPayload, text)
    payload.check()
    return ReadyControls(payload, partial(run_controls, payload))


def run_volumes(payload: VolumesPayload, clock: Clock, progress: Progress, directory: Path) -> Kept:
    """Runs the drill and one control, and keeps the receipt."""
    drill = opened(payload, clock, progress, directory)

    def control(_record: Record) -> Planted | None:
        return controls.choose(
            payload.control, drill, lambda other: opened(other, clock, _silent, directory),
            earlier=earlier_receipts(directory, payload.layer), today=clock.now().date(),
        )  # fmt: skip

    return run_drill(drill, payload, clock, progress, directory=directory, control=control)


def run_controls(payload: VolumesPayload, clock: Clock, progress: Progress) -> Score:
    """Every control, after the drill itself; each makes and removes what it needs.

    Raises ClusterError, StoreError.
    """
    nowhere = Path("/nonexistent")  # no receipts: each control takes the same restore point
    return controls.run_all(payload, lambda other: opened(other, clock, _silent, nowhere), progress)


def _silent(_line: str) -> None:
    """Phases of a control are not told one by one."""


def opened(
    payload: VolumesPayload, clock: Clock, progress: Progress, directory: Path
) -> VolumesDrill:
    """The drill with its edges open."""
    way = course.opened(payload, clock, progress, directory)
    client, writer, waits = way.velero.client, way.velero.writer, KubeClock()
    dial = open_dial(payload.cluster.parsed())
    reader = payload.reader
    folder = tempfile.TemporaryDirectory(prefix="backstop-drill-")
    readers = Readers(
        way.run,
        ReaderEdges(client, writer, dial, waits),
        Idle(reader.image, pull_secrets=reader.pull_secrets, pull_policy=reader.pull_policy),
        Path(folder.name),
        progress,
    )
    canary = payload.canary
    testimony = None if canary is None else BucketTestimony.open(
        payload.store(), payload.client(READER).credential(), canary.bucket, canary.prefix,
        payload.site,
    )  # fmt: skip
    checks = CheckEdges(client, writer, dial, waits, clock, progress)
    return VolumesDrill(way, Edges(readers, checks, testimony, folder.cleanup))
