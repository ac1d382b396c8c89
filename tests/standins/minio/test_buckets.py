"""S3Bucket, S3BucketVersioning, S3BucketPolicy and S3Object against a real server."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from minio.error import S3Error
from minio.versioningconfig import ENABLED, SUSPENDED, VersioningConfig

from tests.standins.minio.conftest import ByHand
from tests.standins.minio.harness import (
    BUCKET,
    BUCKET_POLICY,
    LIFECYCLE,
    OBJECT,
    UNKNOWN,
    VERSIONING,
    Plugin,
    Props,
    Reply,
    refusal,
)
from tests.support.minio_server import MinioServer

pytestmark = [pytest.mark.tools]
Fresh = Callable[[str], str]
MEBIBYTE = 1024 * 1024


def public_read(bucket: str) -> Props:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["*"]},
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }


def quota_of(by_hand: ByHand, bucket: str) -> int:
    return int(json.loads(by_hand.admin.bucket_quota_get(bucket)).get("quota", 0))


def test_a_bucket_is_made_with_its_lock_and_quota(
    plugin: Plugin, by_hand: ByHand, server: MinioServer, fresh: Fresh
) -> None:
    name = fresh("locked")
    made = plugin.create(BUCKET, {"bucket": name, "objectLocking": True, "quota": 5 * MEBIBYTE})
    assert made.id == name
    assert made.state["arn"] == f"arn:aws:s3:::{name}"
    assert made.state["bucketDomainName"] == f"https://{server.endpoint}/minio/{name}"
    assert by_hand.s3.get_object_lock_config(name).mode is None
    assert by_hand.s3.get_bucket_versioning(name).status == ENABLED
    assert quota_of(by_hand, name) == 5 * MEBIBYTE
    plugin.delete(BUCKET, made)
    assert not by_hand.s3.bucket_exists(name)


def test_a_bucket_that_exists_is_refused_and_left_as_it_is(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("foreign")
    by_hand.s3.make_bucket(name)
    by_hand.s3.put_object(name, "kept", io.BytesIO(b"x"), 1)
    with pytest.raises(grpc.RpcError) as error:
        plugin.create(BUCKET, {"bucket": name, "quota": MEBIBYTE})
    assert f"[FATAL] bucket already exists! ({name})" in refusal(error)
    assert quota_of(by_hand, name) == 0
    assert by_hand.s3.stat_object(name, "kept").size == 1


def test_of_two_creations_of_one_bucket_one_is_refused(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("raced")

    def make(_: int) -> str:
        try:
            return plugin.create(BUCKET, {"bucket": name}).id
        except grpc.RpcError as error:
            return str(error.details())

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(make, range(2)), key=len)
    assert answers[0] == name
    assert "already" in answers[1]
    assert by_hand.s3.bucket_exists(name)


def test_a_preview_of_a_bucket_makes_none(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    name = fresh("planned")
    planned = plugin.create(BUCKET, {"bucket": name}, preview=True)
    assert planned.state["bucket"] == name
    assert planned.state["arn"] == UNKNOWN
    assert not by_hand.s3.bucket_exists(name)


@pytest.mark.parametrize("acl", ["public-read", "public-write", "public-read-write", "public"])
def test_an_acl_becomes_a_policy_that_an_import_recognises(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh, acl: str
) -> None:
    name = fresh("open")
    made = plugin.create(BUCKET, {"bucket": name, "acl": acl})
    assert json.loads(by_hand.s3.get_bucket_policy(name))["Statement"]
    assert plugin.read(BUCKET, Reply(name, {})).state["acl"] == acl
    plugin.delete(BUCKET, made)


def test_an_unknown_acl_is_refused_by_name(plugin: Plugin, fresh: Fresh) -> None:
    with pytest.raises(grpc.RpcError) as error:
        plugin.create(BUCKET, {"bucket": fresh("b"), "acl": "publik"})
    assert "unsupported ACL (publik)" in refusal(error)


def test_a_quota_is_changed_but_never_taken_away(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("quota")
    made = plugin.create(BUCKET, {"bucket": name, "quota": MEBIBYTE})
    grown = plugin.update(BUCKET, made, {"bucket": name, "quota": 2 * MEBIBYTE})
    assert (grown.state["quota"], quota_of(by_hand, name)) == (2 * MEBIBYTE, 2 * MEBIBYTE)
    with pytest.raises(grpc.RpcError) as error:
        plugin.update(BUCKET, grown, {"bucket": name})
    assert "quota must be larger than 0" in refusal(error)
    assert quota_of(by_hand, name) == 2 * MEBIBYTE


def test_a_bucket_whose_quota_fails_is_kept_and_completed_by_the_next_update(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("half")
    with pytest.raises(grpc.RpcError) as error:
        plugin.create(BUCKET, {"bucket": name, "quota": -1})
    details = dict(error.value.trailing_metadata())["grpc-status-details-bin"]
    assert b"pulumirpc.ErrorResourceInitFailed" in details
    assert name.encode() in details
    kept = plugin.read(BUCKET, Reply(name, {}))
    completed = plugin.update(BUCKET, kept, {"bucket": name, "quota": MEBIBYTE})
    assert completed.state["quota"] == quota_of(by_hand, name) == MEBIBYTE


@pytest.mark.stand_in
def test_a_lock_cannot_be_switched_on_later(plugin: Plugin, fresh: Fresh) -> None:
    name = fresh("unlocked")
    made = plugin.create(BUCKET, {"bucket": name})
    with pytest.raises(grpc.RpcError) as error:
        plugin.update(BUCKET, made, {"bucket": name, "objectLocking": True})
    assert f"({name}): objectLocking is decided when a bucket is made" in refusal(error)


def test_a_bucket_removed_by_hand_is_gone(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    made = plugin.create(BUCKET, {"bucket": fresh("gone")})
    by_hand.s3.remove_bucket(made.id)
    assert plugin.read(BUCKET, made).id == ""


@pytest.mark.stand_in
def test_deleting_what_is_gone_succeeds(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    name = fresh("gone")
    bucket = plugin.create(BUCKET, {"bucket": name})
    versioned = {"bucket": name, "versioningConfiguration": {"status": "Enabled"}}
    versioning = plugin.create(VERSIONING, versioned)
    document = json.dumps(public_read(name))
    policy = plugin.create(BUCKET_POLICY, {"bucket": name, "policy": document})
    by_hand.s3.remove_bucket(name)
    plugin.delete(BUCKET_POLICY, policy)
    plugin.delete(VERSIONING, versioning)
    plugin.delete(BUCKET, bucket)
    assert not by_hand.s3.bucket_exists(name)


def test_an_imported_bucket_needs_no_update(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    name = fresh("adopted")
    by_hand.s3.make_bucket(name, object_lock=True)
    program = {"bucket": name, "objectLocking": True}
    found = plugin.read(BUCKET, Reply(name, {}))
    assert found.inputs == {"__defaults": [], "bucket": name, "objectLocking": True}
    assert plugin.changes(BUCKET, found, program) == {}


def test_a_bucket_with_content_is_removed_only_when_forced(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("full")
    made = plugin.create(BUCKET, {"bucket": name})
    by_hand.s3.set_bucket_versioning(name, VersioningConfig(status=ENABLED))
    for content in (b"1", b"2"):
        by_hand.s3.put_object(name, "a/b", io.BytesIO(content), 1)
    by_hand.s3.remove_object(name, "a/b")
    with pytest.raises(grpc.RpcError) as error:
        plugin.delete(BUCKET, made)
    assert f"unable to remove bucket ({name})" in refusal(error)
    assert "not empty" in refusal(error)
    assert len(list(by_hand.s3.list_objects(name, recursive=True, include_version=True))) == 3
    forced = plugin.update(BUCKET, made, {"bucket": name, "forceDestroy": True})
    plugin.delete(BUCKET, forced)
    assert not by_hand.s3.bucket_exists(name)


def test_versioning_is_set_changed_and_suspended_when_deleted(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("versions")
    by_hand.s3.make_bucket(name)
    wanted: Props = {"bucket": name, "versioningConfiguration": {"status": "Enabled"}}
    made = plugin.create(VERSIONING, wanted)
    assert by_hand.s3.get_bucket_versioning(name).status == ENABLED
    wanted["versioningConfiguration"] = {"status": "Enabled", "excludedPrefixes": ["tmp/"]}
    changed = plugin.update(VERSIONING, made, wanted)
    assert by_hand.s3.get_bucket_versioning(name).excluded_prefixes == ["tmp/"]
    assert plugin.changes(VERSIONING, plugin.read(VERSIONING, changed), wanted) == {}
    plugin.delete(VERSIONING, changed)
    assert by_hand.s3.get_bucket_versioning(name).status == SUSPENDED


def test_versioning_suspended_by_hand_shows_after_a_refresh(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("versions")
    by_hand.s3.make_bucket(name)
    wanted: Props = {"bucket": name, "versioningConfiguration": {"status": "Enabled"}}
    made = plugin.create(VERSIONING, wanted)
    by_hand.s3.set_bucket_versioning(name, VersioningConfig(status=SUSPENDED))
    found = plugin.read(VERSIONING, made)
    assert found.inputs["versioningConfiguration"] == {"status": "Suspended"}
    assert plugin.changes(VERSIONING, found, wanted) == {"versioningConfiguration.status": "UPDATE"}
    healed = plugin.update(VERSIONING, found, wanted)
    assert healed.state["versioningConfiguration"]["status"] == "Enabled"
    assert by_hand.s3.get_bucket_versioning(name).status == ENABLED


@pytest.mark.stand_in
def test_settings_of_one_bucket_made_at_once_are_all_kept(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    # The server loses about one of thirty such changes when they really come at once.
    for _ in range(25):
        name = fresh("together")
        by_hand.s3.make_bucket(name)
        rule = {"id": "r", "noncurrentVersionExpirationDays": 3}
        programs: list[tuple[str, Props]] = [
            (VERSIONING, {"bucket": name, "versioningConfiguration": {"status": "Enabled"}}),
            (LIFECYCLE, {"bucket": name, "rules": [rule]}),
            (BUCKET_POLICY, {"bucket": name, "policy": json.dumps(public_read(name))}),
        ]
        with ThreadPoolExecutor(len(programs)) as pool:
            made = list(pool.map(lambda program: plugin.create(*program), programs))
        for (kind, program), reply in zip(programs, made, strict=True):
            assert plugin.changes(kind, plugin.read(kind, reply), program) == {}


def test_versioning_is_imported_by_the_bucket(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("versions")
    by_hand.s3.make_bucket(name)
    by_hand.s3.set_bucket_versioning(name, VersioningConfig(status=ENABLED))
    found = plugin.read(VERSIONING, Reply(name, {}))
    wanted = {"bucket": name, "versioningConfiguration": {"status": "Enabled"}}
    assert plugin.changes(VERSIONING, found, wanted) == {}


@pytest.mark.stand_in
def test_settings_of_a_removed_bucket_are_gone(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("removed")
    by_hand.s3.make_bucket(name)
    versioned = {"bucket": name, "versioningConfiguration": {"status": "Enabled"}}
    versioning = plugin.create(VERSIONING, versioned)
    document = json.dumps(public_read(name))
    policy = plugin.create(BUCKET_POLICY, {"bucket": name, "policy": document})
    by_hand.s3.remove_bucket(name)
    assert plugin.read(VERSIONING, versioning).id == ""
    assert plugin.read(BUCKET_POLICY, policy).id == ""


def test_a_bucket_policy_in_another_form_is_no_change(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("shared")
    by_hand.s3.make_bucket(name)
    document = public_read(name)
    document["Statement"][0]["Action"] = "s3:GetObject"
    document["Statement"][0]["Principal"] = "*"
    wanted = {"bucket": name, "policy": json.dumps(document)}
    made = plugin.create(BUCKET_POLICY, wanted)
    found = plugin.read(BUCKET_POLICY, made)
    assert json.loads(by_hand.s3.get_bucket_policy(name)) == public_read(name)
    assert plugin.changes(BUCKET_POLICY, found, wanted) == {}
    assert plugin.read(BUCKET_POLICY, Reply(name, {})).id == name


def test_a_bucket_policy_changed_by_hand_shows_and_is_put_back(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("shared")
    by_hand.s3.make_bucket(name)
    wanted = {"bucket": name, "policy": json.dumps(public_read(name))}
    made = plugin.create(BUCKET_POLICY, wanted)
    wider = public_read(name)
    wider["Statement"][0]["Action"].append("s3:DeleteObject")
    by_hand.s3.set_bucket_policy(name, json.dumps(wider))
    found = plugin.read(BUCKET_POLICY, made)
    assert plugin.changes(BUCKET_POLICY, found, wanted) == {"policy": "UPDATE"}
    plugin.update(BUCKET_POLICY, found, wanted)
    assert json.loads(by_hand.s3.get_bucket_policy(name)) == public_read(name)
    plugin.delete(BUCKET_POLICY, found)
    with pytest.raises(S3Error, match="NoSuchBucketPolicy"):
        by_hand.s3.get_bucket_policy(name)


def test_a_bucket_policy_removed_by_hand_is_put_back(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("shared")
    by_hand.s3.make_bucket(name)
    wanted = {"bucket": name, "policy": json.dumps(public_read(name))}
    made = plugin.create(BUCKET_POLICY, wanted)
    by_hand.s3.delete_bucket_policy(name)
    found = plugin.read(BUCKET_POLICY, made)
    assert found.state["policy"] == ""
    assert plugin.changes(BUCKET_POLICY, found, wanted) == {"policy": "UPDATE"}


def test_an_object_is_written_changed_and_removed(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("objects")
    by_hand.s3.make_bucket(name)
    wanted = {"bucketName": name, "objectName": "a/b.txt", "content": "one"}
    made = plugin.create(OBJECT, wanted)
    assert by_hand.s3.stat_object(name, "a/b.txt").etag == made.state["etag"]
    wanted = {**wanted, "content": "two!", "contentType": "text/plain"}
    changed = plugin.update(OBJECT, made, wanted)
    assert by_hand.s3.stat_object(name, "a/b.txt").size == 4
    assert plugin.changes(OBJECT, plugin.read(OBJECT, changed), wanted) == {}
    plugin.delete(OBJECT, changed)
    assert plugin.read(OBJECT, changed).id == ""
