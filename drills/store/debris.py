"""Removing what drills wrote: this run's probes, and those of runs that died.

Only keys with the mark are ever touched, and only by the client whose folder they lie in. Clients
cannot remove versions, so a removed probe leaves a delete marker and old versions, which go with
the bucket's lifecycle; what is left otherwise is named in the receipt.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minio import Minio

from drills.frame import Record
from drills.store.attempts import together
from drills.store.payload import Client
from drills.store.probes import MARK, STANDING, Territory, folders_above
from s3.client import Session, StoreEndpoint, connect
from s3.errors import SDK_ERRORS, StoreError, classify

ABANDONED_AFTER = datetime.timedelta(hours=1)
"""A drill takes seconds; what is this old belongs to none that is running."""

ServerTime = datetime.datetime | None


@dataclass(frozen=True)
class Written:
    """An object a drill wrote."""

    bucket: str
    key: str

    @property
    def standing(self) -> bool:
        return f"{MARK}{STANDING}/" in self.key


def clean_up(
    record: Record,
    written: Sequence[Written],
    clients: Sequence[Client],
    sessions: Mapping[str, Session],
) -> str:
    """Removes this run's probes as far as the roles allow."""
    standing = sorted({f"{item.bucket}/{item.key}" for item in written if item.standing})
    removable = sorted({item for item in written if not item.standing}, key=lambda w: w.key)
    removed = _remove(record, removable, clients, sessions)
    if standing:
        record.left.append(f"standing probes of clients that may not delete: {', '.join(standing)}")
    if removed:
        record.left.append(
            f"old versions of {removed} removed probes, until the lifecycle expires them"
        )
    return f"{removed} of {len(removable)} probes removed, {len(standing)} standing"


def sweep(
    record: Record,
    *,
    store: StoreEndpoint,
    reader: Client,
    clients: Sequence[Client],
    sessions: Mapping[str, Session],
    now: datetime.datetime,
) -> str:
    """Removes probes of dead runs; `now` is the store's own time, as are the objects' dates."""
    lister = connect(store, reader.credential())
    folders = {
        (client.bucket, prefix)
        for client in clients
        if client.bucket
        for prefix in (
            *(f"{above}{MARK}" for above in folders_above(client.prefix)),
            MARK,
            f"{client.prefix}{MARK}",
            *Territory(client, "").deletable_folders,
        )
    }
    found = together(lambda folder: _abandoned(lister, store.url, *folder, now), sorted(folders))
    debris = sorted({item for items in found for item in items}, key=lambda w: (w.bucket, w.key))
    return f"{_remove(record, debris, clients, sessions)} of {len(debris)} old probes removed"


def _abandoned(
    lister: Minio, url: str, bucket: str, prefix: str, now: datetime.datetime
) -> list[Written]:
    try:
        listed = list(lister.list_objects(bucket, prefix=prefix, recursive=True))
    except SDK_ERRORS as error:
        raise classify(error, url, f"listing {bucket}/{prefix}") from error
    candidates = (
        Written(bucket, entry.object_name)
        for entry in listed
        if entry.object_name is not None
        and entry.last_modified is not None
        and now - entry.last_modified > ABANDONED_AFTER
    )
    return [item for item in candidates if not item.standing]


def _remove(
    record: Record,
    items: Sequence[Written],
    clients: Sequence[Client],
    sessions: Mapping[str, Session],
) -> int:
    """Deletes marked objects, each by the client that may; the others are named as left."""

    def remove(item: Written) -> str:
        owner = _owner(item, clients)
        if owner is None:
            return f"{item.bucket}/{item.key}: no client may delete it"
        try:
            answer = sessions[owner.name].send("DELETE", item.bucket, item.key)
        except StoreError as error:
            return f"{item.bucket}/{item.key}: {error}"
        return "" if answer.ok else f"{item.bucket}/{item.key}: {answer}"

    faults = [fault for fault in together(remove, items) if fault]
    record.left += faults
    return len(items) - len(faults)


def _owner(item: Written, clients: Sequence[Client]) -> Client | None:
    """The client in whose deletable folder the object lies; nobody else is asked to delete it."""
    for client in clients:
        folders = Territory(client, "").deletable_folders
        if client.bucket == item.bucket and item.key.startswith(folders):
            return client
    return None
