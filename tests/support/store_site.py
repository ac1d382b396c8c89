"""A complete little site on a running MinIO: buckets, users and policies, and the drill's payload.

The policies are written out here as text of their own. They follow what the site's roles need, and
are deliberately neither taken from the program's rendering nor from the drill's table.
"""

import copy
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from minio import Minio
from minio.commonconfig import Filter
from minio.lifecycleconfig import (
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)
from minio.minioadmin import MinioAdmin
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import VersioningConfig

from s3.client import Credential, StoreEndpoint, connect, connect_admin
from tests.support.minio_server import MinioServer

SITE = "dev"
NONCURRENT_DAYS = 30
TRUTH_DAYS = 400

DENIED = [
    "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration", "s3:PutBucketObjectLockConfiguration",
    "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:DeleteBucket", "s3:ForceDeleteBucket",
    "s3:PutBucketPolicy", "s3:DeleteBucketPolicy",
]  # fmt: skip
OBJECT_WORK = [
    "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
]  # fmt: skip


def statement(effect: str, actions: list[str], *resources: str, **more: Any) -> dict[str, Any]:
    arns = [f"arn:aws:s3:::{resource}" for resource in resources]
    return {"Effect": effect, "Action": actions, "Resource": arns, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def bucket_owner(bucket: str) -> dict[str, Any]:
    return policy(
        statement("Allow", ["s3:ListBucket", "s3:GetBucketLocation"], bucket),
        statement("Allow", [*OBJECT_WORK, "s3:DeleteObject"], f"{bucket}/*"),
        statement("Deny", DENIED, bucket, f"{bucket}/*"),
    )


def folder_writer(bucket: str, prefix: str) -> dict[str, Any]:
    return policy(
        statement("Allow", ["s3:HeadBucket", "s3:GetBucketLocation"], bucket),
        statement(
            "Allow", ["s3:ListBucket"], bucket,
            Condition={"StringLike": {"s3:prefix": [f"{prefix}*"]}},
        ),
        statement("Allow", OBJECT_WORK, f"{bucket}/{prefix}*"),
        statement("Allow", ["s3:DeleteObject"], f"{bucket}/{prefix}locks/*"),
        statement("Deny", DENIED, bucket, f"{bucket}/*"),
    )  # fmt: skip


def reader_of_everything(buckets: list[str]) -> dict[str, Any]:
    return policy(
        statement(
            "Allow",
            [
                "s3:HeadBucket", "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation",
                "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration",
                "s3:GetLifecycleConfiguration",
            ],
            *buckets,
        ),
        statement(
            "Allow", ["s3:GetObject", "s3:GetObjectVersion"], *[f"{name}/*" for name in buckets]
        ),
        statement(
            "Deny", [*DENIED, "s3:PutObject", "s3:DeleteObject"],
            *buckets, *[f"{name}/*" for name in buckets],
        ),
    )  # fmt: skip


def appender(bucket: str, prefix: str) -> dict[str, Any]:
    return policy(
        statement("Allow", ["s3:PutObject"], f"{bucket}/{prefix}*"),
        statement("Deny", [*DENIED, "s3:DeleteObject", "s3:GetObject"], bucket, f"{bucket}/*"),
    )


def truth_writer(bucket: str, prefix: str) -> dict[str, Any]:
    return policy(
        statement("Allow", ["s3:HeadBucket", "s3:GetBucketLocation"], bucket),
        statement(
            "Allow", ["s3:PutObject", "s3:AbortMultipartUpload"], f"{bucket}/{prefix}{SITE}/*"
        ),
        statement("Deny", [*DENIED, "s3:DeleteObject"], bucket, f"{bucket}/*"),
    )  # fmt: skip


def client_specs() -> list[tuple[str, str, str, str]]:
    """name, role, bucket, prefix of every client of the site."""
    return [
        ("velero", "velero", "dev-velero", ""),
        ("longhorn", "longhorn", "dev-longhorn", ""),
        ("host-files/cp1", "host-files", "dev-host-files", "cp1/"),
        ("host-files/cp2", "host-files", "dev-host-files", "cp2/"),
        ("cluster-state", "cluster-state", "dev-cluster-state", ""),
        ("drill", "drill", "", ""),
        ("evidence", "evidence", "dev-evidence", "receipts/"),
        ("truth", "truth", "dev-evidence", "canary/"),
    ]


def policy_for(role: str, bucket: str, prefix: str, buckets: list[str]) -> dict[str, Any]:
    match role:
        case "host-files":
            return folder_writer(bucket, prefix)
        case "drill":
            return reader_of_everything(buckets)
        case "evidence":
            return appender(bucket, prefix)
        case "truth":
            return truth_writer(bucket, prefix)
        case _:
            return bucket_owner(bucket)


@dataclass
class StoreSite:
    """A site that a test may damage. `payload` is what the drill reads on stdin."""

    server: MinioServer
    payload: dict[str, Any] = field(repr=False)
    secrets: list[str] = field(repr=False)
    root: Minio = field(repr=False)
    admin: MinioAdmin = field(repr=False)

    def copy(self) -> dict[str, Any]:
        """The payload, for a test to change."""
        return copy.deepcopy(self.payload)

    def client(self, name: str) -> dict[str, Any]:
        return next(client for client in self.payload["clients"] if client["name"] == name)

    def text(self, **changes: Any) -> str:
        return json.dumps({**self.payload, **changes})

    def set_policy(self, client: str, text: dict[str, Any]) -> None:
        """Replaces what a client may do."""
        self.admin.policy_add(policy_name(client), policy=text)

    def healthy_policy(self, client: str) -> dict[str, Any]:
        entry = self.client(client)
        buckets = [bucket["name"] for bucket in self.payload["buckets"]]
        return policy_for(entry["role"], entry["bucket"], entry["prefix"], buckets)


def policy_name(client: str) -> str:
    return f"site-{client.replace('/', '-')}"


def build_site(server: MinioServer) -> StoreSite:
    """Sets up every bucket, user and policy of a healthy site on an empty server."""
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    root = Credential(server.root_user, server.root_password)
    client, admin = connect(endpoint, root), connect_admin(endpoint, root)
    specs = client_specs()
    buckets = list(dict.fromkeys(bucket for _, _, bucket, _ in specs if bucket))
    settings = [make_bucket(client, name) for name in buckets]
    clients = []
    for name, role, bucket, prefix in specs:
        access_key, secret_key = secrets.token_hex(10).upper(), secrets.token_hex(20)
        admin.user_add(access_key, secret_key)
        admin.policy_add(policy_name(name), policy=policy_for(role, bucket, prefix, buckets))
        # The older call: it does the same without the costly encryption of the newer one.
        admin.policy_set(policy_name(name), user=access_key)
        clients.append(
            {"name": name, "role": role, "bucket": bucket, "prefix": prefix,
             "accessKey": access_key, "secretKey": secret_key}
        )  # fmt: skip
    payload = {
        "schema": 1, "layer": "store", "site": SITE, "endpoint": server.url,
        "region": server.region, "caPem": server.ca_pem, "tlsNames": ["localhost", "127.0.0.1"],
        "clients": clients, "buckets": settings,
        "limits": {"certificateMinDays": 14, "clockSkewSeconds": 60, "rtoSeconds": 300},
        "evidence": {"bucket": "dev-evidence", "prefix": "receipts/", "client": "evidence"},
        "receiptsDir": None, "onRed": "fail", "control": "none",
    }  # fmt: skip
    hidden = [str(entry[key]) for entry in clients for key in ("accessKey", "secretKey")]
    return StoreSite(server, payload, [*hidden, server.root_password], client, admin)


def make_bucket(client: Minio, name: str) -> dict[str, Any]:
    """Makes one bucket as the site declares it, and returns that declaration."""
    locked = name == "dev-host-files"
    client.make_bucket(name, object_lock=locked)
    client.set_bucket_versioning(name, VersioningConfig("Enabled"))
    if locked:
        client.set_object_lock_config(name, ObjectLockConfig("GOVERNANCE", 1, DAYS))
    holds_truths = name == "dev-evidence"
    rules = [noncurrent_rule(), truths_rule()] if holds_truths else [noncurrent_rule()]
    client.set_bucket_lifecycle(name, LifecycleConfig(rules))
    return {
        "name": name, "versioning": True, "noncurrentDays": NONCURRENT_DAYS, "quotaBytes": None,
        "objectLock": {"mode": "GOVERNANCE", "days": 1} if locked else None,
        "expires": [{"prefix": "canary/", "days": TRUTH_DAYS}] if holds_truths else [],
    }  # fmt: skip


def noncurrent_rule() -> Rule:
    return Rule(
        status="Enabled",
        rule_id="noncurrent",
        rule_filter=Filter(prefix=""),
        expiration=Expiration(expired_object_delete_marker=True),
        noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=NONCURRENT_DAYS),
    )


def truths_rule(days: int = TRUTH_DAYS, prefix: str = "canary/", rule_id: str = "truths") -> Rule:
    return Rule(
        status="Enabled",
        rule_id=rule_id,
        rule_filter=Filter(prefix=prefix),
        expiration=Expiration(days=days),
    )
