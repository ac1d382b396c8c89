"""Every input the program uses: does changing it update, replace or do nothing?

Needs no server: the plugin compares what it is given.
"""

import json
from collections.abc import Iterator

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.standins.minio.harness import (
    ATTACHMENT,
    BUCKET,
    BUCKET_POLICY,
    LIFECYCLE,
    OBJECT,
    POLICY,
    UNKNOWN,
    USER,
    VERSIONING,
    Plugin,
    Props,
    Reply,
    detailed,
    plain,
    running_plugin,
    secret,
    struct,
)

UPDATE, REPLACE, NOTHING = "update", "replace", "nothing"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:B", "a:C"]}]}
SAME = {"Statement": {"Action": ["a:C", "a:B"], "Effect": "Allow"}, "Version": "2012-10-17"}
OTHER = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": ["a:B", "a:C"]}]}

# The state each resource has, as the plugin keeps it, and the inputs that led there.
STATES: dict[str, Props] = {
    BUCKET: {
        "acl": "private",
        "arn": "arn:aws:s3:::one",
        "bucket": "one",
        "bucketDomainName": "https://s/minio/one",
        "bucketPrefix": None,
        "forceDestroy": False,
        "objectLocking": False,
        "quota": 1000,
    },
    VERSIONING: {
        "bucket": "one",
        "versioningConfiguration": {
            "excludeFolders": False,
            "excludedPrefixes": [],
            "status": "Enabled",
        },
    },
    BUCKET_POLICY: {"bucket": "one", "policy": json.dumps(DOCUMENT)},
    LIFECYCLE: {
        "bucket": "one",
        "rules": [
            {
                "expiration": "",
                "filter": "",
                "id": "noncurrent",
                "noncurrentVersionExpirationDays": 30,
                "status": "Enabled",
                "tags": {},
            }
        ],
    },
    USER: {
        "disableUser": False,
        "forceDestroy": False,
        "name": "U",
        "secret": secret("abcdefgh12345678"),
        "status": "enabled",
        "tags": {"a": "b"},
        "updateSecret": False,
    },
    POLICY: {"name": "p", "namePrefix": None, "policy": json.dumps(DOCUMENT, indent=1)},
    ATTACHMENT: {"policyName": "p", "userName": "U"},
    OBJECT: {
        "bucketName": "one",
        "content": "x",
        "contentBase64": None,
        "contentType": "text/plain",
        "etag": "e",
        "objectName": "o",
        "source": None,
        "versionId": "v",
    },
}
INPUTS: dict[str, Props] = {
    BUCKET: {"bucket": "one", "quota": 1000},
    VERSIONING: {"bucket": "one", "versioningConfiguration": {"status": "Enabled"}},
    BUCKET_POLICY: {"bucket": "one", "policy": json.dumps(DOCUMENT)},
    LIFECYCLE: {
        "bucket": "one",
        "rules": [{"id": "noncurrent", "noncurrentVersionExpirationDays": 30}],
    },
    USER: {"name": "U", "secret": secret("abcdefgh12345678"), "tags": {"a": "b"}},
    POLICY: {"name": "p", "policy": json.dumps(DOCUMENT)},
    ATTACHMENT: {"policyName": "p", "userName": "U"},
    OBJECT: {"bucketName": "one", "objectName": "o", "content": "x", "contentType": "text/plain"},
}


def rule(**changed: object) -> Props:
    return {"rules": [{"id": "noncurrent", "noncurrentVersionExpirationDays": 30, **changed}]}


TWO_RULES = {"rules": [*rule()["rules"], {"id": "b", "expiration": "1d"}]}

