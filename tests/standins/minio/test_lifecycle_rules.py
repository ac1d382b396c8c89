"""IlmPolicy against a real server."""

import datetime
from collections.abc import Callable

import grpc
import pytest
from minio.commonconfig import DISABLED, ENABLED, Filter
from minio.lifecycleconfig import (
    AbortIncompleteMultipartUpload,
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)

from tests.standins.minio.conftest import ByHand
from tests.standins.minio.harness import LIFECYCLE, UNKNOWN, Plugin, Props, Reply, refusal

pytestmark = [pytest.mark.tools]


@pytest.fixture
def bucket(by_hand: ByHand, fresh: Callable[[str], str]) -> str:
    name = fresh("lifecycle")
    by_hand.s3.make_bucket(name)
    return name


def noncurrent(days: int) -> Props:
    return {"id": "noncurrent", "noncurrentVersionExpirationDays": days}


def rules_of(by_hand: ByHand, bucket: str) -> dict[str, Rule]:
    found = by_hand.s3.get_bucket_lifecycle(bucket)
    return {str(rule.rule_id): rule for rule in found.rules} if found else {}


def by_hand_rule(days: int, status: str = ENABLED) -> Rule:
    return Rule(
        status=status,
        rule_id="noncurrent",
        rule_filter=Filter(prefix=""),
        noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=days),
    )


def test_every_form_of_a_rule_reaches_the_server_and_comes_back(
    plugin: Plugin, by_hand: ByHand, bucket: str
) -> None:
    wanted = {
        "bucket": bucket,
        "rules": [
            noncurrent(30),
            {"id": "days", "expiration": "7d", "filter": "tmp/"},
            {"id": "date", "expiration": "2040-01-31", "tags": {"kind": "scratch", "a": "b"}},
            {"id": "markers", "expiration": "DeleteMarker", "filter": "x/", "tags": {"one": "tag"}},
        ],
    }
    made = plugin.create(LIFECYCLE, wanted)
    rules = rules_of(by_hand, bucket)
    kept = rules["noncurrent"].noncurrent_version_expiration
    assert kept is not None
    assert kept.noncurrent_days == 30
    assert rules["days"].expiration == Expiration(days=7)
    assert rules["days"].rule_filter == Filter(prefix="tmp/")
    assert rules["date"].expiration == Expiration(
        date=datetime.datetime(2040, 1, 31, tzinfo=datetime.UTC)
    )
    marker = rules["markers"].expiration
    assert marker is not None
    assert marker.expired_object_delete_marker
    found = plugin.read(LIFECYCLE, made)
    assert plugin.changes(LIFECYCLE, found, wanted) == {}
    imported = plugin.read(LIFECYCLE, Reply(bucket, {}))
    assert plugin.changes(LIFECYCLE, imported, wanted) == {}


def test_a_rule_is_changed_added_and_removed(plugin: Plugin, by_hand: ByHand, bucket: str) -> None:
    made = plugin.create(LIFECYCLE, {"bucket": bucket, "rules": [noncurrent(30)]})
    two = {"bucket": bucket, "rules": [noncurrent(60), {"id": "tmp", "expiration": "1d"}]}
    assert set(plugin.changes(LIFECYCLE, made, two)) >= {
        "rules[0].noncurrentVersionExpirationDays",
        "rules[1]",
    }
    preview = plugin.update(LIFECYCLE, made, two, preview=True)
    assert preview.state["rules"][0]["noncurrentVersionExpirationDays"] == 60
    assert set(rules_of(by_hand, bucket)) == {"noncurrent"}
    changed = plugin.update(LIFECYCLE, made, two)
    assert set(rules_of(by_hand, bucket)) == {"noncurrent", "tmp"}
    plugin.update(LIFECYCLE, changed, {"bucket": bucket, "rules": [noncurrent(60)]})
    assert set(rules_of(by_hand, bucket)) == {"noncurrent"}
    plugin.delete(LIFECYCLE, changed)
    assert by_hand.s3.get_bucket_lifecycle(bucket) is None


