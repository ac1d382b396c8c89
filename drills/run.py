"""One whole run of any layer's drill: its phases, one control, the receipt."""

import datetime
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from drills.controls import NONE, Planted, Score
from drills.evidence import keep
from drills.frame import Clock, Drill, Phase, Progress, Record, run_phases
from drills.payload import Payload
from drills.receipt import ControlResult, Receipt
from drills.verdict import Check, Reason, Verdict

Kept = tuple[Receipt, Path | None]
"""A receipt and where it is on disk; None if the disk refused it."""

Choose = Callable[[Record], Planted | None]
"""Picks the control for a proven record; None where the site has nothing to plant a fault in."""

AnyDrill = TypeVar("AnyDrill", bound=Drill)


@dataclass(frozen=True)
class Ready:
    """A drill whose payload was read and found good; `run` keeps receipts in the directory."""

    payload: Payload
    run: Callable[[Clock, Progress, Path], Kept]


@dataclass(frozen=True)
class ReadyControls:
    """All controls of a layer, with a payload that was read and found good.

    `run` raises StoreError or ClusterError if there is no place to plant faults in.
    """

    payload: Payload
    run: Callable[[Clock, Progress], Score]


@dataclass(frozen=True)
class _Unopened:
    """A drill whose edges could not be opened: its first phase says why, and nothing was made."""

    layer: str
    why: Exception
    run_id: str = field(default_factory=lambda: secrets.token_hex(6))

    def phases(self) -> Sequence[Phase]:
        return (Phase("find", self._find),)

    def closing(self) -> Sequence[Phase]:
        return ()

    def versions(self) -> Mapping[str, str]:
        return {}

    def _find(self, _record: Record) -> str:
        raise self.why


def open_and_run(
    open_drill: Callable[[], AnyDrill],
    payload: Payload,
    clock: Clock,
    progress: Progress,
    *,
    directory: Path,
    control: Callable[[AnyDrill, Record], Planted | None],
) -> Kept:
    """`run_drill` of a drill that cannot be opened without its cluster.

    A client certificate that has ended, or a credential that cannot be loaded, is found out when
    the edges are opened, before there is any phase; it is a red verdict like any other.
    """
    try:
        drill = open_drill()
    except Exception as error:  # noqa: BLE001  the frame tells what it is, as of any phase
        unopened = _Unopened(payload.layer, error)
        return run_drill(
            unopened, payload, clock, progress, directory=directory, control=lambda _record: None
        )
    return run_drill(
        drill, payload, clock, progress, directory=directory, control=partial(control, drill)
    )


def run_drill(
    drill: Drill,
    payload: Payload,
    clock: Clock,
    progress: Progress,
    *,
    directory: Path,
    control: Choose,
) -> Kept:
    """Runs the drill and, if it is proven, the control that `control` picks; keeps the receipt.

    Only what is no Exception leaves this function, such as an interrupt, and then the closing
    phases have run and no receipt is written.
    """
    started_at = clock.now()
    record = run_phases(drill.layer, drill.phases(), drill.closing(), clock, progress)
    result = _control(drill.layer, payload.control, record, control, clock=clock, progress=progress)
    receipt = Receipt(
        run_id=drill.run_id,
        layer=drill.layer,
        site=payload.site,
        judgement=record.judgement(),
        started_at=started_at.astimezone(datetime.UTC),
        record=record,
        control=result,
        versions=drill.versions(),
    )
    return keep(receipt, payload, directory)


def _control(
    layer: str, wanted: str, record: Record, choose: Choose, *, clock: Clock, progress: Progress
) -> ControlResult:
    """Runs the control whose turn it is; one that survives turns the record red."""
    if wanted == NONE:
        return ControlResult(NONE, "switched off in the payload")
    if record.judgement().verdict is not Verdict.PROVEN:
        # On a site that is red already, a red control would say nothing.
        return ControlResult(NONE, "not run: the drill itself is red")
    chosen: list[Planted] = []
    results: list[ControlResult] = []

    def plant(found: Record) -> str:
        planted = choose(found)
        if planted is None:
            return "this site has nothing to plant the fault in"
        chosen.append(planted)
        results.append(planted.result(planted.run()))
        return f"{planted.name} {'killed' if results[0].killed else 'SURVIVED'}"

    # A record of its own: what goes wrong in a control is no finding about the restore point.
    phased = run_phases(layer, (Phase("control", lambda _own: plant(record)),), (), clock, progress)
    record.phases += phased.phases
    record.checks += phased.checks
    if not chosen:
        return ControlResult(NONE, f"not run: {phased.phases[0].result}")
    if not results:
        return chosen[0].unfinished()
    if not results[0].killed:
        record.checks.append(_survived(results[0]))
    return results[0]


def _survived(result: ControlResult) -> Check:
    observed = " ".join(part for part in (result.verdict, result.reason) if part)
    return Check(
        "drill", f"control {result.name}", f"red with {result.expected}", observed,
        Reason.CONTROL_SURVIVED,
    )  # fmt: skip
