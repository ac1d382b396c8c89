"""One backup of today's template: made once, waited for, and never repeated."""

import datetime
import json
from typing import Any

import pytest

from kube.velero.api import Velero, VeleroError
from kube.velero.backups import first_backup, from_schedule
from tests.kube.velero.conftest import Hands

pytestmark = pytest.mark.tools

NOW = datetime.datetime(2026, 11, 21, 12, 0, 1, tzinfo=datetime.UTC)
LABELS = {"backstop-template": "0f9957d513868bc8"}
NAME = "daily-20261121120001"
TEMPLATE = {"ttl": "720h0m0s", "includedNamespaces": ["app"], "metadata": {"labels": LABELS}}


@pytest.fixture
def schedule(hands: Hands) -> dict[str, Any]:
    return hands.make(
        "schedules", "Schedule", "daily",
        metadata={"labels": {"tool": "x"}, "annotations": {"a": "b"}},
        spec={"schedule": "0 2 * * *", "template": TEMPLATE},
    )  # fmt: skip


def run(velero: Velero, said: list[str] | None = None, seconds: float = 60) -> dict[str, object]:
    say = (said if said is not None else []).append
    return first_backup(velero, "daily", LABELS, seconds=seconds, now=NOW, say=say)


def ends(hands: Hands, phase: str, name: str = NAME, **status: Any) -> Any:
    return lambda: hands.answer("backups", name, phase=phase, **status)


def backup(hands: Hands, name: str, phase: str, **labels: str) -> None:
    held = {"velero.io/schedule-name": "daily", **LABELS, **labels}
    hands.make("backups", "Backup", name, metadata={"labels": held}, spec=TEMPLATE)
    hands.answer("backups", name, phase=phase)


def test_it_is_named_and_labelled_as_veleros_own_command_does() -> None:
    made = from_schedule(
        {
            "metadata": {"name": "daily", "namespace": "velero", "labels": {"tool": "x"}},
            "spec": {"template": TEMPLATE},
        },
        NOW,
    )
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


@pytest.mark.usefixtures("schedule")
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


@pytest.mark.usefixtures("schedule")
def test_one_of_this_template_is_not_repeated(velero: Velero, hands: Hands) -> None:
    backup(hands, "daily-20261120020000", "Completed")
    assert run(velero)["backup"] == "daily-20261120020000"
    assert len(hands.there("backups")) == 1


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize(
    ("phase", "labels"),
    [
        ("Completed", {"backstop-template": "an-older-one"}),
        ("Completed", {"velero.io/schedule-name": "another"}),
        ("PartiallyFailed", {}),
        ("Failed", {}),
    ],
)
def test_another_one_does_not_count(
    velero: Velero, hands: Hands, phase: str, labels: dict[str, str]
) -> None:
    backup(hands, "daily-20261120020000", phase, **labels)
    hands.deeds = [ends(hands, "Completed")]
    assert run(velero)["backup"] == NAME


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize("phase", ["New", "Queued", "InProgress", "WaitingForPluginOperations"])
def test_one_that_an_interrupted_run_began_is_waited_for(
    velero: Velero, hands: Hands, phase: str
) -> None:
    backup(hands, "daily-20261121110000", phase)
    hands.deeds = [ends(hands, "Completed", "daily-20261121110000")]
    assert run(velero)["backup"] == "daily-20261121110000"
    assert len(hands.there("backups")) == 1


@pytest.mark.usefixtures("schedule")
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


@pytest.mark.usefixtures("schedule")
def test_one_that_takes_too_long_goes_on(velero: Velero, hands: Hands) -> None:
    with pytest.raises(VeleroError, match="did not end within 10 s"):
        run(velero, seconds=10)
    assert len(hands.there("backups")) == 1


@pytest.mark.usefixtures("schedule")
def test_one_that_somebody_deletes_is_told(velero: Velero, hands: Hands) -> None:
    hands.deeds = [lambda: hands.api.request("DELETE", hands.path("backups", NAME))]
    with pytest.raises(VeleroError, match="was deleted while it ran"):
        run(velero)


def test_the_summary_is_plain_data(velero: Velero, hands: Hands) -> None:
    hands.make("schedules", "Schedule", "daily",
               spec={"schedule": "0 2 * * *", "template": TEMPLATE})  # fmt: skip
    backup(hands, "daily-20261120020000", "Completed")
    assert json.loads(json.dumps(run(velero)))["phase"] == "Completed"
