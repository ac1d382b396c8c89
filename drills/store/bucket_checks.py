"""What the drill's reader sees of each bucket's settings, against what the site declares."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from minio import Minio

from drills.store.attempts import together
from drills.store.payload import Client
from drills.store.probes import MARK
from drills.verdict import Check, Reason, reason_of
from s3.bucket_state import default_retention, expiries, noncurrent_days, versioned
from s3.client import StoreEndpoint, connect
from s3.errors import SDK_ERRORS, classify
from s3.settings import Bucket

STORE = "store"


def bucket_checks(store: StoreEndpoint, reader: Client, buckets: Sequence[Bucket]) -> list[Check]:
    """Versioning, default retention and lifecycle of every bucket, read concurrently."""
    client = connect(store, reader.credential())
    found = together(lambda bucket: list(_checks(client, store.url, bucket)), buckets)
    return [check for checks in found for check in checks]


def _checks(client: Minio, url: str, bucket: Bucket) -> Iterator[Check]:
    lock = bucket.object_lock
    questions: list[tuple[str, object, Callable[[], object], Reason]] = [
        (
            "versioning",
            bucket.versioning,
            lambda: versioned(client, bucket.name),
            Reason.VERSIONING_OFF,
        ),
        (
            "default retention",
            lock and {"mode": lock.mode, "days": lock.days},
            lambda: default_retention(client, bucket.name),
            Reason.LOCK_DIFFERS,
        ),
        (
            "days old versions are kept",
            bucket.noncurrent_days,
            lambda: noncurrent_days(client, bucket.name),
            Reason.LIFECYCLE_DIFFERS,
        ),
        (
            "rules that expire current objects",
            bucket.expiring(),
            lambda: [each for each in expiries(client, bucket.name) if not _of_probes(each)],
            Reason.LIFECYCLE_DIFFERS,
        ),
    ]
    for name, wanted, read, reason in questions:
        label = f"{name} of bucket {bucket.name}"
        try:
            held = read()
        except SDK_ERRORS as error:
            fault = classify(error, url, f"bucket {bucket.name}")
            yield Check(STORE, label, json.dumps(wanted), str(fault), reason_of(fault.cause))
            continue
        yield Check(
            STORE, label, json.dumps(wanted), json.dumps(held), None if held == wanted else reason
        )


def _of_probes(expiry: Mapping[str, object]) -> bool:
    """A rule for the drill's own objects harms nobody."""
    return MARK in str(expiry["prefix"])
