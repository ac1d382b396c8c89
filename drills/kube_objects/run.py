"""One whole run of the drill of layer `kube-objects`, and all its controls."""

import datetime
import secrets
from functools import partial
from pathlib import Path

from drills import listing
from drills.aside import Aside
from drills.controls import Planted, Score, check_name, judgement_of
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.kube_objects.archive import Reader
from drills.kube_objects.controls import CONTROLS, choose, planted
from drills.kube_objects.drill import KubeObjectsDrill
from drills.kube_objects.payload import READER, KubeObjectsPayload
from drills.payload import parse
from drills.receipt import ControlResult
from drills.run import Kept, Ready, ReadyControls, run_drill
from drills.sandbox.marks import Run
from drills.verdict import Verdict
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.velero.api import Velero
from kube.writer import open_writer

# A restarted API server answers custom kinds with a refusal for a moment.
PATIENCE_SECONDS = 20.0


def ready(text: str) -> Ready:
    """Raises PayloadError."""
    payload = parse(KubeObjectsPayload, text)
    payload.cluster.parsed()
    payload.client(READER)
    check_name(payload.control, (control.name for control in CONTROLS))
    return Ready(payload, partial(run_kube_objects, payload))


def ready_controls(text: str) -> ReadyControls:
    """Raises PayloadError."""
    payload = parse(KubeObjectsPayload, text)
    payload.cluster.parsed()
    payload.client(READER)
    return ReadyControls(payload, partial(run_controls, payload))


def run_kube_objects(
    payload: KubeObjectsPayload, clock: Clock, progress: Progress, directory: Path
) -> Kept:
    """Runs the drill and one control, and keeps the receipt."""
    drill = opened(payload, clock, progress, directory)

    def control(_record: Record) -> Planted | None:
        return choose(
            payload.control, payload, lambda other: opened(other, clock, _silent, directory),
            earlier=earlier_receipts(directory, payload.layer), today=clock.now().date(),
        )  # fmt: skip

    return run_drill(drill, payload, clock, progress, directory=directory, control=control)


def run_controls(payload: KubeObjectsPayload, clock: Clock, progress: Progress) -> Score:
    """Every control, after the drill itself; each makes and removes what it needs.

    Raises ClusterError, StoreError.
    """
    nowhere = Path("/nonexistent")  # no receipts: each control takes the same restore point

    def make(other: KubeObjectsPayload) -> KubeObjectsDrill:
        return opened(other, clock, _silent, nowhere)

    judgement = judgement_of(make(payload), clock)
    twin = ControlResult(
        "none", "nothing", str(Verdict.PROVEN), str(judgement.verdict), str(judgement.reason or ""),
        killed=judgement.verdict is Verdict.PROVEN,
    )  # fmt: skip
    if not twin.killed:
        return Score(twin, [])
    found = []
    for control in CONTROLS:
        ready_one = planted(control, payload, make)
        result = ready_one.result(ready_one.run())
        progress(f"control: {control.name} {'killed' if result.killed else 'SURVIVED'}")
        found.append(result)
    return Score(twin, found)


def _silent(_line: str) -> None:
    """Phases of a control are not told one by one."""


def opened(
    payload: KubeObjectsPayload, clock: Clock, progress: Progress, directory: Path
) -> KubeObjectsDrill:
    """The drill with its edges open."""
    kubeconfig = payload.cluster.parsed()
    velero = Velero(
        connect(kubeconfig),
        open_writer(kubeconfig, patience=PATIENCE_SECONDS),
        payload.velero.namespace,
        KubeClock(),
    )
    now = clock.now()
    run = Run(
        site=payload.site,
        layer=payload.layer,
        run_id=secrets.token_hex(6),
        made=now,
        until=now + datetime.timedelta(seconds=payload.limits.drill_seconds),
    )
    reader = Reader(payload.store(), payload.client(READER).credential(), payload.velero)
    aside = Aside(velero, run, clock, progress)
    trials = listing.trials(directory, payload.layer)
    return KubeObjectsDrill(payload, clock, run, velero, reader, aside, trials)
