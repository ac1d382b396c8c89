"""One backup by a schedule's template: made once, waited for, and told when it fails."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

import pytest

from kube.errors import Cause, ClusterError
from kube.velero.api import Velero, VeleroError
from kube.velero.backups import (
    begin,
    check_completed,
    from_schedule,
    matching,
    summary,
    wait_ended,
)
from kube.writer import Writer
from tests.kube.velero.conftest import Hands

pytestmark = pytest.mark.tools

NOW = datetime.datetime(2026, 11, 21, 12, 0, 1, tzinfo=datetime.UTC)
LABELS = {"backstop-template": "0f9957d513868bc8"}
NAME = "daily-20261121120001"
TEMPLATE = {"ttl": "720h0m0s", "includedNamespaces": ["app"], "metadata": {"labels": LABELS}}
SCHEDULE: dict[str, Any] = {
    "metadata": {"name": "daily", "namespace": "velero", "labels": {"tool": "x"}},
    "spec": {"template": TEMPLATE},
}


def run(velero: Velero, said: list[str] | None = None, seconds: float = 60) -> dict[str, object]:
    say = (said if said is not None else []).append
    made = begin(velero, from_schedule(SCHEDULE, NOW))
    found = wait_ended(velero, made["metadata"]["name"], seconds, say)
    check_completed(velero, found)
    return summary(found)


def ends(hands: Hands, phase: str, name: str = NAME, **status: Any) -> Any:
    return lambda: hands.answer("backups", name, phase=phase, **status)


def test_it_is_named_and_labelled_as_veleros_own_command_does() -> None:
    made = from_schedule(SCHEDULE, NOW)
    assert made["metadata"] == {
        "name": NAME,
        "namespace": "velero",
        "labels": {**LABELS, "velero.io/schedule-name": "daily"},
    }
    assert made["spec"] == TEMPLATE


def test_without_labels_in_the_template_the_schedules_are_taken() -> None:
    made = from_schedule(
        {"metadata": {"name": "d", "namespace": "v", "labels": {"a": "b"}},
         "spec": {"template": {}}}, NOW,
    )  # fmt: skip
    assert made["metadata"]["labels"] == {"a": "b", "velero.io/schedule-name": "d"}


def test_those_of_a_template_are_told_from_others_and_come_in_order() -> None:
    def made(name: str, created: str, **labels: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "creationTimestamp": created, "labels": labels}}

    there = [
        made("late", "2026-11-21T12:00:00Z", a="1", b="2"),
        made("early", "2026-11-20T12:00:00Z", a="1"),
        made("other", "2026-11-20T12:00:00Z", a="2"),
        {"metadata": {"name": "bare"}},
    ]
    assert [one["metadata"]["name"] for one in matching(there, {"a": "1"})] == ["early", "late"]


def test_it_is_made_and_waited_for(velero: Velero, hands: Hands) -> None:
    said: list[str] = []
    hands.deeds = [
        ends(hands, "InProgress", progress={"itemsBackedUp": 2, "totalItems": 5}),
        ends(hands, "Completed", progress={"itemsBackedUp": 5, "totalItems": 5}),
    ]
    found = run(velero, said)
    assert (found["backup"], found["phase"], found["items"]) == (NAME, "Completed", 5)
    assert said == [
        f"backup {NAME}: New",
        f"backup {NAME}: InProgress, 2 of 5 items",
        f"backup {NAME}: Completed, 5 of 5 items",
    ]
    (made,) = hands.there("backups")
    assert made["spec"]["includedNamespaces"] == ["app"]
    assert json.loads(json.dumps(found)) == found


def test_one_of_somebody_else_is_not_taken_for_ours(velero: Velero, hands: Hands) -> None:
    hands.make("backups", "Backup", NAME, spec=TEMPLATE)
    with pytest.raises(VeleroError, match=f"{NAME} is there already: somebody began one"):
        begin(velero, from_schedule(SCHEDULE, NOW))


class LostAnswer(Writer):
    """Makes what it is asked for, and says once that the connection broke."""

    def __init__(self, real: Writer) -> None:
        self._real, self.calls = real, 0

    def create(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        self.calls += 1
        made = self._real.create(path, content)
        if self.calls == 1:
            raise ClusterError(Cause.UNREACHABLE, "the connection broke")
        return made


def test_one_whose_answer_was_lost_is_ours(velero: Velero, hands: Hands) -> None:
    writer = LostAnswer(velero.writer)
    flaky = Velero(velero.client, writer, velero.namespace, velero.clock)
    made = begin(flaky, from_schedule(SCHEDULE, NOW))
    assert writer.calls == 2
    assert [one["metadata"]["uid"] for one in hands.there("backups")] == [made["metadata"]["uid"]]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"phase": "PartiallyFailed", "errors": 2, "warnings": 1}, "(2 errors, 1 warnings)"),
        ({"phase": "FailedValidation", "validationErrors": ["location default is unavailable"]},
         "(location default is unavailable)"),
        ({"phase": "Failed", "failureReason": "found a backup with status InProgress"},
         "found a backup with status"),
    ],
)  # fmt: skip
def test_one_that_did_not_complete_is_told(
    velero: Velero, hands: Hands, status: dict[str, Any], said: str
) -> None:
    hands.deeds = [lambda: hands.answer("backups", NAME, **status)]
    with pytest.raises(VeleroError) as caught:
        run(velero)
    assert said in str(caught.value)
    assert f"velero backup logs {NAME}" in str(caught.value)


def test_one_that_takes_too_long_goes_on(velero: Velero, hands: Hands) -> None:
    with pytest.raises(VeleroError, match="did not end within 10 s"):
        run(velero, seconds=10)
    assert len(hands.there("backups")) == 1


def test_one_that_somebody_deletes_is_told(velero: Velero, hands: Hands) -> None:
    hands.deeds = [lambda: hands.api.request("DELETE", hands.path("backups", NAME))]
    with pytest.raises(VeleroError, match="was deleted while it ran"):
        run(velero)
