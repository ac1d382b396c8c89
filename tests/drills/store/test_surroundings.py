"""What a client meets before any permission: each fault has its reason, each its healthy twin."""

import datetime
import socket
import time
from pathlib import Path

import pytest
from minio.commonconfig import Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.versioningconfig import VersioningConfig

from drills.frame import Clock
from drills.store.probes import MARK
from drills.store.surroundings import region_checks
from drills.verdict import Reason, Verdict
from s3.client import Credential, Session, StoreEndpoint
from tests.support.drill_runs import assert_proven, assert_red, drill, failed_checks
from tests.support.minio_server import MinioServer, issue_certificate, running_minio
from tests.support.ports import free_port
from tests.support.store_site import StoreSite, make_bucket, noncurrent_rule, truths_rule

pytestmark = pytest.mark.tools


def test_nothing_listening_is_unproven(store_site: StoreSite) -> None:
    record = drill({**store_site.payload, "endpoint": f"https://127.0.0.1:{free_port()}"})
    assert_red(record, Reason.STORE_UNREACHABLE, Verdict.UNPROVEN)


def test_another_ca_is_broken(store_site: StoreSite, tmp_path: Path) -> None:
    other = issue_certificate(tmp_path / "other").read_text()
    record = drill({**store_site.payload, "caPem": other})
    assert_red(record, Reason.TLS_UNKNOWN_AUTHORITY)


def test_a_name_the_certificate_lacks_is_broken(store_site: StoreSite) -> None:
    record = drill({**store_site.payload, "tlsNames": ["localhost", "store1.example"]})
    assert_red(record, Reason.TLS_NAME)
    assert failed_checks(record) == [("store", "handshake as store1.example")]


def test_every_other_server_of_the_store_is_asked_under_its_own_names(
    store_site: StoreSite,
) -> None:
    here = store_site.payload["endpoint"]
    node = {"endpoint": here.replace("127.0.0.1", "localhost"), "tlsNames": ["store2.example"]}
    record = drill({**store_site.payload, "nodes": [node]})
    assert_red(record, Reason.TLS_NAME)
    assert failed_checks(record) == [("store", "handshake as store2.example")]


def test_a_server_of_the_store_that_is_gone_is_red(store_site: StoreSite) -> None:
    node = {"endpoint": f"https://127.0.0.1:{free_port()}", "tlsNames": []}
    record = drill({**store_site.payload, "nodes": [node]})
    assert_red(record, Reason.STORE_UNREACHABLE, Verdict.UNPROVEN)


def test_a_region_the_store_does_not_have_is_broken(store_site: StoreSite) -> None:
    assert_red(drill({**store_site.payload, "region": "us-east-1"}), Reason.REGION_MISMATCH)


def test_a_store_that_compares_no_regions_is_broken(tmp_path: Path) -> None:
    """Without a region of its own the server takes every signature, so a wrong one goes unseen."""
    with running_minio(tmp_path, region="") as server:
        store = StoreEndpoint(server.url, "eu-west-1", server.ca_pem)
        root = Session.open(store, Credential(server.root_user, server.root_password))
        assert root.send("PUT", "some-bucket").ok
        right, foreign = region_checks(root, "some-bucket")
    assert right.ok
    assert (foreign.observed, foreign.reason) == ("accepted", Reason.REGION_MISMATCH)


def test_a_server_with_an_expired_certificate_is_broken_and_not_a_timeout(
    store_site: StoreSite, tmp_path: Path
) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with running_minio(tmp_path) as server:
        server.stop()
        ca_file = issue_certificate(tmp_path / "certs", not_after=yesterday)
        # The helper waits for health with a verifying client, which would now wait for ever.
        _start_unverified(server)
        expired = {"endpoint": server.url, "caPem": ca_file.read_text()}
        record = drill({**store_site.payload, **expired})
    assert_red(record, Reason.TLS_EXPIRED)
    assert record.phases[0].seconds < 30


def _start_unverified(server: MinioServer) -> None:
    server._wait_ready = lambda: None  # type: ignore[method-assign]
    server.start()
    host, _, port = server.endpoint.partition(":")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def test_a_certificate_near_its_end_is_broken_by_the_margin_alone(store_site: StoreSite) -> None:
    limits = store_site.payload["limits"]
    record = drill({**store_site.payload, "limits": {**limits, "certificateMinDays": 90}})
    assert_red(record, Reason.TLS_EXPIRING)
    assert all("test store" in check for _, check in failed_checks(record))


def test_an_issuing_certificate_near_its_end_counts_too(store_site: StoreSite) -> None:
    limits = store_site.payload["limits"]
    record = drill({**store_site.payload, "limits": {**limits, "certificateMinDays": 400}})
    assert any("test CA" in check for _, check in failed_checks(record))


def test_skewed_clocks_are_broken_and_a_wide_limit_forgives_them(store_site: StoreSite) -> None:
    ahead = Clock(now=lambda: datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=20))
    assert_red(drill(store_site.payload, clock=ahead), Reason.CLOCK_SKEW)
    limits = {**store_site.payload["limits"], "clockSkewSeconds": 3600}
    assert_proven(drill({**store_site.payload, "limits": limits}, clock=ahead))


@pytest.mark.parametrize(
    ("field", "reason"), [("accessKey", Reason.KEY_UNKNOWN), ("secretKey", Reason.KEY_WRONG)]
)
def test_a_changed_key_is_broken_and_names_the_client(
    store_site: StoreSite, field: str, reason: Reason
) -> None:
    payload = store_site.copy()
    payload["clients"][1][field] = "CHANGEDCHANGEDCHANGED"
    record = drill(payload)
    assert_red(record, reason)
    assert failed_checks(record) == [("longhorn", "login")]


