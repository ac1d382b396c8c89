"""What the store itself holds, read with its administrator's credential past all plugins."""

import json
import re
from collections import Counter
from typing import Any

from minio import Minio
from minio.error import S3Error
from minio.minioadmin import MinioAdmin

from s3.client import Credential, StoreEndpoint, connect, connect_admin
from tests.support.minio_server import MinioServer

# Names and numbers that differ from run to run.
_RECEIPT = re.compile(r"receipts/\S+\.json")
_BUILT_IN = {"consoleAdmin", "diagnostics", "readonly", "readwrite", "writeonly"}


def clients(server: MinioServer) -> tuple[Minio, MinioAdmin]:
    """The administrator's S3 and admin clients."""
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    credential = Credential(server.root_user, server.root_password)
    return connect(endpoint, credential), connect_admin(endpoint, credential)


def listing(server: MinioServer) -> dict[str, Any]:
    """Buckets with settings and live objects, policies with text, users counted by their rights.

    Access key IDs are random, so users appear as (policy, status) and how many have them.
    """
    store, admin = clients(server)
    users = json.loads(admin.user_list())
    rights = Counter(f"{u.get('policyName', '-')} {u['status']}" for u in users.values())
    policies = json.loads(admin.policy_list())
    return {
        "buckets": {b.name: _bucket(store, admin, b.name) for b in store.list_buckets()},
        "policies": {
            name: in_order(text) for name, text in policies.items() if name not in _BUILT_IN
        },
        "users": dict(sorted(rights.items())),
    }


def objects(server: MinioServer, bucket: str) -> list[tuple[str, bool, bytes]]:
    """Every version in a bucket: key, whether it is a delete marker, content."""
    store, _ = clients(server)
    found = []
    for each in store.list_objects(bucket, recursive=True, include_version=True):
        marker = bool(each.is_delete_marker)
        content = b""
        if not marker:
            content = store.get_object(bucket, each.object_name, version_id=each.version_id).read()
        found.append((str(each.object_name), marker, content))
    return found


def in_order(value: Any) -> Any:
    """The server keeps actions and resources as sets and gives them in any order."""
    if isinstance(value, dict):
        return {key: in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((in_order(each) for each in value), key=json.dumps)
    return value


def _bucket(store: Minio, admin: MinioAdmin, name: str) -> dict[str, Any]:
    quota = json.loads(admin.bucket_quota_get(name))
    live = {_RECEIPT.sub("receipts/<run>.json", str(o.object_name))
            for o in store.list_objects(name, recursive=True)}  # fmt: skip
    return {
        "tags": dict(store.get_bucket_tags(name) or {}),
        "versioning": store.get_bucket_versioning(name).status,
        "lifecycle": _lifecycle(store, name),
        "quota": quota.get("size") or quota.get("quota") or 0,
        "lock": _lock(store, name),
        "policy": _policy(store, name),
        "objects": sorted(live),
    }


def _lifecycle(store: Minio, name: str) -> list[dict[str, Any]]:
    found = store.get_bucket_lifecycle(name)
    return [
        {
            "id": rule.rule_id,
            "status": rule.status,
            "noncurrentDays": getattr(rule.noncurrent_version_expiration, "noncurrent_days", None),
        }
        for rule in (found.rules if found else [])
    ]


def _lock(store: Minio, name: str) -> tuple[str | None, Any] | None:
    try:
        config = store.get_object_lock_config(name)
    except S3Error as error:
        if error.code == "ObjectLockConfigurationNotFoundError":
            return None
        raise
    return (config.mode, config.duration)


def _policy(store: Minio, name: str) -> str | None:
    try:
        return store.get_bucket_policy(name)
    except S3Error as error:
        if error.code == "NoSuchBucketPolicy":
            return None
        raise
