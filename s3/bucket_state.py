"""What the server holds about a bucket, read with any client that may see it.

The callers translate what the SDK raises; see s3/errors.py.
"""

from minio import Minio
from minio.commonconfig import Filter
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


def expiries(client: Minio, bucket: str) -> list[dict[str, object]]:
    """What enabled rules remove of current objects: `{"prefix", "days"}`, by prefix and days.

    `days` None is a rule with a date. One that further conditions narrow says so (`"narrowed"`),
    for it does not hold for the whole prefix. Such rules destroy restic and Kopia repositories:
    their oldest packs are in use for ever.
    """
    lifecycle = client.get_bucket_lifecycle(bucket)
    found: list[dict[str, object]] = []
    for rule in [] if lifecycle is None else lifecycle.rules:
        expiration = rule.expiration
        if rule.status != "Enabled" or expiration is None:
            continue
        if expiration.days is not None or expiration.date is not None:
            found.append({**_scope(rule.rule_filter), "days": expiration.days})
    return sorted(found, key=lambda each: (str(each["prefix"]), str(each["days"])))


def _scope(selected: Filter | None) -> dict[str, object]:
    if selected is None:
        return {"prefix": ""}
    if selected.and_operator is not None:
        return {"prefix": selected.and_operator.prefix or "", "narrowed": True}
    if selected.tag is not None:
        return {"prefix": "", "narrowed": True}
    return {"prefix": selected.prefix or ""}