def test_suspended_versioning_is_broken(store_site: StoreSite) -> None:
    store_site.root.set_bucket_versioning("dev-velero", VersioningConfig("Suspended"))
    try:
        assert_red(drill(store_site.payload), Reason.VERSIONING_OFF)
    finally:
        store_site.root.set_bucket_versioning("dev-velero", VersioningConfig("Enabled"))
    assert_proven(drill(store_site.payload))


def test_an_anonymous_bucket_is_broken(store_site: StoreSite) -> None:
    statement = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
        '"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::dev-velero/*"]}]}'
    )
    store_site.root.set_bucket_policy("dev-velero", statement)
    try:
        record = drill(store_site.payload)
    finally:
        store_site.root.delete_bucket_policy("dev-velero")
    assert_red(record, Reason.ANONYMOUS_ACCESS)
    assert [who for who, _ in failed_checks(record)] == ["anonymous"]
    assert_proven(drill(store_site.payload))


def test_a_rule_that_expires_current_objects_is_broken(store_site: StoreSite) -> None:
    """It would eat a repository's oldest packs while the noncurrent rule still looks right."""
    root, healthy = store_site.root, LifecycleConfig([noncurrent_rule()])
    eater = Rule(
        status="Enabled",
        rule_id="eater",
        rule_filter=Filter(prefix=""),
        expiration=Expiration(days=90),
    )
    root.set_bucket_lifecycle("dev-longhorn", LifecycleConfig([noncurrent_rule(), eater]))
    try:
        assert_red(drill(store_site.payload), Reason.LIFECYCLE_DIFFERS)
    finally:
        root.set_bucket_lifecycle("dev-longhorn", healthy)
    assert_proven(drill(store_site.payload))


@pytest.mark.parametrize(
    "rules",
    [
        [noncurrent_rule()],
        [noncurrent_rule(), truths_rule(days=7)],
        [noncurrent_rule(), truths_rule(prefix="receipts/")],
        [noncurrent_rule(), truths_rule(), truths_rule(prefix="receipts/", rule_id="more")],
    ],
    ids=["never", "too soon", "receipts instead", "receipts as well"],
)
def test_truths_that_expire_otherwise_than_declared_are_broken(
    store_site: StoreSite, rules: list[Rule]
) -> None:
    root = store_site.root
    root.set_bucket_lifecycle("dev-evidence", LifecycleConfig(rules))
    try:
        record = drill(store_site.payload)
    finally:
        healthy = LifecycleConfig([noncurrent_rule(), truths_rule()])
        root.set_bucket_lifecycle("dev-evidence", healthy)
    assert_red(record, Reason.LIFECYCLE_DIFFERS)
    label = "rules that expire current objects of bucket dev-evidence"
    assert failed_checks(record) == [("store", label)]
    assert_proven(drill(store_site.payload))


def test_a_rule_for_the_drills_own_probes_harms_nobody(store_site: StoreSite) -> None:
    root, healthy = store_site.root, LifecycleConfig([noncurrent_rule()])
    probes = truths_rule(prefix=MARK)
    root.set_bucket_lifecycle("dev-longhorn", LifecycleConfig([noncurrent_rule(), probes]))
    try:
        assert_proven(drill(store_site.payload))
    finally:
        root.set_bucket_lifecycle("dev-longhorn", healthy)


def test_lock_and_lifecycle_are_compared_with_the_declaration(store_site: StoreSite) -> None:
    payload = store_site.copy()
    payload["buckets"][2]["objectLock"] = {"mode": "GOVERNANCE", "days": 14}
    assert_red(drill(payload), Reason.LOCK_DIFFERS)
    payload = store_site.copy()
    payload["buckets"][0]["noncurrentDays"] = 7
    assert_red(drill(payload), Reason.LIFECYCLE_DIFFERS)


def test_a_bucket_that_is_gone_is_broken(store_site: StoreSite) -> None:
    root, name = store_site.root, "dev-cluster-state"
    for entry in list(root.list_objects(name, recursive=True, include_version=True)):
        root.remove_object(name, str(entry.object_name), version_id=entry.version_id)
    root.remove_bucket(name)
    try:
        record = drill(store_site.payload)
    finally:
        make_bucket(root, name)
    assert_red(record, Reason.BUCKET_MISSING)
    assert ("cluster-state", "login") in failed_checks(record)
    assert_proven(drill(store_site.payload))


def test_a_client_without_a_bucket_has_lost_its_scope(store_site: StoreSite) -> None:
    payload = store_site.copy()
    payload["clients"][0]["bucket"] = ""
    record = drill(payload)
    assert_red(record, Reason.SCOPE_LOST)
    assert failed_checks(record) == [("velero", "scope")]


def test_no_client_at_all_is_unproven(store_site: StoreSite) -> None:
    payload = {**store_site.payload, "clients": [], "evidence": None}
    assert_red(drill(payload), Reason.NOTHING_TO_CHECK, Verdict.UNPROVEN)


def test_a_slow_read_back_is_broken_on_time_alone(store_site: StoreSite) -> None:
    limits = {**store_site.payload["limits"], "rtoSeconds": 0.0001}
    record = drill({**store_site.payload, "limits": limits})
    assert_red(record, Reason.OVER_RTO)
    assert failed_checks(record) == [("store", "time to read back")]
