"""A survey in a record: what is red, what was compared, and what a receipt must not hide."""

from typing import Any

import pytest

from drills.coverage import report
from drills.coverage.gaps import DATA_LOST, Gap
from drills.coverage.live import Allowed, Live, Remark
from drills.coverage.survey import survey
from drills.frame import Record
from drills.verdict import Reason, Verdict
from tests.drills.coverage.clusters import (
    HOUR,
    backup,
    claim,
    live,
    namespace,
    record,
    schedule,
    volume,
)


def taken(seen: Live) -> Record:
    kept = Record()
    report.take(kept, seen, survey(seen))
    return kept


def many(count: int, **changed: Any) -> Live:
    names = [f"data-{number:02}" for number in range(count)]
    given: dict[str, Any] = {
        "claims": [claim(name) for name in names], "volumes": [volume(name) for name in names],
        "pods": [],
    }  # fmt: skip
    return live(**given | changed)


def test_what_is_protected_is_proven_and_counted_by_how() -> None:
    kept = taken(live())
    assert kept.judgement().verdict is Verdict.PROVEN
    (check,) = kept.checks
    assert check.observed == "1 namespaces and 1 volumes are"
    assert [(one.what, one.count, one.bytes) for one in kept.compared] == [
        ("coverage of namespaces", 1, None), ("coverage of volumes (data-mover)", 1, None),
    ]  # fmt: skip
    assert not kept.not_compared


@pytest.mark.parametrize("gap", Gap)
def test_every_gap_has_its_reason(gap: Gap) -> None:
    lost = {Gap.NO_DATA, Gap.DATA_FAILED, Gap.EMPTIED}
    assert report.reason_of(gap) is (Reason.VOLUME_LOST if gap in lost else Reason.UNPROTECTED)
    assert lost == DATA_LOST


@pytest.mark.parametrize(
    ("changed", "reason", "subject"),
    [
        ({"schedules": []}, Reason.UNPROTECTED, "namespace shop"),
        ({"backups": {"daily": backup()}}, Reason.VOLUME_LOST, "volume shop/data"),
        ({"backups": {"daily": backup(record(succeeded=False))}}, Reason.VOLUME_LOST,
         "volume shop/data"),
        ({"schedules": [schedule(snapshotVolumes=False)], "backups": {"daily": backup()}},
         Reason.UNPROTECTED, "volume shop/data"),
    ],
)  # fmt: skip
def test_a_gap_is_red_with_its_reason(
    changed: dict[str, Any], reason: Reason, subject: str
) -> None:
    kept = taken(live(**changed))
    assert kept.judgement().reason is reason
    first = next(one for one in kept.checks if not one.ok)
    assert first.check == subject
    assert not first.observed.startswith(subject), "the check names it already"
    assert "; " in first.observed, "what to do is told"


def test_gaps_are_told_by_name_up_to_a_number_and_counted_beyond() -> None:
    count = report.MOST_CHECKS + 3
    seen = many(count, backups={"daily": backup()})
    found = survey(seen)
    checks = [one for one in report.checks(seen, found) if not one.ok]
    assert [one.check for one in checks[:2]] == ["volume shop/data-00", "volume shop/data-01"]
    assert len(checks) == report.MOST_CHECKS + 1
    assert checks[-1].observed == "and 3 more"


def test_a_graver_reason_among_those_not_told_decides() -> None:
    count = report.MOST_CHECKS + 2
    off = schedule(snapshotVolumes=False)
    last = record(f"data-{count - 1:02}", succeeded=False)
    kept = taken(many(count, schedules=[off], backups={"daily": backup(last)}))
    assert kept.judgement().reason is Reason.VOLUME_LOST
    assert {(one.reason, one.observed) for one in kept.checks[-2:]} == {
        (Reason.UNPROTECTED, "and 1 more"), (Reason.VOLUME_LOST, "and 1 more"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"namespaces": [], "claims": []},
        {"schedules": [], "allowed": [Allowed("*", "a test")]},
        {"namespaces": [namespace(made=1)], "claims": [], "grace": 9 * HOUR},
    ],
)
def test_nothing_protected_and_nothing_missed_is_no_proof(changed: dict[str, Any]) -> None:
    judgement = taken(live(**changed)).judgement()
    assert (judgement.verdict, judgement.reason) == (Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK)


def test_what_waits_and_what_is_excused_is_told_with_why() -> None:
    allowed = [Allowed("shop", "a cache", claim="logs"), Allowed("gone", "was here")]
    claims = [claim(), claim("logs"), claim("later", phase="Pending")]
    kept = taken(live(claims=claims, allowed=allowed))
    assert kept.judgement().verdict is Verdict.PROVEN
    assert [(one.what, one.count, one.why) for one in kept.not_compared] == [
        ("coverage of volume shop/later", 1, "its claim has no volume yet"),
        ("coverage of volume shop/logs", 1, "excused: a cache"),
        ("exception gone", 1, "it excuses nothing; remove it"),
    ]  # fmt: skip


def test_long_lists_in_a_receipt_are_shortened_and_counted() -> None:
    idle = [Allowed(f"gone-{number:02}", "was here") for number in range(report.MOST_IDLE + 2)]
    count = report.MOST_NAMES + 2
    claims = [claim(), *(claim(f"late-{number}", phase="Pending") for number in range(count))]
    kept = taken(live(claims=claims, allowed=idle))
    waiting, *exceptions = kept.not_compared
    assert waiting.what.endswith("shop/late-4 and 2 more")
    assert waiting.count == count
    assert len(exceptions) == report.MOST_IDLE + 1
    assert (exceptions[-1].what, exceptions[-1].count) == ("further exceptions", 2)


def test_remarks_are_red_only_with_a_reason() -> None:
    damaged = Remark("a list of backup daily-1", 1, "cut off", Reason.RESTORE_POINT_DAMAGED)
    failed = Remark("failed backups of schedule daily", 3, "backup daily-9 ended as Failed")
    kept = taken(live(remarks=(damaged, failed)))
    assert kept.judgement().reason is Reason.RESTORE_POINT_DAMAGED
    assert [(one.what, one.count) for one in kept.not_compared] == [(failed.what, 3)]
    noted = taken(live(remarks=(failed,)))
    assert noted.judgement().verdict is Verdict.PROVEN
    assert len(noted.checks) == 1, "what is only noted is no check that came out well"


def test_remarks_are_bounded_too() -> None:
    count = report.MOST_CHECKS + 4
    remark = Remark("a list", 1, "cut off", Reason.RESTORE_POINT_DAMAGED)
    red = [one for one in taken(live(remarks=(remark,) * count)).checks if not one.ok]
    assert len(red) == report.MOST_CHECKS + 1
    assert (red[-1].client, red[-1].observed) == ("velero", "and 4 more")


def test_the_phase_says_how_many() -> None:
    seen = live(schedules=[], allowed=[Allowed("shop", "a cache", claim="data")])
    said = report.take(Record(), seen, survey(seen))
    assert said == "0 namespaces and 0 volumes protected, 1 not, 1 excused"
