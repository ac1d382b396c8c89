"""The program's own resources, as it registers them, pass the pack; changed, they fail."""

from dataclasses import replace

import pytest

from policies.adapter import plain
from policies.pack import RULES
from policies.plain import UNKNOWN, Resource, Rule
from tests.policies.sound_stack import PREFIX
from tests.support.policy_harness import violations
from tests.support.recorder import Registered, record, settings_with


def _resource(one: Registered) -> Resource:
    return Resource(
        type=one.type,
        name=one.name,
        urn=f"{PREFIX}{one.type}::{one.name}",
        props={name: plain(value) for name, value in one.inputs.items()},
        protect=one.request.protect,
    )


@pytest.fixture(scope="module")
def program() -> list[Resource]:
    return [_resource(one) for one in record(settings_with())]


def test_the_program_breaks_no_rule(program: list[Resource]) -> None:
    assert [(v.rule, v.urn) for v in violations(program)] == []


def _about_a_cluster(rule: Rule) -> bool:
    return all("kubernetes" in type_ for type_ in rule.types)


def test_every_rule_but_the_one_for_bucket_policies_finds_something_to_judge(
    program: list[Resource],
) -> None:
    types = {resource.type for resource in program}
    idle = {rule.name for rule in RULES if not rule.types & types and not _about_a_cluster(rule)}
    assert idle == {"no-anonymous-bucket-policy"}  # the program writes a policy per user only


BREAKS = [
    ("minio:index/s3Bucket:S3Bucket", "acl", "public-read", "bucket-acl-private"),
    ("minio:index/s3Bucket:S3Bucket", "forceDestroy", True, "bucket-no-force-destroy"),
    (
        "minio:index/ilmPolicy:IlmPolicy",
        "rules",
        [{"id": "r", "expiration": "30d"}],
        "lifecycle-never-expires-current",
    ),
    ("minio:index/iamUser:IamUser", "forceDestroy", True, "user-no-force-destroy"),
    ("command:remote:Command", "connection", {"host": "10.77.0.10"}, "ssh-host-key-pinned"),
    ("pulumi:providers:minio", "minioSsl", "false", "provider-tls"),
]


@pytest.mark.parametrize(("type_", "name", "value", "rule"), BREAKS, ids=[b[3] for b in BREAKS])
def test_each_resource_of_a_type_is_judged(
    program: list[Resource], type_: str, name: str, value: object, rule: str
) -> None:
    concerned = [resource for resource in program if resource.type == type_]
    assert concerned
    for resource in concerned:
        broken = replace(resource, props={**resource.props, name: value})
        stack = [broken if r is resource else r for r in program]
        assert [(v.rule, v.urn) for v in violations(stack)] == [(rule, resource.urn)]


def test_a_bucket_that_loses_its_protection_or_its_versions_is_refused(
    program: list[Resource],
) -> None:
    for bucket in [r for r in program if r.type == "minio:index/s3Bucket:S3Bucket"]:
        bare = [replace(r, protect=False) if r is bucket else r for r in program]
        assert [(v.rule, v.urn) for v in violations(bare)] == [("bucket-protected", bucket.urn)]
        name = bucket.props["bucket"]
        unversioned = [
            r for r in program if "Versioning" not in r.type or r.props["bucket"] != name
        ]
        assert [(v.rule, v.urn) for v in violations(unversioned)] == [
            ("bucket-versioned", bucket.urn)
        ]


def test_secrets_not_known_yet_break_nothing(program: list[Resource]) -> None:
    early = [
        replace(r, props={**r.props, "secret": UNKNOWN}) if "iamUser:" in r.type else r
        for r in program
    ]
    assert violations(early) == []
