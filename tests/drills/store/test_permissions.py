"""Permissions of a real store: each denial of each role is watched by a check of its own."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drills.verdict import Reason
from tests.support.drill_runs import assert_proven, assert_red, drill, failed_checks
from tests.support.store_site import StoreSite, bucket_owner, policy, statement

pytestmark = pytest.mark.tools


@contextmanager
def with_policy(site: StoreSite, client: str, text: dict[str, Any]) -> Iterator[None]:
    site.set_policy(client, text)
    try:
        yield
    finally:
        site.set_policy(client, site.healthy_policy(client))


def widened(text: dict[str, Any], action: str, *resources: str) -> dict[str, Any]:
    """The policy with one more permission, and without the denial that would outweigh it."""
    statements = []
    for entry in text["Statement"]:
        kept = [name for name in entry["Action"] if name != action or entry["Effect"] == "Allow"]
        statements.append({**entry, "Action": kept})
    return policy(*statements, statement("Allow", [action], *resources))


def test_a_healthy_site_is_proven_and_nothing_of_the_run_stays(store_site: StoreSite) -> None:
    record = drill(store_site.payload, run_id="healthy")
    assert_proven(record)
    assert len(record.checks) > 300
    for bucket in store_site.payload["buckets"]:
        keys = [
            entry.object_name
            for entry in store_site.root.list_objects(bucket["name"], recursive=True)
        ]
        assert [key for key in keys if "healthy" in str(key)] == []


OWN = ("dev-velero", "dev-velero/*")

# One permission too many -> the check that must notice, each alone.
TOO_MUCH = [
    ("velero", "s3:DeleteObjectVersion", OWN, "delete version"),
    ("velero", "s3:PutBucketVersioning", OWN, "put versioning"),
    ("velero", "s3:PutLifecycleConfiguration", OWN, "put lifecycle"),
    ("velero", "s3:PutBucketObjectLockConfiguration", OWN, "put object lock"),
    ("velero", "s3:PutBucketPolicy", OWN, "put bucket policy"),
    ("velero", "s3:PutObjectLegalHold", OWN, "put legal hold"),
    ("velero", "s3:DeleteBucket", OWN, "delete bucket"),
    ("velero", "s3:ListBucket", ("dev-longhorn",), "list dev-longhorn"),
    ("velero", "s3:GetObject", ("dev-longhorn/*",), "get dev-longhorn"),
    ("velero", "s3:PutObject", ("dev-longhorn/*",), "put dev-longhorn"),
    ("velero", "s3:DeleteObject", ("dev-longhorn/*",), "delete dev-longhorn"),
    ("host-files/cp1", "s3:ListBucket", ("dev-host-files",), "list dev-host-files"),
    ("host-files/cp1", "s3:GetObject", ("dev-host-files/cp2/*",), "get dev-host-files/cp2/"),
    ("host-files/cp1", "s3:PutObject", ("dev-host-files/*",), "put dev-host-files/cp2/"),
    (
        "host-files/cp1",
        "s3:DeleteObject",
        ("dev-host-files/cp1/*",),
        "delete dev-host-files/cp1/data/",
    ),
    ("drill", "s3:PutObject", ("dev-velero/*",), "put dev-velero"),
    ("drill", "s3:DeleteObject", ("dev-evidence/*",), "delete dev-evidence"),
    ("evidence", "s3:GetObject", ("dev-evidence/*",), "get dev-evidence"),
    ("evidence", "s3:ListBucket", ("dev-evidence",), "list dev-evidence"),
    ("evidence", "s3:DeleteObject", ("dev-evidence/*",), "delete dev-evidence"),
    ("evidence", "s3:PutObject", ("dev-evidence/canary/*",), "put dev-evidence/canary/dev/"),
    ("truth", "s3:PutObject", ("dev-evidence/receipts/*",), "put dev-evidence/receipts/"),
    ("truth", "s3:PutObject", ("dev-evidence/canary/*",), "put dev-evidence/canary/.backstop"),
    ("truth", "s3:PutObject", ("dev-velero/*",), "put dev-velero"),
    ("truth", "s3:GetObject", ("dev-evidence/canary/dev/*",), "get dev-evidence"),
    ("truth", "s3:GetObject", ("dev-evidence/receipts/*",), "get dev-evidence/receipts/"),
    ("truth", "s3:ListBucket", ("dev-evidence",), "list dev-evidence"),
    ("truth", "s3:ListBucketVersions", ("dev-evidence",), "list versions dev-evidence"),
    ("truth", "s3:DeleteObject", ("dev-evidence/canary/dev/*",), "delete dev-evidence"),
    ("cluster-state", "admin:ListUsers", (), "admin API"),
]  # fmt: skip


@pytest.mark.parametrize(("client", "action", "resources", "noticed"), TOO_MUCH)
def test_one_permission_too_many_is_noticed_by_its_own_check(
    store_site: StoreSite, client: str, action: str, resources: tuple[str, ...], noticed: str
) -> None:
    text = widened(store_site.healthy_policy(client), action, *resources)
    if not resources:
        text = policy(
            *store_site.healthy_policy(client)["Statement"],
            {"Effect": "Allow", "Action": [action]},
        )
    with with_policy(store_site, client, text):
        record = drill(store_site.payload, run_id="broad")
    assert_red(record, Reason.POLICY_TOO_BROAD)
    failed = failed_checks(record)
    assert {who for who, _ in failed} == {client}
    assert any(check.startswith(noticed) for _, check in failed), failed
    assert_proven(drill(store_site.payload, run_id="twin"))


TOO_LITTLE = [
    ("velero", "s3:PutObject", "put dev-velero"),
    ("velero", "s3:GetObject", "get dev-velero"),
    ("longhorn", "s3:DeleteObject", "delete dev-longhorn"),
    ("longhorn", "s3:ListBucket", "list dev-longhorn"),
    ("cluster-state", "s3:AbortMultipartUpload", "multipart"),
    ("host-files/cp2", "s3:HeadBucket", "head bucket"),
    ("host-files/cp2", "s3:GetBucketLocation", "bucket location"),
    ("truth", "s3:PutObject", "put dev-evidence/canary/dev/"),
    ("truth", "s3:AbortMultipartUpload", "multipart"),
    ("truth", "s3:HeadBucket", "head bucket"),
    ("truth", "s3:GetBucketLocation", "bucket location"),
    ("drill", "s3:GetBucketVersioning", "versioning of bucket"),
    ("drill", "s3:GetObjectVersion", ""),
]


@pytest.mark.parametrize(("client", "action", "noticed"), TOO_LITTLE)
def test_one_permission_too_few_is_noticed(
    store_site: StoreSite, client: str, action: str, noticed: str
) -> None:
    healthy = store_site.healthy_policy(client)
    statements = [
        {**entry, "Action": [name for name in entry["Action"] if name != action]}
        if entry["Effect"] == "Allow"
        else entry
        for entry in healthy["Statement"]
    ]
    narrowed = policy(*[entry for entry in statements if entry["Action"]])
    with with_policy(store_site, client, narrowed):
        record = drill(store_site.payload, run_id="narrow")
    if action == "s3:GetObjectVersion":
        # MinIO reads versions with s3:GetObject; the drill must not claim otherwise.
        assert_proven(record)
        return
    assert_red(record, Reason.POLICY_TOO_NARROW)
    assert any(check.startswith(noticed) for _, check in failed_checks(record))


def test_destructive_tries_of_an_almighty_client_leave_the_store_as_it_was(
    store_site: StoreSite,
) -> None:
    """Everything the drill wants refused is allowed here, and still no real setting changes."""
    root = store_site.root
    root.put_object("dev-velero", "backups/precious", io.BytesIO(b"precious"), 8)

    def settings() -> list[Any]:
        found: list[Any] = []
        for bucket in store_site.payload["buckets"]:
            name = bucket["name"]
            lifecycle = root.get_bucket_lifecycle(name)
            rules = [] if lifecycle is None else [rule.rule_id for rule in lifecycle.rules]
            found += [name, root.get_bucket_versioning(name).status, rules]
        return found

    before = settings()
    everything = policy({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]})
    names = [client["name"] for client in store_site.payload["clients"]]
    for name in names:
        store_site.set_policy(name, everything)
    try:
        record = drill(store_site.payload, run_id="almighty")
    finally:
        for name in names:
            store_site.set_policy(name, store_site.healthy_policy(name))
    assert_red(record, Reason.POLICY_TOO_BROAD)
    assert settings() == before
    assert root.get_object("dev-velero", "backups/precious").data == b"precious"
    assert_proven(drill(store_site.payload, run_id="twin"))


def test_a_client_with_the_rights_of_another_bucket_owner_is_broken(store_site: StoreSite) -> None:
    with with_policy(store_site, "velero", bucket_owner("dev-longhorn")):
        record = drill(store_site.payload, run_id="owner")
    assert_red(record, Reason.POLICY_TOO_BROAD)
    assert ("velero", "put dev-velero/metadata/.backstop-probe/owner/kept") in failed_checks(record)
