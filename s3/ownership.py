"""Whose a bucket or a policy is, as the marks on the store say.

A bucket is a site's by its tag `backstop-site`, a policy by the Sid of its first statement. A user
cannot be marked: access key IDs are random, so a user is a site's if one of its policies is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minio import Minio
from minio.error import S3Error

OWNERSHIP_TAG = "backstop-site"
_SID = OWNERSHIP_TAG + "="


@dataclass(frozen=True)
class BucketFacts:
    """What the store says of a bucket; `empty` means that it holds no version either."""

    tags: Mapping[str, str]
    empty: bool
    object_lock: bool


def inspect(client: Minio, bucket: str) -> BucketFacts | None:
    """Tags, emptiness over all versions, and object lock of a bucket; None if there is none.

    Raises what the SDK raises (see `s3.errors.SDK_ERRORS`).
    """
    # Tags first: asking for them proves region and signature, which a HEAD request does not.
    tags = dict(client.get_bucket_tags(bucket) or {})
    versions = client.list_objects(bucket, recursive=True, include_version=True)
    try:
        empty = next(iter(versions), None) is None
    except S3Error as error:
        # A bucket that does not exist has no tags, says the server, and only here no existence.
        if error.code == "NoSuchBucket":
            return None
        raise
    return BucketFacts(tags, empty, _has_object_lock(client, bucket))


def obstacle(bucket: str, site: str, facts: BucketFacts, *, wants_lock: bool) -> str:
    """Why a bucket that exists cannot be taken for the site's, "" if it can.

    One that is empty and bears no tag is: a run may have ended before it was marked.
    """
    owner = facts.tags.get(OWNERSHIP_TAG)
    if owner is not None and owner != site:
        return f"bucket {bucket} belongs to site {owner}, not to {site}: choose another bucket name"
    if owner is None and (facts.tags or not facts.empty):
        seen = "holds data" if not facts.empty else "bears tags of somebody else"
        return (
            f"bucket {bucket} {seen} and not our mark: if it is this site's, tag it "
            f"{OWNERSHIP_TAG}={site}, otherwise choose another bucket name"
        )
    if wants_lock and not facts.object_lock:
        return (
            f"bucket {bucket} was made without object lock, which only its creation can set: "
            "take objectLock out of its config, or choose another bucket name"
        )
    return ""


def policy_mark(site: str) -> str:
    """The Sid that the first statement of each of a site's policies bears."""
    return _SID + site


def policy_owner(document: object) -> str | None:
    """The site that a policy (JSON text or object) belongs to, None if it bears no mark."""
    parsed: Any = json.loads(document) if isinstance(document, str | bytes) else document
    statements = parsed.get("Statement") if isinstance(parsed, dict) else None
    for statement in statements if isinstance(statements, list) else []:
        # The server may give the statements in another order.
        sid = str(statement.get("Sid") or "")
        if sid.startswith(_SID):
            return sid.removeprefix(_SID)
    return None


def policy_obstacle(name: str, site: str, document: object) -> str:
    """Why a policy that exists cannot be written over, "" if it can."""
    owner = policy_owner(document)
    if owner == site:
        return ""
    whose = f"belongs to site {owner}, not to {site}" if owner else "does not bear our mark"
    return (
        f"policy {name} {whose}: give this site another name, or remove the policy if nobody uses "
        "it"
    )


def _has_object_lock(client: Minio, bucket: str) -> bool:
    try:
        client.get_object_lock_config(bucket)
    except S3Error as error:
        if error.code == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return True
