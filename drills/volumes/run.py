"""One whole run of the drill of layer `volumes`, and all its controls."""

from functools import partial
from pathlib import Path

from drills.backup import course
from drills.backup.controls import silent
from drills.backup.kept_files import KeptFiles
from drills.backup.payload import READER
from drills.canary.testimony import BucketTestimony
from drills.controls import Planted, Score, check_name
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.payload import parse
from drills.run import Kept, Ready, ReadyControls, open_and_run
from drills.scratch import fresh
from drills.usable.edges import Edges as CheckEdges
from drills.volumes import controls
from drills.volumes.digest_index import KeptDigests
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

    def control(drill: VolumesDrill, _record: Record) -> Planted | None:
        return controls.choose(
            payload.control, drill, lambda other: opened(other, clock, silent, directory),
            earlier=earlier_receipts(directory, payload.layer), today=clock.now().date(),
        )  # fmt: skip

    return open_and_run(
        lambda: opened(payload, clock, progress, directory), payload, clock, progress,
        directory=directory, control=control,
    )  # fmt: skip


def run_controls(payload: VolumesPayload, clock: Clock, progress: Progress) -> Score:
    """Every control, after the drill itself; each makes and removes what it needs.

    Raises ClusterError, StoreError.
    """
    nowhere = Path("/nonexistent")  # no receipts: each control takes the same restore point

    def make(other: VolumesPayload) -> VolumesDrill:
        return opened(other, clock, silent, nowhere)

    return controls.run_all(payload, make, progress, clock)


def opened(
    payload: VolumesPayload, clock: Clock, progress: Progress, directory: Path
) -> VolumesDrill:
    """The drill with its edges open. Raises ClusterError."""
    way = course.opened(payload, clock, progress, directory)
    client, writer, waits = way.velero.client, way.velero.writer, KubeClock()
    dial = open_dial(payload.cluster.parsed())
    # Trees of a run that was killed name the files of its volumes.
    scratch = fresh()
    folder = scratch.folder()
    readers = Readers(
        way.run,
        ReaderEdges(client, writer, dial, waits),
        payload.reader.idle(),
        folder,
        progress,
    )
    canary = payload.canary
    testimony = None if canary is None else BucketTestimony.open(
        payload.store(), payload.client(READER).credential(), canary.bucket, canary.prefix,
        payload.site,
    )  # fmt: skip
    checks = CheckEdges(client, writer, dial, waits, clock, progress)
    digests = KeptDigests(KeptFiles(way.truths), payload.cluster.uid, folder)
    return VolumesDrill(way, Edges(readers, checks, testimony, scratch.remove, digests))
