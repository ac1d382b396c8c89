"""Opens what Longhorn's restores need, for one run; nothing is sent yet."""

import datetime
import os
import socket

from drills.frame import Clock, Progress
from drills.lease import Lease
from drills.longhorn.live.place import Place
from drills.longhorn.live.restores import Opened
from drills.longhorn.live.settings import LiveRestores
from drills.longhorn.payload import LonghornPayload
from drills.sandbox.marks import Run
from drills.scratch import Scratch
from drills.volumes.readers import Edges, Readers
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.kubeconfig import Kubeconfig
from kube.longhorn.api import Longhorn
from kube.pods.channels import Dial, open_dial
from kube.writer import open_writer

# A restarted API server answers custom kinds with a refusal for a moment.
PATIENCE_SECONDS = 20.0


def opened(
    payload: LonghornPayload,
    settings: LiveRestores,
    cluster: Kubeconfig,
    run_id: str,
    *,
    clock: Clock,
    say: Progress,
    trees: Scratch,
) -> Opened:
    """`trees`: where the digest trees of copies go. Raises ClusterError, OSError."""
    longhorn = open_longhorn(cluster, payload.namespace, patience=PATIENCE_SECONDS)
    beats = open_longhorn(cluster, payload.namespace, patience=0.0)
    run = run_of(payload, run_id, clock)
    return assembled(
        run, settings, longhorn, open_dial(cluster), beats=beats, clock=clock, say=say, trees=trees
    )


def run_of(payload: LonghornPayload, run_id: str, clock: Clock) -> Run:
    now = clock.now()
    lives = datetime.timedelta(seconds=payload.limits.drill_seconds)
    return Run(payload.site, payload.layer, run_id, now, now + lives)


def assembled(
    run: Run,
    settings: LiveRestores,
    longhorn: Longhorn,
    dial: Dial,
    *,
    beats: Longhorn,
    clock: Clock,
    say: Progress,
    trees: Scratch,
) -> Opened:
    """`beats`: the same Longhorn without patience, for the heartbeat. Raises OSError."""
    by = f"process {os.getpid()} on {socket.gethostname()}"
    edges = Edges(longhorn.client, longhorn.writer, dial, longhorn.clock)
    return Opened(
        Place(longhorn, run, clock, say),
        Lease(longhorn, beats, run, clock, say, by),
        Readers(run, edges, settings.reader.idle(), trees.folder(), say),
    )


def open_longhorn(kubeconfig: Kubeconfig, namespace: str, *, patience: float) -> Longhorn:
    """`patience`: seconds for an API server that restarts. Raises ClusterError."""
    # First what tells a certificate that has ended from one that cannot be loaded.
    client = connect(kubeconfig, patience=patience)
    writer = open_writer(kubeconfig, patience=patience)
    return Longhorn(client, writer, namespace, KubeClock())
