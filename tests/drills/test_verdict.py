"""Verdicts from checks, phases from faults: the pure part, without a store."""

import datetime

import pytest

from drills.frame import Clock, Phase, Record, StopDrillError, run_phases
from drills.verdict import Check, Reason, Verdict, judge, reason_of, verdict_of
from s3.errors import Cause, StoreError


def check(reason: Reason | None) -> Check:
    return Check("velero", "put", "works", "403", reason)


def test_nothing_checked_is_unproven_and_never_green() -> None:
    judgement = judge([])
    assert judgement.verdict is Verdict.UNPROVEN
    assert judgement.reason is Reason.NOTHING_TO_CHECK


def test_the_gravest_reason_speaks_and_the_others_are_counted() -> None:
    judgement = judge(
        [check(None), check(Reason.OVER_RTO), check(Reason.POLICY_TOO_BROAD), check(None)]
    )
    assert judgement.reason is Reason.POLICY_TOO_BROAD
    assert judgement.detail.endswith("(and 1 more)")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_red(reason: Reason) -> None:
    assert verdict_of(reason) is not Verdict.PROVEN
    assert judge([check(None), check(reason)]).verdict is verdict_of(reason)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_of_a_failed_request_has_a_reason(cause: Cause) -> None:
    assert reason_of(cause) in Reason


def ticking() -> Clock:
    seconds = iter(range(1000))
    return Clock(
        monotonic=lambda: float(next(seconds)),
        now=lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )


def run(*phases: Phase) -> tuple[Record, list[str]]:
    done: list[str] = []

    def tidy(_record: Record) -> str:
        done.append("tidy")
        return "tidied"

    said: list[str] = []
    record = run_phases("store", phases, [Phase("clean up", tidy)], ticking(), said.append)
    assert done == ["tidy"]
    return record, said


def fails(error: BaseException) -> Phase:
    def body(_record: Record) -> str:
        raise error

    return Phase("find", body)


def test_phases_are_timed_in_order_with_the_clock_given() -> None:
    record, said = run(Phase("find", lambda _r: "5 buckets"), Phase("plant", lambda _r: "2 probes"))
    assert [(p.name, p.seconds) for p in record.phases] == [
        ("find", 1.0), ("plant", 1.0), ("clean up", 1.0),
    ]  # fmt: skip
    assert said[0] == "store: find        1.00 s  5 buckets"


def test_a_stopped_drill_skips_what_follows_but_tidies() -> None:
    never = Phase("plant", lambda _r: pytest.fail("ran"))
    record, _ = run(fails(StopDrillError("no trusted connection")), never)
    assert [phase.name for phase in record.phases] == ["find", "clean up"]


def test_a_store_fault_becomes_the_reason() -> None:
    record, _ = run(fails(StoreError(Cause.STORAGE_FULL, "the store is full")))
    assert record.judgement().reason is Reason.STORAGE_FULL


def test_a_fault_of_the_drill_is_unproven_and_repeats_no_text_that_may_be_secret() -> None:
    record, said = run(fails(KeyError("SENTINEL")))
    assert record.judgement().reason is Reason.DRILL_FAILED
    assert record.judgement().verdict is Verdict.UNPROVEN
    assert "SENTINEL" not in " ".join(said) + str(record)


def test_an_interrupt_tidies_and_goes_on_up() -> None:
    done: list[str] = []

    def tidy(_record: Record) -> str:
        done.append("tidy")
        return ""

    with pytest.raises(KeyboardInterrupt):
        run_phases(
            "store", [fails(KeyboardInterrupt())], [Phase("clean up", tidy)], ticking(), print
        )
    assert done == ["tidy"]
