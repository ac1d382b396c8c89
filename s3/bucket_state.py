"""What the server holds about a bucket, read with any client that may see it.

The callers translate what the SDK raises; see s3/errors.py.
"""

from minio import Minio
from minio.error import S3Error
from minio.objectlockconfig import DAYS

NONCURRENT_RULE = "noncurrent"


def versioned(client: Minio, bucket: str) -> bool:
    """Whether versioning is enabled; suspended is not enabled."""
    return client.get_bucket_versioning(bucket).status == "Enabled"


def default_retention(client: Minio, bucket: str) -> dict[str, object] | None:
    """`{"mode", "days"}`; None both without object lock and with one that has no default."""
    try:
        config = client.get_object_lock_config(bucket)
    except S3Error as error:
        if error.code == "ObjectLockConfigurationNotFoundError":
            return None
        raise
    if config.mode is None:
        return None
    days_per_unit = 1 if config.duration_unit == DAYS else 365
    return {"mode": config.mode, "days": (config.duration or 0) * days_per_unit}


def noncurrent_days(client: Minio, bucket: str) -> int | None:
    """After how many days the rule `noncurrent` removes old versions; None if it does not."""
    lifecycle = client.get_bucket_lifecycle(bucket)
    for rule in [] if lifecycle is None else lifecycle.rules:
        expiration = rule.noncurrent_version_expiration
        if rule.rule_id == NONCURRENT_RULE and rule.status == "Enabled" and expiration is not None:
            return expiration.noncurrent_days
    return None


def expires_current(client: Minio, bucket: str, spared: str) -> bool:
    """Whether an enabled rule removes current objects, except rules whose prefix holds `spared`.

    Such a rule destroys restic and Kopia repositories: their oldest packs are in use for ever.
    """
    lifecycle = client.get_bucket_lifecycle(bucket)
    for rule in [] if lifecycle is None else lifecycle.rules:
        prefix = rule.rule_filter.prefix if rule.rule_filter is not None else ""
        expiration = rule.expiration
        if rule.status != "Enabled" or expiration is None or spared in (prefix or ""):
            continue
        if expiration.days is not None or expiration.date is not None:
            return True
    return False
