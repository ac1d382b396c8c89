"""Verdicts from checks, phases from faults: the pure part, without a store."""

import datetime

import pytest

from drills.frame import Clock, Phase, Record, StopDrillError, run_phases
from drills.verdict import Check, Reason, Verdict, judge, reason_of, reason_of_error, verdict_of
from kube.errors import Cause as ClusterCause
from kube.errors import ClusterError
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
    assert reason_of_error(StoreError(cause, "")) is reason_of(cause)


@pytest.mark.parametrize("cause", list(ClusterCause))
def test_every_cause_of_a_failed_request_to_the_cluster_has_a_reason(cause: ClusterCause) -> None:
    assert reason_of_error(ClusterError(cause, "")) in Reason


def test_store_and_cluster_do_not_take_each_others_reasons() -> None:
    """Their causes are equal as texts."""
    assert ClusterCause.UNREACHABLE == Cause.UNREACHABLE
    assert reason_of_error(StoreError(Cause.UNREACHABLE, "")) is Reason.STORE_UNREACHABLE
    cluster = ClusterError(ClusterCause.UNREACHABLE, "")
    assert reason_of_error(cluster) is Reason.CLUSTER_UNREACHABLE


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Reason.CLUSTER_UNREACHABLE, Reason.CLUSTER_MISMATCH),
        (Reason.CLUSTER_MISMATCH, Reason.RESTORE_POINT_MISSING),
        (Reason.TARGET_REFUSED, Reason.RESTORE_FAILED),
        (Reason.RESTORE_POINT_MISSING, Reason.UNPROTECTED),
        (Reason.RESTORE_POINT_UNFINISHED, Reason.VOLUME_LOST),
        (Reason.REPOSITORY_VANISHED, Reason.RESTORE_POINT_DAMAGED),
        (Reason.REPOSITORY_KEY_WRONG, Reason.RESTORE_POINT_DAMAGED),
        (Reason.STORAGE_FULL, Reason.RESTORE_FAILED),
        (Reason.RESTORE_POINT_DAMAGED, Reason.RESTORE_FAILED),
        (Reason.RESTORE_FAILED, Reason.OBJECT_LOST),
        (Reason.RESTORE_TIMEOUT, Reason.OBJECT_LOST),
        (Reason.OBJECT_LOST, Reason.VOLUME_LOST),
        (Reason.VOLUME_LOST, Reason.FILE_LOST),
        (Reason.FILE_LOST, Reason.CONTENT_DIFFERS),
        (Reason.CONTENT_DIFFERS, Reason.CHECK_FAILED),
        (Reason.CHECK_FAILED, Reason.OVER_RTO),
        (Reason.OVER_RPO, Reason.OVER_RTO),
        (Reason.OVER_RTO, Reason.DEBRIS_LEFT),
        (Reason.DEBRIS_LEFT, Reason.CONTROL_SURVIVED),
    ],
)
def test_what_hides_or_causes_another_finding_speaks_first(cause: Reason, reason: Reason) -> None:
    assert judge([check(reason), check(cause)]).reason is cause


def test_only_what_says_nothing_about_the_backup_is_unproven() -> None:
    unproven = {reason for reason in Reason if verdict_of(reason) is Verdict.UNPROVEN}
    assert unproven == {
        Reason.DRILL_FAILED, Reason.STORE_UNREACHABLE, Reason.CLUSTER_UNREACHABLE,
        Reason.STORE_UNHEALTHY, Reason.TARGET_REFUSED, Reason.NOTHING_TO_CHECK,
        Reason.RESTORE_POINT_MISSING, Reason.RESTORE_POINT_UNFINISHED, Reason.TRUTH_UNUSABLE,
        Reason.EVIDENCE_UNWRITABLE,
    }  # fmt: skip


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


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ClusterCause.UNREACHABLE, Reason.CLUSTER_UNREACHABLE),
        (ClusterCause.BUSY, Reason.CLUSTER_UNREACHABLE),
        (ClusterCause.TLS_EXPIRED, Reason.TLS_EXPIRED),
        (ClusterCause.CREDENTIAL_REFUSED, Reason.KEY_UNKNOWN),
        (ClusterCause.FORBIDDEN, Reason.POLICY_TOO_NARROW),
        (ClusterCause.MISSING, Reason.DRILL_FAILED),
        (ClusterCause.QUOTA, Reason.RESTORE_FAILED),
        (ClusterCause.WEBHOOK_REFUSED, Reason.RESTORE_FAILED),
        (ClusterCause.TERMINATING, Reason.TARGET_REFUSED),
    ],
)
def test_a_cluster_fault_becomes_the_reason_and_its_sentence_the_detail(
    cause: ClusterCause, reason: Reason
) -> None:
    never = Phase("restore", lambda _r: pytest.fail("ran"))
    record, said = run(fails(ClusterError(cause, "the API server said so")), never)
    assert record.judgement().reason is reason
    (only,) = record.checks
    assert (only.client, only.check, only.observed) == ("cluster", "find", "the API server said so")
    assert "the API server said so" in said[0]


def test_a_phase_that_stops_without_a_failed_check_is_not_green() -> None:
    def body(record: Record) -> str:
        record.checks.append(check(None))
        raise StopDrillError("nobody to ask")

    record, _ = run(Phase("find", body))
    assert record.judgement().reason is Reason.DRILL_FAILED
    assert "nobody to ask" in record.judgement().detail


def test_a_phase_that_stops_with_a_failed_check_speaks_for_itself() -> None:
    def body(record: Record) -> str:
        record.checks.append(check(Reason.OVER_RTO))
        raise StopDrillError("too late")

    record, _ = run(Phase("find", body))
    assert [each.reason for each in record.checks] == [Reason.OVER_RTO]


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
