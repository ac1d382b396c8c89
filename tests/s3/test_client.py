"""Endpoints, credentials, single requests; every failure has its cause and names the endpoint."""

from pathlib import Path

import pytest
import urllib3

from s3.client import (
    RETRY_AFTER_SECONDS,
    Credential,
    Session,
    StoreEndpoint,
    connect,
    connect_admin,
    connection_pool,
)
from s3.errors import SDK_ERRORS, Cause, StoreError, cause_of_code, classify
from s3.handshake import handshake
from tests.support.minio_server import MinioServer, issue_certificate
from tests.support.ports import free_port


def endpoint_of(server: MinioServer, region: str = "") -> StoreEndpoint:
    return StoreEndpoint(server.url, region or server.region, server.ca_pem)


def root_of(server: MinioServer) -> Credential:
    return Credential(server.root_user, server.root_password)


def cause_when(endpoint: StoreEndpoint, credential: Credential, bucket: str = "b-none") -> Cause:
    """The cause of asking the SDK for a bucket's listing."""
    try:
        list(connect(endpoint, credential).list_objects(bucket))
    except SDK_ERRORS as error:
        fault = classify(error, endpoint.url)
        assert endpoint.url in str(fault)
        return fault.cause
    raise AssertionError("the request worked")


@pytest.mark.tools
def test_each_fault_has_its_cause(server: MinioServer, tmp_path: Path) -> None:
    root, here = root_of(server), endpoint_of(server)
    stranger = issue_certificate(tmp_path / "ca").read_text()
    nowhere = StoreEndpoint(f"https://127.0.0.1:{free_port()}", "r", server.ca_pem)
    assert cause_when(here, root) is Cause.BUCKET_MISSING
    assert cause_when(here, Credential("nobody", "secret")) is Cause.KEY_UNKNOWN
    assert cause_when(here, Credential(root.access_key, "x")) is Cause.SIGNATURE_MISMATCH
    assert cause_when(endpoint_of(server, "mars-1"), root) is Cause.REGION_MISMATCH
    assert cause_when(StoreEndpoint(server.url, "r", stranger), root) is (
        Cause.TLS_UNKNOWN_AUTHORITY
    )
    assert cause_when(nowhere, root) is Cause.UNREACHABLE


@pytest.mark.tools
def test_a_wrong_administrator_is_classified_too(server: MinioServer) -> None:
    admin = connect_admin(endpoint_of(server), Credential(server.root_user, "wrong-secret"))
    with pytest.raises(SDK_ERRORS) as caught:
        admin.user_list()
    assert classify(caught.value, server.url).cause is Cause.SIGNATURE_MISMATCH


@pytest.mark.tools
def test_a_session_writes_reads_and_names_what_is_missing(server: MinioServer) -> None:
    session = Session.open(endpoint_of(server), root_of(server))
    assert session.send("PUT", "session-bucket").ok
    key = "a folder/ü+&=~.txt"
    assert session.put("session-bucket", key, b"content") == ""
    assert session.get("session-bucket", key) == b"content"
    with pytest.raises(StoreError) as missing:
        session.get("session-bucket", "nothing")
    assert missing.value.cause is Cause.OBJECT_MISSING
    assert "session-bucket/nothing" in str(missing.value)
    nobody = Session.open(endpoint_of(server), None)
    assert nobody.send("GET", "session-bucket", key).refused
    assert nobody.send("HEAD", "session-bucket").refused


@pytest.mark.tools
def test_a_handshake_verifies_names_and_shows_the_chain_leaf_first(server: MinioServer) -> None:
    chain = handshake(endpoint_of(server), "localhost")
    assert [certificate.subject for certificate in chain] == ["CN=test store", "CN=test CA"]
    with pytest.raises(StoreError) as wrong_name:
        handshake(endpoint_of(server), "other.example")
    assert wrong_name.value.cause is Cause.TLS_NAME
    with pytest.raises(StoreError) as wrong_address:
        handshake(endpoint_of(server), "127.0.0.9")
    assert wrong_address.value.cause is Cause.TLS_NAME


def test_a_full_store_and_a_skewed_clock_have_causes_of_their_own() -> None:
    assert cause_of_code("XMinioStorageFull") is Cause.STORAGE_FULL
    assert cause_of_code("XMinioAdminBucketQuotaExceeded") is Cause.STORAGE_FULL
    assert cause_of_code("RequestTimeTooSkewed") is Cause.CLOCK_SKEW
    assert cause_of_code("SomethingNew") is Cause.OTHER


@pytest.mark.parametrize("url", ["http://h:1", "h:1", "https://", "https://h:1/path", "ftp://h"])
def test_an_endpoint_must_be_https_without_a_path(url: str, tmp_path: Path) -> None:
    ca = issue_certificate(tmp_path).read_text()
    with pytest.raises(ValueError, match="must be https://host:port"):
        StoreEndpoint(url, "r", ca)


def test_an_endpoint_needs_a_certificate_as_its_ca() -> None:
    with pytest.raises(ValueError, match="no PEM certificate"):
        StoreEndpoint("https://h:1", "r", "-----BEGIN NOTHING-----")


def test_neither_half_of_a_credential_is_ever_shown() -> None:
    shown = repr(Credential("AKIDVISIBLE", "SECRETVISIBLE"))
    assert "VISIBLE" not in shown


def test_a_busy_store_says_that_the_client_waits_but_not_for_a_minute(tmp_path: Path) -> None:
    ca = issue_certificate(tmp_path).read_text()
    retries = connection_pool(StoreEndpoint("https://h:1", "r", ca)).connection_pool_kw["retries"]
    busy = urllib3.HTTPResponse(headers={"Retry-After": "60"}, status=503)
    assert retries.is_retry("PUT", 503)
    assert retries.get_retry_after(busy) == RETRY_AFTER_SECONDS
