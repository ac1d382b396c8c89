"""Comparisons in a record: every finding is red with its reason, nothing compared is no proof."""

import pytest

from drills.frame import Record
from drills.kube_objects.findings import MOST_CHECKS, take
from drills.objects.findings import Comparison, Finding, FindingKind, NotCompared, Owned, Sides
from drills.objects.keys import ObjectKey
from drills.verdict import Reason, Verdict

COPY = Sides.BACKUP_COPY


def finding(kind: FindingKind, number: int = 0) -> Finding:
    return Finding(kind, COPY, ObjectKey("configmaps", "shop", f"one-{number}"))


def taken(found: Comparison) -> Record:
    record = Record()
    take(record, found)
    return record


def test_equal_objects_are_proven_and_listed() -> None:
    owned = (Owned("services", "spec.clusterIP", "the API server", "it gives each its own", 2),)
    left = (NotCompared("pods", 4, "its workload makes it"),)
    record = taken(Comparison(COPY, compared={"configmaps": 3}, not_compared=left, owned=owned))
    assert record.judgement().verdict is Verdict.PROVEN
    assert [(one.what, one.count) for one in record.compared] == [("configmaps", 3)]
    assert [one.count for one in record.not_compared] == [4, 2]
    assert "the API server owns it" in record.not_compared[1].why


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FindingKind.LOST, Reason.OBJECT_LOST),
        (FindingKind.ADDED, Reason.OBJECT_ADDED),
        (FindingKind.CHANGED, Reason.OBJECT_DIFFERS),
    ],
)
def test_a_finding_is_red_with_its_reason(kind: FindingKind, reason: Reason) -> None:
    record = taken(Comparison(COPY, (finding(kind),), {"configmaps": 3}))
    assert record.judgement().reason is reason
    assert "configmaps/shop/one-0" in record.judgement().detail


def test_nothing_compared_is_unproven() -> None:
    judgement = taken(Comparison(COPY)).judgement()
    assert (judgement.verdict, judgement.reason) == (Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK)


def test_many_findings_are_told_up_to_a_number_and_counted_beyond() -> None:
    many = tuple(finding(FindingKind.LOST, number) for number in range(MOST_CHECKS + 7))
    record = taken(Comparison(COPY, many, {"configmaps": len(many)}))
    red = [one for one in record.checks if not one.ok]
    assert len(red) == MOST_CHECKS + 1
    assert red[-1].observed == "7 more lost"
    assert not any(one.ok for one in record.checks)
