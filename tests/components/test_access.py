"""Policies: what each role gets, and that no role can shorten the life of what is stored."""

import json
from typing import Any

import pytest

from components.object_store.access import (
    ClientAccess,
    Folder,
    client_accesses,
    policy_text,
    statements,
)
from components.object_store.buckets import declared_buckets
from s3.ownership import policy_owner
from tests.support.recorder import settings_with

BUCKETS = ["dev-velero", "dev-evidence"]
WRITERS = ["velero", "longhorn", "host-files", "cluster-state", "evidence", "truth"]


def access(role: str) -> ClientAccess:
    prefix = {"host-files": "cp1/", "evidence": "receipts/", "truth": "canary/"}.get(role, "")
    folder = "dev/" if role == "truth" else ""
    return ClientAccess(role, role, home(role), prefix, 1, keep_previous=False, folder=folder)


def home(role: str) -> str:
    return "dev-evidence" if role == "truth" else f"dev-{role}"


def actions(role: str, effect: str) -> set[str]:
    return {
        action
        for statement in statements(access(role), BUCKETS)
        if statement["Effect"] == effect
        for action in statement["Action"]
    }


@pytest.mark.parametrize("role", [*WRITERS, "drill"])
def test_no_role_has_a_wildcard_action_or_anothers_bucket(role: str) -> None:
    allowed = actions(role, "Allow")
    assert not [action for action in allowed if "*" in action]
    text = policy_text("dev", access(role), BUCKETS)
    others = {home(other) for other in WRITERS} - {home(role)}
    if role != "drill":
        assert not [other for other in others if f":::{other}" in text]


@pytest.mark.parametrize("role", [*WRITERS, "drill"])
def test_every_role_is_denied_what_ends_a_version(role: str) -> None:
    denied = actions(role, "Deny")
    assert {
        "s3:DeleteObjectVersion",
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketVersioning",
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket",
        "s3:PutBucketPolicy",
    } <= denied
    assert not denied & actions(role, "Allow")


def test_append_only_roles_are_denied_every_delete() -> None:
    for role in ("evidence", "truth", "drill"):
        assert "s3:DeleteObject" in actions(role, "Deny")


def test_a_node_deletes_only_its_own_locks() -> None:
    granting = [
        statement["Resource"]
        for statement in statements(access("host-files"), BUCKETS)
        if statement["Effect"] == "Allow" and "s3:DeleteObject" in statement["Action"]
    ]
    assert granting == [["arn:aws:s3:::dev-host-files/cp1/locks/*"]]


def test_the_drill_reads_everything_and_writes_nothing() -> None:
    assert {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucketVersions"} <= actions(
        "drill", "Allow"
    )
    assert not [action for action in actions("drill", "Allow") if ":Put" in action]


def granted_to_the_drill(*folders: Folder) -> set[tuple[str, str, str]]:
    """Effect, action and resource, those of a prefix with it behind the resource."""
    return {
        (statement["Effect"], action, resource + json.dumps(statement.get("Condition", "")))
        for statement in statements(access("drill"), BUCKETS, folders)
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


@pytest.mark.parametrize("prefix", ["longhorn/", ""])
def test_of_another_bucket_the_drill_gets_one_folder_and_no_more(prefix: str) -> None:
    more = granted_to_the_drill(Folder("second", prefix)) - granted_to_the_drill()
    condition = json.dumps({"StringLike": {"s3:prefix": [f"{prefix}*"]}} if prefix else "")
    assert {one for one in more if one[0] == "Allow"} == {
        ("Allow", "s3:ListBucket", f"arn:aws:s3:::second{condition}"),
        ("Allow", "s3:GetObject", f'arn:aws:s3:::second/{prefix}*""'),
    }
    denied = {action for effect, action, _ in granted_to_the_drill() if effect == "Deny"}
    for end in ("", "/*"):
        assert {("Deny", action, f'arn:aws:s3:::second{end}""') for action in denied} < more
    assert granted_to_the_drill() < granted_to_the_drill(Folder("second", prefix))


def test_a_folder_of_a_bucket_that_the_drill_reads_needs_no_right_of_its_own() -> None:
    folders = (Folder(BUCKETS[0], "x/"),)
    drill = access("drill")
    assert policy_text("dev", drill, BUCKETS, folders) == policy_text("dev", drill, BUCKETS)
    two = (Folder("second", "b/"), Folder("second", "a/"))
    text = policy_text("dev", drill, BUCKETS, two)
    assert text == policy_text("dev", drill, BUCKETS, tuple(reversed(two)))
    velero = access("velero")
    elsewhere = (Folder("second", ""),)
    assert policy_text("dev", velero, BUCKETS, elsewhere) == policy_text("dev", velero, BUCKETS)


def test_evidence_appends_and_cannot_read() -> None:
    assert "s3:PutObject" in actions("evidence", "Allow")
    assert not [action for action in actions("evidence", "Allow") if action.startswith("s3:GetO")]


def test_the_canarys_writer_puts_below_the_folder_of_its_site_and_does_nothing_else() -> None:
    granted = {
        (action, resource)
        for statement in statements(access("truth"), BUCKETS)
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    bucket, folder = "arn:aws:s3:::dev-evidence", "arn:aws:s3:::dev-evidence/canary/dev/*"
    assert granted == {
        ("s3:GetBucketLocation", bucket),
        ("s3:HeadBucket", bucket),
        ("s3:AbortMultipartUpload", folder),
        ("s3:PutObject", folder),
    }


def accesses_of(**clients: Any) -> dict[str, ClientAccess]:
    settings = settings_with(clients=clients)
    buckets = {bucket.role: bucket.name for bucket in declared_buckets(settings)}
    return {one.name: one for one in client_accesses(settings, buckets)}


def test_truths_lie_in_the_bucket_of_evidence_whatever_its_name() -> None:
    truth = accesses_of(evidence={"bucket": "kept-apart"}, truth={"credentialGeneration": 3})[
        "truth"
    ]
    assert truth == ClientAccess(
        "truth", "truth", "kept-apart", "canary/", 3, keep_previous=False, folder="dev/"
    )


def test_a_site_may_do_without_the_canarys_writer() -> None:
    assert "truth" in accesses_of()
    assert "truth" not in accesses_of(truth={"enabled": False})


def test_equal_rights_are_equal_text() -> None:
    text = policy_text("dev", access("velero"), BUCKETS)
    assert text == policy_text("dev", access("velero"), list(reversed(BUCKETS)))
    assert json.loads(text)["Version"] == "2012-10-17"


def test_an_unknown_role_has_no_policy() -> None:
    with pytest.raises(ValueError, match="role nobody"):
        statements(ClientAccess("x", "nobody", "b", "", 1, keep_previous=False), BUCKETS)


def test_every_node_is_a_client_of_its_own() -> None:
    settings = settings_with(clients={"host-files": {"nodes": ["a", "b"]}})
    buckets = {bucket.role: bucket.name for bucket in declared_buckets(settings)}
    nodes = [one for one in client_accesses(settings, buckets) if one.role == "host-files"]
    assert [(one.name, one.prefix) for one in nodes] == [
        ("host-files/a", "a/"),
        ("host-files/b", "b/"),
    ]


def test_a_policy_bears_the_mark_of_its_site() -> None:
    assert policy_owner(policy_text("dev", access("velero"), BUCKETS)) == "dev"
    assert policy_owner({"Statement": statements(access("velero"), BUCKETS)}) is None
