"""A location counts as available by a check that is younger than everything it depends on."""

import datetime
from typing import Any

import pytest

from kube.velero.api import Velero, VeleroError
from kube.velero.locations import remove_former_secrets, wait_available
from tests.kube.velero.conftest import NAMESPACE, Hands, secret

pytestmark = pytest.mark.tools

SPEC = {"provider": "aws", "objectStorage": {"bucket": "dev-velero"}}


def at(seconds: int) -> str:
    """A time that many seconds from now, as the API server writes it."""
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def location(hands: Hands, name: str = "default") -> None:
    hands.make("backupstoragelocations", "BackupStorageLocation", name, spec=SPEC)


def checked(hands: Hands, phase: str, message: str = "", after: int = 5) -> Any:
    return lambda: hands.answer(
        "backupstoragelocations", "default",
        phase=phase, message=message, lastValidationTime=at(after),
    )  # fmt: skip


def test_it_waits_until_velero_has_looked(velero: Velero, hands: Hands) -> None:
    location(hands)
    hands.deeds = [lambda: None, checked(hands, "Available")]
    wait_available(velero, ["default"], [], 60)
    assert hands.pauses == 2


def test_a_check_from_before_the_change_does_not_count(velero: Velero, hands: Hands) -> None:
    location(hands)
    checked(hands, "Available", after=-30)()
    hands.deeds = [lambda: None, lambda: None, checked(hands, "Available")]
    wait_available(velero, ["default"], [], 60)
    assert hands.pauses == 3


def test_a_check_from_before_a_new_credential_does_not_count(velero: Velero, hands: Hands) -> None:
    location(hands)
    # As if the location were old: the check is younger than it, and older than the Secret.
    checked(hands, "Available", after=0)()
    import time  # noqa: PLC0415

    time.sleep(1.1)  # the API server notes whole seconds
    secret(hands.api, "velero-store-9")
    try:
        hands.deeds = [lambda: None, checked(hands, "Available")]
        wait_available(velero, ["default"], ["velero-store-9"], 60)
        assert hands.pauses == 2
        wait_available(velero, ["default"], [], 60)
        assert hands.pauses == 2
    finally:
        hands.api.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/velero-store-9")


def test_a_passing_fault_is_waited_out(velero: Velero, hands: Hands) -> None:
    location(hands)
    refused = "dial tcp 10.0.0.5:9091: connect: connection refused"
    hands.deeds = [
        checked(hands, "Unavailable", refused, 5),
        checked(hands, "Unavailable", refused, 6),
        checked(hands, "Unavailable", refused, 7),
        checked(hands, "Available", after=8),
    ]
    wait_available(velero, ["default"], [], 60)


def test_a_lasting_fault_ends_after_the_second_check(velero: Velero, hands: Hands) -> None:
    location(hands)
    wrong = "api error InvalidAccessKeyId: The Access Key Id you provided does not exist"
    hands.deeds = [
        checked(hands, "Unavailable", wrong, 5),
        lambda: None,
        checked(hands, "Unavailable", wrong, 6),
    ]
    with pytest.raises(VeleroError, match="does not know the access key"):
        wait_available(velero, ["default"], [], 600)
    assert hands.pauses == 3


def test_what_velero_said_last_is_told_when_time_is_up(velero: Velero, hands: Hands) -> None:
    location(hands)
    hands.deeds = [checked(hands, "Unavailable", "something nobody\nhas seen")]
    with pytest.raises(VeleroError) as caught:
        wait_available(velero, ["default"], [], 10)
    assert "location default is not available (Velero says: something nobody has seen)" in str(
        caught.value
    )


def test_a_server_that_does_not_run_is_told(velero: Velero, hands: Hands) -> None:
    location(hands)
    with pytest.raises(VeleroError, match="was not checked by Velero within 10 s"):
        wait_available(velero, ["default"], [], 10)


def test_a_location_that_is_not_there_yet_is_waited_for(velero: Velero, hands: Hands) -> None:
    hands.deeds = [lambda: location(hands), checked(hands, "Available")]
    wait_available(velero, ["default"], [], 60)
    with pytest.raises(VeleroError, match="nowhere: not seen available within 10 s"):
        wait_available(velero, ["nowhere"], [], 10)


def test_secrets_of_former_credentials_go_and_nothing_else(velero: Velero, hands: Hands) -> None:
    label = "backstop-credential-generation"
    secret(hands.api, "velero-store-1-old", {label: "1"})
    secret(hands.api, "velero-store-1-new", {label: "1"})
    secret(hands.api, "velero-repo-credentials")
    assert remove_former_secrets(velero, label, ["velero-store-1-new"]) == ["velero-store-1-old"]
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    left = {one["metadata"]["name"] for one in hands.api.request("GET", path)["items"]}
    assert {"velero-store-1-new", "velero-repo-credentials"} <= left
    assert "velero-store-1-old" not in left
    for name in ("velero-store-1-new", "velero-repo-credentials"):
        hands.api.request("DELETE", f"{path}/{name}")
