"""A stack as plain data that breaks no rule, and a way to change one property of it.

It has every type the rules look at, as the program declares them for one site with two clients
that write and one that only reads.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace

from policies.plain import Resource
from tests.policies.sound_cluster import PREFIX, sound_cluster
from tests.policies.sound_longhorn import sound_longhorn

DENIED = [
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:DeleteBucket",
    "s3:ForceDeleteBucket",
]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def resource(
    type_: str, name: str, props: Mapping[str, object], *, protect: bool = False
) -> Resource:
    """A resource of the dev stack with a URN of its own."""
    return Resource(type_, name, f"{PREFIX}{type_}::{name}", dict(props), protect)


def document(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: list[str], *resources: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": [*resources]}


def deny(actions: list[str], *resources: str) -> dict[str, object]:
    return {"Effect": "Deny", "Action": actions, "Resource": [*resources]}


def writer(bucket: str, prefix: str = "") -> str:
    """What a client that writes gets: its bucket, its prefix, and an explicit Deny."""
    arn = f"arn:aws:s3:::{bucket}"
    return document(
        allow(["s3:ListBucket", "s3:GetBucketLocation"], arn),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{arn}/{prefix}*"),
        deny(DENIED, arn, f"{arn}/*"),
    )


READER = document(
    allow(["s3:ListBucket", "s3:ListBucketVersions"], "arn:aws:s3:::dev-velero"),
    allow(["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::dev-velero/*"),
    deny(["s3:PutObject*", "s3:Delete*"], "arn:aws:s3:::*"),
)
CONNECTION = {
    "host": "10.77.3.10",
    "user": "root",
    "port": 22.0,
    "privateKey": "-----BEGIN OPENSSH PRIVATE KEY-----\nsentinel-private-key\n-----END",
    "hostKey": HOST_KEY,
    "dialErrorLimit": 10.0,
    "perDialTimeout": 15.0,
}


def _bucket(name: str) -> list[Resource]:
    return [
        resource(
            "minio:index/s3Bucket:S3Bucket",
            name,
            {"bucket": name, "acl": "private", "forceDestroy": False, "objectLocking": False},
            protect=True,
        ),
        resource(
            "minio:index/s3BucketVersioning:S3BucketVersioning",
            name,
            {"bucket": name, "versioningConfiguration": {"status": "Enabled"}},
        ),
        resource(
            "minio:index/ilmPolicy:IlmPolicy",
            name,
            {
                "bucket": name,
                "rules": [{"id": "noncurrent", "noncurrentVersionExpirationDays": 30.0}],
            },
        ),
    ]


def _client(name: str, policy: str) -> list[Resource]:
    user = f"K{name.upper()}7Q2M4X"
    return [
        resource(
            "minio:index/iamUser:IamUser",
            name,
            {"name": user, "secret": f"sentinel-secret-{name}", "forceDestroy": False},
        ),
        resource(
            "minio:index/iamPolicy:IamPolicy", name, {"name": f"dev-{name}", "policy": policy}
        ),
        resource(
            "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment",
            name,
            {"userName": user, "policyName": f"dev-{name}"},
        ),
    ]


def sound_stack() -> list[Resource]:
    """A fresh copy of the whole stack, so that a test may change it."""
    resources = [
        resource("pulumi:pulumi:Stack", "backstop-dev", {}),
        resource("backstop:index:ObjectStore", "store", {}),
        resource(
            "pulumi:providers:minio",
            "store",
            {
                "minioServer": "10.77.3.10:9091",
                "minioUser": "sentinel-root-user",
                "minioPassword": "sentinel-root-password",
                "minioRegion": "eu-west-1",
                "minioSsl": "true",
                "minioInsecure": "false",
                "minioCacertFile": ".backstop/ca.crt",
                "version": "0.17.1",
            },
        ),
        *_bucket("dev-velero"),
        *_bucket("dev-host-files"),
        *_client("velero", writer("dev-velero")),
        *_client("cp1", writer("dev-host-files", "cp1/")),
        *_client("drill", READER),
        resource(
            "minio:index/s3BucketPolicy:S3BucketPolicy",
            "dev-velero",
            {
                "bucket": "dev-velero",
                "policy": document(
                    {
                        **allow(["s3:GetObject"], "arn:aws:s3:::dev-velero/*"),
                        "Principal": {"AWS": ["arn:aws:iam:::user/KDRILL7Q2M4X"]},
                    }
                ),
            },
        ),
        resource(
            "command:remote:Command",
            "unit",
            {
                "connection": CONNECTION,
                "create": "install -m 0644 /dev/stdin /etc/systemd/system/minio.service",
                "stdin": "[Unit]",
                "logging": "none",
                "addPreviousOutputInEnv": False,
                "triggers": ["1"],
            },
        ),
        resource(
            "command:remote:CopyToRemote",
            "binary",
            {"connection": CONNECTION, "remotePath": "/usr/local/bin/minio"},
        ),
        resource(
            "command:local:Command",
            "drill-store",
            {
                "create": "sh ./run.sh drills run store",
                "stdin": '{"secretKey": "sentinel-secret-velero"}',
                "logging": "none",
                "addPreviousOutputInEnv": False,
            },
        ),
        resource(
            "command:local:Command",
            "drill-kube-objects",
            {
                "create": "sh ./run.sh drills run kube-objects --summary",
                "stdin": '{"secretKey": "sentinel-secret-velero"}',
                "logging": "none",
                "addPreviousOutputInEnv": False,
            },
        ),
        resource(
            "command:local:Command",
            "drill-longhorn",
            {
                "create": "sh ./run.sh drills run longhorn --summary",
                "stdin": '{"secretKey": "sentinel-secret-velero"}',
                "logging": "none",
                "addPreviousOutputInEnv": False,
            },
        ),
        resource("command:local:Command", "plain", {"create": "true"}),
        *sound_cluster(),
        *sound_longhorn(),
    ]
    return copy.deepcopy(resources)


def changed(stack: list[Resource], type_: str, name: str, /, **props: object) -> list[Resource]:
    """The stack with properties of one resource set; `...` removes a property.

    Raises LookupError if there is no such resource, so that a table cannot test nothing.
    """
    if not any(_is(r, type_, name) for r in stack):
        raise LookupError(f"the stack has no {type_} named {name}")
    return [_with(r, props) if _is(r, type_, name) else r for r in stack]


def _is(candidate: Resource, type_: str, name: str) -> bool:
    return candidate.type == type_ and candidate.name == name


def _with(original: Resource, props: Mapping[str, object]) -> Resource:
    merged = {**original.props, **props}
    return replace(original, props={k: v for k, v in merged.items() if v is not ...})
