"""BackupStorageLocations: where backups are, reached with which credential and which CA.

The default one takes new backups. Former ones are kept as long as their backups are, so that these
can be restored and expire; deleting one deletes nothing in the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings.velero import Location

KIND = "BackupStorageLocation"
CA_SECRET = "velero-store-ca"  # noqa: S105  (the name of a Secret)
CA_KEY = "ca.crt"
CREDENTIAL_KEY = "cloud"


@dataclass(frozen=True)
class Target:
    """The store as pods of the cluster reach it.

    `credential`: name of the Secret that is used; it may be one that is known later.
    """

    url: str
    region: str
    bucket: str
    credential: object


@dataclass(frozen=True)
class Place:
    """One location: its name, its folder of the bucket, and whether new backups go there."""

    name: str
    prefix: str
    default: bool


def places(location: Location) -> list[Place]:
    """Every location, the default one first."""
    former = [Place(one.name, one.prefix, default=False) for one in location.former]
    return [Place(location.name, location.prefix, default=True), *former]


def specification(location: Location, place: Place, target: Target) -> dict[str, Any]:
    """`spec` of one BackupStorageLocation. TLS is verified with the store's CA, always."""
    storage: dict[str, Any] = {
        "bucket": target.bucket,
        "caCertRef": {"name": CA_SECRET, "key": CA_KEY},
    }
    if place.prefix:
        storage["prefix"] = place.prefix
    # The plugin takes texts only, and refuses a key that it does not know.
    config = {
        "region": target.region,
        "s3Url": target.url,
        "s3ForcePathStyle": "true",
        "checksumAlgorithm": location.checksum_algorithm,
    }
    if location.public_url is not None:
        config["publicUrl"] = location.public_url
    return {
        "provider": "aws",
        "default": place.default,
        # Writing includes expiring: a read-only location would keep its backups for ever.
        "accessMode": "ReadWrite",
        "objectStorage": storage,
        "config": config,
        "credential": {"name": target.credential, "key": CREDENTIAL_KEY},
        "validationFrequency": location.validation_frequency,
        "backupSyncPeriod": location.backup_sync_period,
    }


def moved_finding(
    location: Location, bucket: str, held: Mapping[str, tuple[str, str]]
) -> str | None:
    """A sentence if a location that exists under one of our names holds other data, else None.

    `held`: (bucket, prefix) of each location in the cluster. Backups know their location by name
    alone: under a changed bucket or prefix the old ones would point at the new data.
    """
    for place in places(location):
        if place.name not in held:
            continue
        before = (held[place.name][0], held[place.name][1].strip("/"))
        if before != (bucket, place.prefix):
            cure = (
                "give the location a new name and put the former one under location.former until "
                "its backups have expired"
                if before[0] == bucket and before[1]
                else "set clients.velero.bucket and location.prefix back to that place"
            )
            return (
                f"config backstop:velero.location: {place.name} exists and holds "
                f"{_folder(*before)}, not {_folder(bucket, place.prefix)}, and its backups would "
                f"be lost from sight; {cure}"
            )
    return None


def _folder(bucket: str, prefix: str) -> str:
    return f"{bucket}/{prefix}" if prefix else bucket
