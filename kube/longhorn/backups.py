"""Backups and snapshots as Longhorn's objects tell of them."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.client import Client
from kube.longhorn.api import (
    Object,
    created,
    labels,
    listed,
    metadata,
    moment,
    name,
    number,
    spec,
    status,
    text,
)
from kube.longhorn.jobs import ENABLED

VOLUME_LABEL = "backup-volume"
TARGET_LABEL = "backup-target"
# Under this key a backup keeps, as JSON, what Longhorn knew of the volume's claim.
CLAIM_LABEL = "KubernetesStatus"
_ENCRYPTED_LABEL = "volume-encrypted"
COMPLETED = "Completed"
DELETING = "Deleting"
# Every other state goes on by itself.
ENDED = frozenset({COMPLETED, "Error", "Unknown"})


@dataclass(frozen=True)
class Backup:
    """A Backup. `state`: "", Pending, InProgress, Completed, Error, Unknown, Deleting.

    `job`: whose retention removes it, "" for none. `progress`: per cent. `made`: when Longhorn
    finished it; `created`: when its object appeared. `size`: bytes in the store; `volume_size`:
    bytes of the volume, as large as one that is made of the backup has to be.
    """

    name: str
    volume: str
    target: str
    snapshot: str
    state: str
    progress: int
    error: str
    job: str
    url: str
    size: int
    made: datetime.datetime | None
    created: datetime.datetime | None
    labels: Mapping[str, str]
    volume_size: int = 0
    encrypted: bool = False
    backing_image: str = ""
    deleting: bool = False

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True)
class Snapshot:
    """A Snapshot of a volume. `ready`: a backup can be made of it. `labels`: of the object."""

    name: str
    volume: str
    ready: bool
    error: str
    created: datetime.datetime | None
    labels: Mapping[str, str]


def read_backups(
    client: Client, namespace: str, labels: Mapping[str, str] | None = None
) -> tuple[Backup, ...]:
    """The backups that bear `labels`, by name. Raises ClusterError (see `listed`)."""
    return tuple(backup(one) for one in listed(client, namespace, "backups", labels))


def read_snapshots(
    client: Client, namespace: str, labels: Mapping[str, str] | None = None
) -> tuple[Snapshot, ...]:
    """The snapshots that bear `labels`, by name. Raises ClusterError (see `listed`)."""
    return tuple(snapshot(one) for one in listed(client, namespace, "snapshots", labels))


def backup(found: Object) -> Backup:
    wanted, held, marks = spec(found), status(found), labels(found)
    # What the store says of a backup that was synced from there comes by the status alone.
    noted: Mapping[str, Any] = held.get("labels") or wanted.get("labels") or {}
    return Backup(
        name=name(found),
        volume=text(held, "volumeName") or text(marks, VOLUME_LABEL),
        target=text(held, "backupTargetName") or text(marks, TARGET_LABEL),
        snapshot=text(wanted, "snapshotName") or text(held, "snapshotName"),
        state=text(held, "state"),
        progress=number(held, "progress"),
        error=text(held, "error"),
        job=text(noted, "RecurringJob"),
        url=text(held, "url"),
        size=number(held, "size"),
        made=moment(held.get("backupCreatedAt")),
        created=created(found),
        labels=dict(marks),
        volume_size=number(held, "volumeSize"),
        encrypted=text(noted, _ENCRYPTED_LABEL) == ENABLED,
        backing_image=text(held, "volumeBackingImageName"),
        deleting=metadata(found).get("deletionTimestamp") is not None,
    )


def snapshot(found: Object) -> Snapshot:
    held = status(found)
    return Snapshot(
        name=name(found),
        volume=text(spec(found), "volume"),
        ready=bool(held.get("readyToUse")),
        error=text(held, "error"),
        created=created(found),
        labels=dict(labels(found)),
    )
