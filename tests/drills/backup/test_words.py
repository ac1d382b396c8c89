"""What Velero says of a restore: every word of a loss is red, and what is expected is not."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from drills.backup import words
from drills.backup.archive import Reader
from drills.backup.words import MOST_MESSAGES
from drills.frame import Record
from drills.sandbox.plan import _expected_warnings
from drills.verdict import Reason, Verdict
from kube.velero.restores import Outcome, RestoreResult
from s3.errors import Cause, StoreError
from tests.drills.coverage.sites import packed

NAME = "backstop-drill-1"
KNOWN = [re.compile("could not restore, ConfigMap")]


class Results:
    """The restore's file in the store; None: there is none. `asked`: for which paths."""

    def __init__(self, content: bytes | None, fault: StoreError | None = None) -> None:
        self.content, self.fault = content, fault
        self.asked: list[str] = []

    def pieces(self, path: str) -> Iterator[bytes]:
        self.asked.append(path)
        if self.fault is not None:
            raise self.fault
        if self.content is None:
            raise StoreError(Cause.OBJECT_MISSING, "no such object")
        yield self.content


def result(outcome: Outcome = Outcome.COMPLETED, **more: Any) -> RestoreResult:
    return RestoreResult(NAME, "u", outcome, "Completed", 1.0, **more)


def told(content: object, ended: RestoreResult | None = None) -> Record:
    record = Record()
    raw = content if isinstance(content, bytes) or content is None else packed(content)
    reader = Results(raw)
    words.take(record, ended or result(), KNOWN, cast("Reader", reader))
    assert reader.asked == [f"restores/{NAME}/restore-{NAME}-results.gz"]
    return record


def red(record: Record) -> list[tuple[Reason | None, str]]:
    return [(one.reason, one.observed) for one in record.checks if not one.ok]


def test_a_restore_without_a_word_is_well() -> None:
    contents: list[object] = [{}, {"warnings": {}, "errors": {}}, {"errors": None}]
    for content in contents:
        record = told(content)
        assert record.judgement().verdict is Verdict.PROVEN
        assert record.checks[-1].observed == "0 messages"


@pytest.mark.parametrize("part", ["errors", "warnings"])
@pytest.mark.parametrize(
    "held",
    [{"velero": ["lost it"]}, {"cluster": ["lost it"]}, {"namespaces": {"shop": ["lost it"]}}],
)
def test_every_error_and_unknown_warning_is_red(part: str, held: dict[str, Any]) -> None:
    ((reason, text),) = red(told({part: held}))
    assert reason is Reason.RESTORE_FAILED
    assert text.endswith(": lost it")
    assert text.startswith(part.removesuffix("s"))


def test_an_expected_warning_is_passed_over_and_counted() -> None:
    held = {"namespaces": {"shop": ["could not restore, ConfigMap is there", "lost it"]}}
    assert [text for _, text in red(told({"warnings": held}))] == ["warning (shop): lost it"]
    held["namespaces"]["shop"].pop()
    record = told({"warnings": held})
    assert red(record) == []
    assert record.checks[-1].observed == "1 messages"


def test_the_plan_knows_the_ca_of_each_namespace() -> None:
    said = (
        'could not restore, ConfigMap "kube-root-ca.crt" already exists. Warning: the in-cluster '
        "version is different than the backed-up version"
    )
    record = Record()
    content = packed({"warnings": {"namespaces": {"shop": [said]}}})
    words.take(record, result(), _expected_warnings(), cast("Reader", Results(content)))
    assert red(record) == []


def test_many_messages_are_told_up_to_a_number_and_counted_beyond() -> None:
    record = told({"errors": {"velero": [f"lost {number}" for number in range(MOST_MESSAGES + 7)]}})
    assert len(red(record)) == MOST_MESSAGES + 1
    assert red(record)[-1][1] == "and 7 more messages"
    exactly = told({"errors": {"velero": ["lost"] * MOST_MESSAGES}})
    assert len(red(exactly)) == MOST_MESSAGES


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", packed({})[:-4], packed([]), packed({"other": 1}), packed({"errors": 7}),
     packed({"errors": {"velero": "lost"}})],
)  # fmt: skip
def test_results_that_cannot_be_read_are_red(content: bytes) -> None:
    record = told(content)
    assert [reason for reason, _ in red(record)] == [Reason.RESTORE_FAILED]
    assert red(record)[0][1]
    assert not any(one.observed.endswith("messages") for one in record.checks)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.COMPLETED, Reason.RESTORE_FAILED),
        (Outcome.FAILED_VALIDATION, Reason.RESTORE_FAILED),
        (Outcome.VANISHED, Reason.RESTORE_FAILED),
        (Outcome.TIMED_OUT, Reason.RESTORE_TIMEOUT),
    ],
)
def test_results_that_are_not_there_say_no_more_than_the_restores_end(
    outcome: Outcome, reason: Reason
) -> None:
    record = told(None, result(outcome))
    assert {found for found, _ in red(record)} == {reason}
    assert red(record)[-1][1] == "not in the store"


def test_a_store_that_is_away_is_raised() -> None:
    away = Results(None, StoreError(Cause.UNREACHABLE, "no answer"))
    with pytest.raises(StoreError):
        words.take(Record(), result(), (), cast("Reader", away))


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (result(), None),
        (result(warnings=3), None),
        (result(errors=1), Reason.RESTORE_FAILED),
        (result(operations_failed=1), Reason.RESTORE_FAILED),
        (result(hooks_failed=1), Reason.RESTORE_FAILED),
        (result(Outcome.PARTIALLY_FAILED), Reason.RESTORE_FAILED),
        (result(Outcome.FAILED), Reason.RESTORE_FAILED),
        (result(Outcome.SERVER_RESTARTED), Reason.RESTORE_FAILED),
        (result(Outcome.TIMED_OUT), Reason.RESTORE_TIMEOUT),
    ],
)
def test_the_end_itself_is_a_check(ended: RestoreResult, reason: Reason | None) -> None:
    record = told({}, ended)
    assert record.checks[0].reason is reason
    assert NAME in record.checks[0].check


def test_veleros_own_reason_is_shown() -> None:
    record = told({}, result(Outcome.FAILED, message="no such backup"))
    assert record.checks[0].observed == "failed (no such backup)"
