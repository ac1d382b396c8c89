"""One whole run of the drill of layer `longhorn`, and all its controls."""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from drills.backup.controls import silent
from drills.backup.payload import READER
from drills.backupstore.s3_objects import S3Objects
from drills.canary.testimony import BucketTestimony
from drills.controls import Planted, Score, check_name
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.longhorn import controls, history
from drills.longhorn.drill import Edges, LonghornDrill
from drills.longhorn.live import opening
from drills.longhorn.live.restores import Opened
from drills.longhorn.payload import LonghornPayload
from drills.longhorn.tools import run_tool
from drills.payload import parse
from drills.run import Kept, Ready, ReadyControls, run_drill
from drills.scratch import Scratch
from kube.client import connect


def ready(text: str) -> Ready:
    """Raises PayloadError."""
    payload = parse(LonghornPayload, text)
    payload.check()
    check_name(payload.control, controls.names())
    return Ready(payload, partial(run_longhorn, payload))


def ready_controls(text: str) -> ReadyControls:
    """Raises PayloadError."""
    payload = parse(LonghornPayload, text)
    payload.check()
    return ReadyControls(payload, partial(run_controls, payload))


def run_longhorn(
    payload: LonghornPayload, clock: Clock, progress: Progress, directory: Path
) -> Kept:
    """Runs the drill and one control, and keeps the receipt."""
    drill = opened(payload, clock, directory, progress)

    def control(_record: Record) -> Planted | None:
        return controls.choose(
            payload.control, drill, lambda other: opened(other, clock),
            earlier=earlier_receipts(directory, payload.layer), today=clock.now().date(),
        )  # fmt: skip

    try:
        return run_drill(drill, payload, clock, progress, directory=directory, control=control)
    finally:
        drill.forget()


def run_controls(payload: LonghornPayload, clock: Clock, progress: Progress) -> Score:
    """Every control, after the drill itself. Raises StoreError, ClusterError."""
    return controls.run_all(payload, lambda other: opened(other, clock), progress)


def opened(
    payload: LonghornPayload,
    clock: Clock,
    directory: Path | None = None,
    progress: Progress = silent,
) -> LonghornDrill:
    """The drill with its edges open; no request is made yet. `directory`: earlier receipts."""
    reader, store = payload.client(READER).credential(), payload.store()
    canary, cluster = payload.canary, payload.cluster
    testimony = None if canary is None else BucketTestimony.open(
        store, reader, canary.bucket, canary.prefix, payload.site
    )  # fmt: skip
    above = None if payload.scratch is None else Path(payload.scratch)
    run_id, trees = secrets.token_hex(6), Scratch(above)
    edges = Edges(
        objects=S3Objects(store, reader, payload.place(), payload.workers),
        connect=None if cluster is None else lambda: connect(cluster.parsed()),
        testimony=testimony,
        scratch=Scratch(above),
        run=run_tool,
        history=history.read(directory, payload.site) if directory else history.History(),
        trees=trees,
        aside=_aside(payload, clock, run_id, progress, trees),
        further={
            one.name: S3Objects(store, reader, payload.place_of(one), payload.workers)
            for one in payload.targets
        },
    )
    return LonghornDrill(payload, clock, run_id, edges)


def _aside(
    payload: LonghornPayload, clock: Clock, run_id: str, say: Progress, trees: Scratch
) -> Callable[[], Opened] | None:
    live, cluster = payload.live, payload.cluster
    if live is None or cluster is None:
        return None
    return lambda: opening.opened(
        payload, live, cluster.parsed(), run_id, clock=clock, say=say, trees=trees
    )
