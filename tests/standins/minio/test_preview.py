"""Previews and checks: no server is asked, unknown values stay unknown."""

from collections.abc import Iterator

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from tests.standins.minio.harness import (
    ATTACHMENT,
    BUCKET,
    LIFECYCLE,
    POLICY,
    UNKNOWN,
    USER,
    Plugin,
    Props,
    Reply,
    plain,
    refusal,
    running_plugin,
    secret,
)

UNKNOWN_STORE: Props = {"minioServer": UNKNOWN, "minioUser": "root", "minioPassword": UNKNOWN}


@pytest.fixture(scope="module")
def unsettled() -> Iterator[Plugin]:
    """A provider whose server is made by the same deployment."""
    with running_plugin() as plugin:
        plugin.configure(UNKNOWN_STORE)
        yield plugin


def test_a_provider_with_unknown_settings_previews(unsettled: Plugin) -> None:
    planned = unsettled.create(
        USER, {"name": UNKNOWN, "secret": secret("s3cret-s3cret")}, preview=True
    )
    assert planned.state["name"] == UNKNOWN
    assert planned.state["secret"] == secret("s3cret-s3cret")
    kept = Reply("p", {"name": "p", "namePrefix": None, "policy": "{}"}, {"name": "p"})
    updated = unsettled.update(POLICY, kept, {"name": "p", "policy": UNKNOWN}, preview=True)
    assert updated.state == {"id": "p", "name": "p", "namePrefix": None, "policy": UNKNOWN}


@pytest.mark.stand_in
def test_a_provider_with_unknown_settings_does_nothing_else(unsettled: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as error:
        unsettled.read(BUCKET, Reply("b", {"bucket": "b"}))
    assert "a setting is not known yet" in refusal(error)


def test_an_unknown_attachment_is_checked_and_planned(unsettled: Plugin) -> None:
    planned = unsettled.create(
        ATTACHMENT, {"userName": UNKNOWN, "policyName": UNKNOWN}, preview=True
    )
    assert (planned.state["userName"], planned.state["policyName"]) == (UNKNOWN, UNKNOWN)


def test_a_secret_input_is_marked_even_while_unknown(unsettled: Plugin) -> None:
    checked = plain(unsettled.check(USER, {"name": "U", "secret": UNKNOWN}).inputs)
    assert checked["secret"] == secret(UNKNOWN)


def test_defaults_are_filled_in_and_named(unsettled: Plugin) -> None:
    checked = plain(unsettled.check(BUCKET, {"bucket": "b"}).inputs)
    assert checked == {"__defaults": ["acl"], "acl": "private", "bucket": "b"}
    rules = plain(unsettled.check(LIFECYCLE, {"bucket": "b", "rules": [{"id": "r"}]}).inputs)
    assert rules["rules"] == [{"__defaults": [], "id": "r"}]


BAD: list[tuple[str, Props, str, str]] = [
    (BUCKET, {"bucket": "b", "bucketPrefix": "c"}, "bucket", "exclude each other"),
    (BUCKET, {"bucket": "b" * 64}, "bucket", "at most 63"),
    (BUCKET, {"bucket": "b", "quota": "lots"}, "quota", "must be a number"),
    (BUCKET, {"bucket": "b", "tags": {}}, "tags", "not an input"),
    (BUCKET, {"bucket": "b", "arn": "x"}, "arn", "not an input"),
    (LIFECYCLE, {"bucket": "b"}, "rules", "required"),
    (USER, {"name": "a b"}, "name", "only letters"),
    (USER, {"name": "U", "disableUser": "yes"}, "disableUser", "must be true or false"),
    (POLICY, {"name": "p", "policy": "[1]"}, "policy", "no JSON policy document"),
    (POLICY, {"name": "p" * 97, "policy": "{}"}, "name", "at most 96"),
    (ATTACHMENT, {"userName": "U"}, "policyName", "required"),
]


@pytest.mark.stand_in
@pytest.mark.parametrize(("kind", "inputs", "path", "reason"), BAD)
def test_a_bad_input_is_refused_by_its_name(
    unsettled: Plugin, kind: str, inputs: Props, path: str, reason: str
) -> None:
    (failure,) = unsettled.check(kind, inputs).failures
    assert failure.property == path
    assert reason in failure.reason


@pytest.mark.stand_in
def test_a_bad_secret_is_refused_without_showing_it(unsettled: Plugin) -> None:
    (failure,) = unsettled.check(
        USER, {"name": "U", "secret": {"hidden": "s3cret-s3cret"}}
    ).failures
    assert failure.reason == "secret must be a string"


@pytest.mark.stand_in
def test_what_the_stand_in_does_not_have_is_refused_with_the_cure(unsettled: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as error:
        unsettled.check("iamGroup:IamGroup", {"name": "g"})
    assert "stand-in" in refusal(error)
    assert "it has no resource minio:index/iamGroup:IamGroup" in refusal(error)
    with pytest.raises(grpc.RpcError) as error:
        unsettled.call("Invoke", provider_pb2.InvokeRequest(tok="minio:index/x:y"))
    assert "it has no function minio:index/x:y" in refusal(error)
    schema = unsettled.call("GetSchema", provider_pb2.GetSchemaRequest()).schema
    assert "stand-in" in schema