def test_days_changed_by_hand_show_and_are_put_back(
    plugin: Plugin, by_hand: ByHand, bucket: str
) -> None:
    wanted = {"bucket": bucket, "rules": [noncurrent(30)]}
    made = plugin.create(LIFECYCLE, wanted)
    by_hand.s3.set_bucket_lifecycle(bucket, LifecycleConfig([by_hand_rule(1)]))
    found = plugin.read(LIFECYCLE, made)
    assert found.inputs["rules"] == [noncurrent(1)]
    changes = plugin.changes(LIFECYCLE, found, wanted)
    assert changes["rules[0].noncurrentVersionExpirationDays"] == "UPDATE"
    healed = plugin.update(LIFECYCLE, found, wanted)
    assert healed.state["rules"][0]["noncurrentVersionExpirationDays"] == 30


def test_a_rule_added_by_hand_shows(plugin: Plugin, by_hand: ByHand, bucket: str) -> None:
    wanted = {"bucket": bucket, "rules": [noncurrent(30)]}
    made = plugin.create(LIFECYCLE, wanted)
    stale = Rule(
        status=ENABLED,
        rule_id="stale",
        rule_filter=Filter(prefix="tmp/"),
        expiration=Expiration(days=1),
        abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(1),
    )
    by_hand.s3.set_bucket_lifecycle(bucket, LifecycleConfig([by_hand_rule(30), stale]))
    found = plugin.read(LIFECYCLE, made)
    assert [rule["id"] for rule in found.inputs["rules"]] == ["noncurrent", "stale"]
    assert plugin.changes(LIFECYCLE, found, wanted)


def test_a_rule_disabled_by_hand_shows_as_its_status(
    plugin: Plugin, by_hand: ByHand, bucket: str
) -> None:
    made = plugin.create(LIFECYCLE, {"bucket": bucket, "rules": [noncurrent(30)]})
    by_hand.s3.set_bucket_lifecycle(bucket, LifecycleConfig([by_hand_rule(30, DISABLED)]))
    assert plugin.read(LIFECYCLE, made).state["rules"][0]["status"] == "Disabled"


def test_a_lifecycle_removed_by_hand_is_gone(plugin: Plugin, by_hand: ByHand, bucket: str) -> None:
    made = plugin.create(LIFECYCLE, {"bucket": bucket, "rules": [noncurrent(30)]})
    by_hand.s3.delete_bucket_lifecycle(bucket)
    assert plugin.read(LIFECYCLE, made).id == ""
    by_hand.s3.remove_bucket(bucket)
    assert plugin.read(LIFECYCLE, made).id == ""


@pytest.mark.stand_in
def test_an_update_the_server_refuses_is_an_error(
    plugin: Plugin, by_hand: ByHand, bucket: str
) -> None:
    made = plugin.create(LIFECYCLE, {"bucket": bucket, "rules": [noncurrent(30)]})
    twice = {"bucket": bucket, "rules": [noncurrent(10), {"id": "noncurrent", "expiration": "9d"}]}
    with pytest.raises(grpc.RpcError) as error:
        plugin.update(LIFECYCLE, made, twice)
    assert f"updating bucket lifecycle failed ({bucket})" in refusal(error)
    kept = rules_of(by_hand, bucket)["noncurrent"].noncurrent_version_expiration
    assert kept is not None
    assert kept.noncurrent_days == 30


def test_a_lifecycle_of_a_bucket_still_to_be_made_can_be_previewed(plugin: Plugin) -> None:
    planned = plugin.create(LIFECYCLE, {"bucket": UNKNOWN, "rules": [noncurrent(30)]}, preview=True)
    assert planned.state["bucket"] == UNKNOWN


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"id": "x", "expiration": "30"}, "expiration"),
        ({"id": "x", "expiration": "2040-13-01"}, "expiration"),
        ({"id": "x", "noncurrentVersionExpirationDays": 0.5}, "noncurrentVersionExpirationDays"),
    ],
)
@pytest.mark.stand_in
def test_a_bad_rule_is_refused_before_anything_is_done(
    plugin: Plugin, rule: Props, path: str
) -> None:
    (failure,) = plugin.check(LIFECYCLE, {"bucket": "b-1", "rules": [rule]}).failures
    assert failure.property == f"rules[0].{path}"
    assert failure.reason.startswith(f"rules[0].{path} is ")
