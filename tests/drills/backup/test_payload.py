"""What drills share that restore from a backup: places, limits, the restore point that is meant."""

import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from drills.backup.payload import BackupPayload, VeleroPlace
from drills.payload import PayloadError
from drills.point_choice import Choice
from tests.drills.volumes.drill_site import payload_fields
from tests.kube import kubeconfigs


def fields(**changes: Any) -> dict[str, Any]:
    found = {
        **payload_fields(layer="any", limits={"rtoSeconds": 1, "rpoSeconds": 2}), **changes,
    }  # fmt: skip
    del found["reader"], found["canary"]
    return {key: value for key, value in found.items() if value is not ...}


def payload(**changes: Any) -> BackupPayload:
    return BackupPayload.model_validate(fields(**changes))


def test_what_is_left_out_has_a_value() -> None:
    made = payload(restorePoint=...)
    assert (made.limits.restore_seconds, made.limits.drill_seconds) == (900, 3600)
    assert (made.schedules, made.namespaces) == ((), ())
    assert made.choice() == Choice("longest-unproven")
    assert "SENTINEL" not in repr(made)


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ("latest", Choice("latest")),
        ({"name": "daily-1"}, Choice("name", name="daily-1")),
        ({"age": "7d"}, Choice("age", age=datetime.timedelta(days=7))),
    ],
)
def test_the_restore_point_is_read(given: object, choice: Choice) -> None:
    assert payload(restorePoint=given).choice() == choice


@pytest.mark.parametrize(
    "changes",
    [
        {"restorePoint": "newest"},
        {"restorePoint": {"age": "soon"}},
        {"limits": {"rtoSeconds": 1, "rpoSeconds": 0}},
        {"limits": {"rtoSeconds": 1, "rpoSeconds": 1, "restoreSeconds": 0}},
        {"limits": {"rtoSeconds": 1, "rpoSeconds": 1, "drillSeconds": -1}},
        {"cluster": {"kubeconfig": "x", "uid": ""}},
        {"velero": {"namespace": "velero", "location": "default", "bucket": ""}},
        {"velero": {"namespace": "velero", "location": "", "bucket": "b"}},
        {"velero": {"namespace": "", "location": "default", "bucket": "b"}},
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        payload(**changes)


@pytest.mark.parametrize(
    ("prefix", "key"), [("", "backups/a"), ("dev", "dev/backups/a"), ("dev/", "dev/backups/a")]
)
def test_a_key_lies_below_the_prefix(prefix: str, key: str) -> None:
    place = VeleroPlace(namespace="velero", location="default", bucket="b", prefix=prefix)
    assert place.key("backups/a") == key


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clients": []}, "clients: drill is missing"),
        ({"cluster": {"kubeconfig": "[]", "uid": "x"}}, "cluster.kubeconfig: "),
        ({"cluster": {"kubeconfig": kubeconfigs.text(), "uid": "x", "context": "none"}}, "none"),
    ],
)
def test_what_can_be_told_before_anything_is_asked_is_told(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(PayloadError) as caught:
        payload(**changes).check()
    assert said in str(caught.value)
    assert "SENTINEL" not in str(caught.value)


def test_a_sound_payload_passes_and_the_context_is_chosen() -> None:
    made = payload(cluster={"kubeconfig": kubeconfigs.text(), "uid": "x", "context": "two"})
    made.check()
    assert made.cluster.parsed().server == "https://two.example:6443"
