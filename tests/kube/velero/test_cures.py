"""What Velero, its plugin and the TLS library say about a location leads to the right cure."""

import pytest

from kube.velero import cures

# As a 1.18.1 server with the plugin 1.14.3 said it to a real store.
WRAPPING = (
    'BackupStorageLocation "default" is unavailable: rpc error: code = Unknown desc = operation '
    "error S3: ListObjectsV2, https response error StatusCode: {status}, RequestID: 18EA10BE, "
    "HostID: 5960368e148406, {said}"
)


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("api error SignatureDoesNotMatch: The request signature we calculated", "secret key"),
        ("api error InvalidAccessKeyId: The Access Key Id you provided", "access key"),
        ("api error AccessDenied: Access Denied.", "denies the bucket"),
        ("NoSuchBucket: The specified bucket does not exist", "the bucket does not exist"),
        ("api error AuthorizationHeaderMalformed: the region is wrong", "another region"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "signed by another CA",
        ),
        ("x509: certificate is valid for store1, not store2", "does not name the address"),
        ("x509: certificate has expired or is not yet valid: current time", "not valid at this"),
        ("Backup store contains invalid top-level directories: [backupstore]", "not Velero's"),
        ("RequestTimeTooSkewed: The difference between", "clocks"),
        ('unable to get credentials: Secret "velero-store-1" not found', "a Secret that"),
        ("cannot specify both caCert and caCertRef in objectStorage", "caCert was set by hand"),
        ("dial tcp: lookup store1 on 10.96.0.10:53: no such host", "DNS"),
        ("dial tcp 10.0.0.5:9091: connect: connection refused", "do not reach the store"),
        ("context deadline exceeded", "do not reach the store"),
        ("unable to locate ObjectStore plugin named velero.io/aws", "velero.pluginImage"),
    ],
)
@pytest.mark.parametrize("wrapping", ["{said}", WRAPPING])
def test_each_message_has_its_cure(said: str, cure: str, wrapping: str) -> None:
    found = cures.find(cures.tidy(wrapping.format(said=said, status=500)))
    assert found is not None
    assert cure in found.text


def test_an_unknown_message_has_none() -> None:
    assert cures.find("something nobody has seen") is None


def test_what_is_told_is_one_line_without_the_transport() -> None:
    found = cures.tidy(WRAPPING.format(said="NoSuchBucket:\n gone", status=404))
    assert found == "operation error S3: ListObjectsV2, NoSuchBucket: gone"


@pytest.mark.parametrize("cure", cures.CURES)
def test_only_what_a_restart_can_heal_is_waited_out(cure: cures.Cure) -> None:
    assert cure.lasting is not ("do not reach" in cure.text or "DNS" in cure.text)
