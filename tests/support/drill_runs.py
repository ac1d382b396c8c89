"""Runs the store drill in this process and speaks about its outcome in claims."""

import json
from typing import Any

from drills.frame import Clock, Record, run_phases
from drills.payload import parse
from drills.store.drill import StoreDrill
from drills.store.payload import StorePayload
from drills.verdict import Reason, Verdict


def drill(payload: dict[str, Any], *, clock: Clock | None = None, run_id: str = "t1") -> Record:
    return drill_parsed(parse(StorePayload, json.dumps(payload)), clock=clock, run_id=run_id)


def drill_parsed(
    payload: StorePayload, *, clock: Clock | None = None, run_id: str = "t1"
) -> Record:
    clock = clock or Clock()
    run = StoreDrill(payload, clock, run_id)
    return run_phases("store", run.phases(), run.closing(), clock, lambda _line: None)


def assert_proven(record: Record) -> None:
    judgement = record.judgement()
    assert judgement.verdict is Verdict.PROVEN, judgement.detail


def assert_red(record: Record, reason: Reason, verdict: Verdict = Verdict.BROKEN) -> None:
    judgement = record.judgement()
    assert (judgement.reason, judgement.verdict) == (reason, verdict), judgement.detail


def failed_checks(record: Record) -> list[tuple[str, str]]:
    return [(check.client, check.check) for check in record.checks if not check.ok]
