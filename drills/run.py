"""One whole run of the store drill: phases, one control, the receipt."""

import datetime
import secrets
from pathlib import Path

from drills.controls import NONE, choose, run_control
from drills.frame import Clock, Phase, Progress, Record, run_phases
from drills.payload import Payload
from drills.receipt import ControlResult, Receipt, keep, versions_of
from drills.store import StoreDrill
from drills.verdict import Check, Reason, Verdict


def run_store(
    payload: Payload, clock: Clock, progress: Progress, directory: Path
) -> tuple[Receipt, Path | None]:
    """Runs the drill and keeps its receipt; the path is None if the disk refused it."""
    run_id = secrets.token_hex(6)
    started_at = clock.now()
    drill = StoreDrill(payload, clock, run_id)
    record = run_phases("store", drill.phases(), drill.closing(), clock, progress)
    control = _control(record, payload, clock, f"{run_id}-c", progress, directory=directory)
    receipt = Receipt(
        run_id=run_id,
        layer=payload.layer,
        site=payload.site,
        judgement=record.judgement(),
        started_at=started_at.astimezone(datetime.UTC),
        record=record,
        control=control,
        versions=versions_of(drill.server),
    )
    return keep(receipt, payload, directory)


def _control(
    record: Record,
    payload: Payload,
    clock: Clock,
    run_id: str,
    progress: Progress,
    *,
    directory: Path,
) -> ControlResult:
    """Runs the control whose turn it is; one that survives turns the record red."""
    if payload.control == NONE:
        return ControlResult(NONE, "switched off in the payload")
    if record.judgement().verdict is not Verdict.PROVEN:
        # On a store that is red already, a red control would say nothing.
        return ControlResult(NONE, "not run: the drill itself is red")
    earlier = sum(1 for _ in directory.glob(f"*-{payload.layer}-*.json"))
    chosen = choose(payload.control, payload, clock, earlier)
    if chosen is None:
        return ControlResult(NONE, "not run: this site has nothing to plant the fault in")
    control, rigged = chosen
    results: list[ControlResult] = []

    def plant(_record: Record) -> str:
        results.append(run_control(control, rigged, run_id))
        return f"{control.name} {'killed' if results[0].killed else 'SURVIVED'}"

    phased = run_phases("store", (Phase("control", plant),), (), clock, progress)
    record.phases += phased.phases
    record.checks += phased.checks
    if not results:
        return ControlResult(control.name, control.planted, str(control.expected))
    result = results[0]
    if not result.killed:
        observed = " ".join(part for part in (result.verdict, result.reason) if part)
        record.checks.append(
            Check(
                "drill", f"control {control.name}", f"red with {control.expected}", observed,
                Reason.CONTROL_SURVIVED,
            )
        )  # fmt: skip
    return result
