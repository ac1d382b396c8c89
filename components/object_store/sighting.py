"""What the store already holds of what a site declares, looked at before anything is registered.

A state may be new while the store is not. What bears the site's mark is taken over: its buckets are
imported, its policies written over. What is another's stops the run before anything is changed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from minio import Minio

from components.object_store.buckets import Bucket
from components.settings import Settings
from s3 import ownership
from s3.accounts import policies_of
from s3.client import Credential, StoreEndpoint, connect, connect_admin
from s3.errors import SDK_ERRORS, classify

# Velero has six folders; one name that is not among them is enough to refuse.
ENOUGH = 100


@dataclass(frozen=True)
class Sighting:
    """`faults`: sentences, for what is another's. `buckets`: those of the site that exist.

    `in_velero`: the top-level names of the folder that Velero is to use.
    """

    faults: Sequence[str] = ()
    buckets: frozenset[str] = frozenset()
    in_velero: frozenset[str] = frozenset()


def folder_of_velero(settings: Settings) -> str | None:
    """The folder of its client's bucket that Velero uses ("": the root); None without Velero."""
    return settings.velero.location.prefix if settings.velero is not None else None


def look(
    endpoint: StoreEndpoint,
    administrator: Credential,
    site: str,
    buckets: Sequence[Bucket],
    policies: Collection[str],
    *,
    velero_folder: str | None,
) -> Sighting:
    """Looks at each declared bucket and policy; only reads. Raises StoreError."""
    client = connect(endpoint, administrator)
    try:
        seen = {bucket: ownership.inspect(client, bucket.name) for bucket in buckets}
        documents = policies_of(connect_admin(endpoint, administrator))
        held = [one.name for one, facts in seen.items() if one.role == "velero" and facts]
        names = _top_level(client, held, velero_folder)
    except SDK_ERRORS as error:
        raise classify(error, endpoint.url) from error
    named = {name: documents[name] for name in policies if name in documents}
    return replace(judge(site, seen, named), in_velero=names)


def _top_level(client: Minio, buckets: Sequence[str], folder: str | None) -> frozenset[str]:
    """What lies directly in `folder` of the buckets; the first of it, if there is very much."""
    if folder is None:
        return frozenset()
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    found = [
        str(one.object_name).removeprefix(prefix)
        for bucket in buckets
        for one in islice(client.list_objects(bucket, prefix=prefix), ENOUGH)
    ]
    return frozenset(found)


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
