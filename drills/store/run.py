"""One whole run of the store drill, and all its controls, from the payload's text."""

import secrets
from functools import partial
from pathlib import Path

from drills.controls import Planted, check_name
from drills.evidence import earlier_receipts
from drills.frame import Clock, Progress, Record
from drills.payload import PayloadError, parse
from drills.run import Kept, Ready, ReadyControls, run_drill
from drills.store import scratch_controls
from drills.store.controls import CONTROLS, choose, planted
from drills.store.drill import StoreDrill
from drills.store.payload import StorePayload


def ready(text: str) -> Ready:
    """Raises PayloadError."""
    payload = parse(StorePayload, text)
    if payload.admin is not None:
        raise PayloadError("admin: a drill takes no administrator; only `control store` does")
    check_name(payload.control, (control.name for control in CONTROLS))
    return Ready(payload, partial(run_store, payload))


def ready_controls(text: str) -> ReadyControls:
    """Raises PayloadError."""
    payload = parse(StorePayload, text)
    if payload.admin is None:
        raise PayloadError("admin: missing; give the key pair of an administrator of the store")
    run = partial(scratch_controls.run_all, payload, payload.admin.credential())
    return ReadyControls(payload, run)


def run_store(payload: StorePayload, clock: Clock, progress: Progress, directory: Path) -> Kept:
    """Runs the drill and one control, and keeps the receipt."""
    run_id = secrets.token_hex(6)

    def control(_record: Record) -> Planted | None:
        earlier = earlier_receipts(directory, payload.layer)
        chosen = choose(payload.control, payload, clock, earlier)
        return None if chosen is None else planted(*chosen, f"{run_id}-c")

    drill = StoreDrill(payload, clock, run_id)
    return run_drill(drill, payload, clock, progress, directory=directory, control=control)
