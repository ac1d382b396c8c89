"""What the store already holds of what a site declares, looked at before anything is registered.

A state may be new while the store is not. What bears the site's mark is taken over: its buckets are
imported, its policies written over. What is another's stops the run before anything is changed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from components.object_store.buckets import Bucket
from s3 import ownership
from s3.accounts import policies_of
from s3.client import Credential, StoreEndpoint, connect, connect_admin
from s3.errors import SDK_ERRORS, classify


@dataclass(frozen=True)
class Sighting:
    """`faults`: sentences, for what is another's. `buckets`: those of the site that exist."""

    faults: Sequence[str] = ()
    buckets: frozenset[str] = frozenset()


def look(
    endpoint: StoreEndpoint,
    administrator: Credential,
    site: str,
    buckets: Sequence[Bucket],
    policies: Collection[str],
) -> Sighting:
    """Looks at each declared bucket and policy; only reads. Raises StoreError."""
    client = connect(endpoint, administrator)
    try:
        seen = {bucket: ownership.inspect(client, bucket.name) for bucket in buckets}
        documents = policies_of(connect_admin(endpoint, administrator))
    except SDK_ERRORS as error:
        raise classify(error, endpoint.url) from error
    return judge(site, seen, {name: documents[name] for name in policies if name in documents})


def judge(
    site: str,
    buckets: dict[Bucket, ownership.BucketFacts | None],
    policies: dict[str, object],
) -> Sighting:
    """The sighting of what was seen: facts by bucket (None: it does not exist), documents."""
    faults = []
    ours = set()
    for bucket, facts in buckets.items():
        if facts is None:
            continue
        locked = bucket.lock_days is not None
        fault = ownership.obstacle(bucket.name, site, facts, wants_lock=locked)
        if fault:
            faults.append(f"{fault} (config backstop:clients.{bucket.role})")
        else:
            ours.add(bucket.name)
    for name, document in sorted(policies.items()):
        fault = ownership.policy_obstacle(name, site, document)
        if fault:
            faults.append(f"{fault} (config backstop:site)")
    return Sighting(tuple(faults), frozenset(ours))