TABLE: list[tuple[str, Props, str, set[str]]] = [
    # kind, inputs changed (None: taken away), what happens, the paths shown
    (BUCKET, {}, NOTHING, set()),
    (BUCKET, {"bucket": "two"}, REPLACE, {"bucket"}),
    (BUCKET, {"bucket": UNKNOWN}, REPLACE, {"bucket"}),
    (BUCKET, {"bucket": None}, NOTHING, set()),
    (BUCKET, {"acl": "private"}, NOTHING, set()),
    (BUCKET, {"acl": "public-read"}, UPDATE, {"acl"}),
    (BUCKET, {"quota": 2000}, UPDATE, {"quota"}),
    (BUCKET, {"quota": None}, UPDATE, {"quota"}),
    (BUCKET, {"objectLocking": False}, NOTHING, set()),
    (BUCKET, {"objectLocking": True}, UPDATE, {"objectLocking"}),
    (BUCKET, {"forceDestroy": True}, UPDATE, {"forceDestroy"}),
    (VERSIONING, {}, NOTHING, set()),
    (VERSIONING, {"bucket": "two"}, REPLACE, {"bucket"}),
    (
        VERSIONING,
        {"versioningConfiguration": {"status": "Suspended"}},
        UPDATE,
        {"versioningConfiguration.status"},
    ),
    (
        VERSIONING,
        {"versioningConfiguration": {"status": "Enabled", "excludeFolders": False}},
        NOTHING,
        set(),
    ),
    (BUCKET_POLICY, {"bucket": "two"}, REPLACE, {"bucket"}),
    (BUCKET_POLICY, {"policy": json.dumps(SAME)}, NOTHING, set()),
    (BUCKET_POLICY, {"policy": json.dumps(OTHER)}, UPDATE, {"policy"}),
    (LIFECYCLE, {}, NOTHING, set()),
    (LIFECYCLE, {"bucket": "two"}, REPLACE, {"bucket"}),
    (LIFECYCLE, rule(id="other"), UPDATE, {"rules[0].id"}),
    (LIFECYCLE, rule(expiration="9d"), UPDATE, {"rules[0].expiration"}),
    (LIFECYCLE, rule(filter="a/"), UPDATE, {"rules[0].filter"}),
    (LIFECYCLE, rule(filter=""), NOTHING, set()),
    (LIFECYCLE, rule(tags={"k": "v"}), UPDATE, {"rules[0].tags"}),
    (
        LIFECYCLE,
        rule(noncurrentVersionExpirationDays=60),
        UPDATE,
        {"rules[0].noncurrentVersionExpirationDays"},
    ),
    (LIFECYCLE, TWO_RULES, UPDATE, {"rules[1]"}),
    (USER, {}, NOTHING, set()),
    (USER, {"name": "V"}, REPLACE, {"name"}),
    (USER, {"secret": secret("zyxwvuts87654321")}, UPDATE, {"secret"}),
    (USER, {"secret": UNKNOWN}, UPDATE, {"secret"}),
    (USER, {"secret": None}, NOTHING, set()),
    (USER, {"disableUser": True}, UPDATE, {"disableUser"}),
    (USER, {"tags": {"a": "c"}}, UPDATE, {"tags.a"}),
    (USER, {"tags": {"a": "b", "c": "d"}}, UPDATE, {"tags.c"}),
    (USER, {"tags": None}, UPDATE, {"tags"}),
    (POLICY, {"name": "q"}, REPLACE, {"name"}),
    (POLICY, {"policy": json.dumps(SAME)}, NOTHING, set()),
    (POLICY, {"policy": json.dumps(OTHER)}, UPDATE, {"policy"}),
    (POLICY, {"policy": UNKNOWN}, UPDATE, {"policy"}),
    (ATTACHMENT, {}, NOTHING, set()),
    (ATTACHMENT, {"userName": "V"}, REPLACE, {"userName"}),
    (ATTACHMENT, {"policyName": "q"}, REPLACE, {"policyName"}),
    (ATTACHMENT, {"policyName": UNKNOWN}, REPLACE, {"policyName"}),
    (OBJECT, {"objectName": "n"}, REPLACE, {"objectName"}),
    (OBJECT, {"content": "y"}, UPDATE, {"content"}),
    (OBJECT, {"contentType": None}, NOTHING, set()),
]

PROVIDER: Props = {
    "minioServer": "127.0.0.1:9091",
    "minioUser": "root",
    "minioPassword": "abcdefgh12345678",
    "minioRegion": "eu-west-1",
    "minioSsl": "true",
    "minioInsecure": "false",
    "minioCacertFile": "/ca.crt",
}


@pytest.fixture(scope="module")
def unconfigured() -> Iterator[Plugin]:
    with running_plugin() as plugin:
        plugin.configure({**PROVIDER, "minioCacertFile": ""})
        yield plugin


@pytest.mark.parametrize(
    ("kind", "changed", "effect", "paths"),
    TABLE,
    ids=[f"{kind.split(':')[1]}-{json.dumps(changed)[:60]}" for kind, changed, _, _ in TABLE],
)
def test_a_changed_input_has_the_effect_of_the_table(
    unconfigured: Plugin, kind: str, changed: Props, effect: str, paths: set[str]
) -> None:
    wanted = {k: v for k, v in {**INPUTS[kind], **changed}.items() if v is not None}
    checked = plain(unconfigured.check(kind, wanted, INPUTS[kind]).inputs)
    found = unconfigured.diff(kind, STATES[kind], checked)
    shown = detailed(found)
    assert set(shown) == paths
    assert found.changes == (
        provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE
    )
    assert set(found.replaces) == (paths if effect == REPLACE else set())
    assert {kind.endswith("_REPLACE") for kind in shown.values()} <= {effect == REPLACE}


@pytest.mark.parametrize(
    "changed",
    [
        {"minioServer": "127.0.0.1:9191"},
        {"minioUser": "deployer"},
        {"minioPassword": "zyxwvuts87654321"},
        {"minioRegion": "us-east-1"},
        {"minioSsl": "false"},
        {"minioInsecure": "true"},
        {"minioCacertFile": "/other.crt"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_no_provider_setting_replaces_anything(unconfigured: Plugin, changed: Props) -> None:
    request = provider_pb2.DiffRequest(
        urn="urn:pulumi:dev::t::pulumi:providers:minio::store",
        olds=struct(PROVIDER),
        news=struct({**PROVIDER, **changed}),
        old_inputs=struct(PROVIDER),
    )
    found = unconfigured.call("DiffConfig", request)
    assert list(found.replaces) == []
    assert not found.deleteBeforeReplace
    # DIFF_UNKNOWN leaves it to the engine, which sees that the setting changed.
    assert found.changes != provider_pb2.DiffResponse.DIFF_NONE


def test_an_ignored_change_is_no_change(unconfigured: Plugin) -> None:
    changed = {**INPUTS[LIFECYCLE], **rule(filter="a/")}
    checked = plain(unconfigured.check(LIFECYCLE, changed).inputs)
    found = unconfigured.diff(LIFECYCLE, STATES[LIFECYCLE], checked, ("rules[0].filter",))
    assert found.changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(("kind", "changed"), [(kind, changed) for kind, changed, _, _ in TABLE])
def test_after_the_planned_update_nothing_is_left_to_do(
    unconfigured: Plugin, kind: str, changed: Props
) -> None:
    wanted = {k: v for k, v in {**INPUTS[kind], **changed}.items() if v not in (None, UNKNOWN)}
    kept = Reply("id", STATES[kind], INPUTS[kind])
    planned = unconfigured.update(kind, kept, {**INPUTS[kind], **wanted}, preview=True)
    assert unconfigured.changes(kind, planned, {**INPUTS[kind], **wanted}) == {}
