"""What Velero says of its location becomes the reason that tells people where to look."""

from typing import Any

import pytest

from drills.backup import location
from drills.verdict import Reason
from kube.velero import cures


def checked(message: str, phase: str = "Unavailable") -> Any:
    return location.check({"status": {"phase": phase, "message": message}}, "default")


def test_an_available_one_is_as_it_should_be() -> None:
    check = checked("an old message", "Available")
    assert check.ok
    assert (check.client, check.check, check.observed) == (
        "velero", "location default", "Available",
    )  # fmt: skip


# As a 1.18.1 server with the plugin 1.14.3 said it to a real store.
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("dial tcp 10.0.0.5:9091: connect: connection refused", Reason.STORE_UNREACHABLE),
        ("dial tcp: lookup store1 on 10.96.0.10:53: no such host", Reason.STORE_UNREACHABLE),
        ("certificate signed by unknown authority", Reason.TLS_UNKNOWN_AUTHORITY),
        ("x509: certificate is valid for store1, not store2", Reason.TLS_NAME),
        ("x509: certificate has expired or is not yet valid", Reason.TLS_EXPIRED),
        ("api error InvalidAccessKeyId: The Access Key Id", Reason.KEY_UNKNOWN),
        ("api error SignatureDoesNotMatch: The request", Reason.KEY_WRONG),
        ("RequestTimeTooSkewed: The difference between", Reason.CLOCK_SKEW),
        ("api error AuthorizationHeaderMalformed: wrong", Reason.REGION_MISMATCH),
        ("NoSuchBucket: The specified bucket does not exist", Reason.BUCKET_MISSING),
        ("api error AccessDenied: Access Denied.", Reason.POLICY_TOO_NARROW),
        ('unable to get credentials: Secret "v" not found', Reason.STORE_UNREACHABLE),
        ("something nobody has seen", Reason.STORE_UNREACHABLE),
    ],
)
def test_each_cause_has_its_reason(said: str, reason: Reason) -> None:
    check = checked(said)
    assert check.reason is reason
    assert said in check.observed


def test_every_cause_is_judged() -> None:
    assert set(location._BY_CAUSE) == set(cures.Cause)


def test_the_cure_is_told_with_it() -> None:
    assert "velero.credentialGeneration" in checked("InvalidAccessKeyId").observed
