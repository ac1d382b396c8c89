"""The volumes of Longhorn, and which claim of the cluster each of them belongs to."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube.client import Client
from kube.longhorn.api import (
    DRIVER,
    Object,
    created,
    labels,
    listed,
    metadata,
    moment,
    name,
    number,
    part,
    spec,
    status,
    text,
)

DEFAULT_TARGET = "default"
# The states that a job of Longhorn works on; every other one is on its way to one of them.
ATTACHED = "attached"
DETACHED = "detached"
FAULTED = "faulted"


@dataclass(frozen=True)
class Volume:
    """A Volume of Longhorn. Its name is the lineage's name in the backup store.

    `size`: bytes. `namespace`, `claim`, `persistent_volume`: "" where Longhorn knows of none; what
    it says of a restored volume may be the source's claim until the volume is bound.
    `labels`: those of the object; the binding to jobs is among them (jobs.py).
    `last_backup`: its newest backup by name, "" if there is none.
    `data_engine`: "v1" or "v2". `standby`: it follows another cluster's backups and makes none.
    `linked_clone`: it shares blocks with its source, and Longhorn backs it up under no job.
    `known`: all that Longhorn knows of its claim and its pods, as it stands in the object.
    `from_backup`: the URL of the backup it was made of, "" for none.
    """

    name: str
    size: int
    created: datetime.datetime | None
    namespace: str
    claim: str
    persistent_volume: str
    state: str
    robustness: str
    backup_target: str
    labels: Mapping[str, str]
    last_backup: str
    last_backup_at: datetime.datetime | None
    encrypted: bool
    data_engine: str
    backing_image: str
    access_mode: str
    standby: bool
    restoring: bool
    linked_clone: bool
    deleting: bool
    node: str
    known: Mapping[str, Any] = field(default_factory=dict)
    from_backup: str = ""

    @property
    def told(self) -> str:
        """The volume as a person knows it: by its claim too."""
        return f"{self.name} ({self.namespace}/{self.claim})" if self.claim else self.name


@dataclass(frozen=True)
class PersistentVolume:
    """A PersistentVolume of Longhorn's driver, with the Volume behind it.

    `volume`: None if Longhorn has none of that name, so the claim's data is gone.
    `capacity`: as the object says it ("2Gi"). `phase`: Bound, Released, Available, Failed, Pending.
    """

    name: str
    handle: str
    namespace: str
    claim: str
    phase: str
    storage_class: str
    capacity: str
    fs_type: str
    access_modes: tuple[str, ...]
    created: datetime.datetime | None
    volume: Volume | None = None


@dataclass(frozen=True)
class Expected:
    """Every volume that the cluster has. `unclaimed`: those behind no PersistentVolume."""

    claimed: tuple[PersistentVolume, ...] = ()
    unclaimed: tuple[Volume, ...] = ()


def read_volumes(client: Client, namespace: str) -> tuple[Volume, ...]:
    """Longhorn's volumes by name.

    Raises:
        ClusterError: as `listed`.
    """
    return tuple(volume(one) for one in listed(client, namespace, "volumes"))


def read_expected(client: Client, namespace: str) -> Expected:
    """What the backups have to hold, from the live cluster. Raises ClusterError."""
    found = client.list("/api/v1/persistentvolumes")
    return join(found, read_volumes(client, namespace))


def join(persistent: Iterable[Object], volumes: Iterable[Volume]) -> Expected:
    """PersistentVolumes of Longhorn's driver, each with its Volume, by name."""
    behind = {one.name: one for one in volumes}
    found = [
        _persistent_volume(one, behind)
        for one in persistent
        if (spec(one).get("csi") or {}).get("driver") == DRIVER
    ]
    handles = {one.handle for one in found}
    return Expected(
        tuple(sorted(found, key=lambda one: one.name)),
        tuple(one for one in behind.values() if one.name not in handles),
    )


def volume(found: Object) -> Volume:
    """A Volume out of the object as the API server gives it."""
    wanted, held = spec(found), status(found)
    known = part(held, "kubernetesStatus")
    return Volume(
        name=name(found),
        size=number(wanted, "size"),
        created=created(found),
        namespace=text(known, "namespace"),
        claim=text(known, "pvcName"),
        persistent_volume=text(known, "pvName"),
        state=text(held, "state"),
        robustness=text(held, "robustness"),
        # Volumes from before 1.8 name none, and the manager treats them so.
        backup_target=text(wanted, "backupTargetName") or DEFAULT_TARGET,
        labels=dict(labels(found)),
        last_backup=text(held, "lastBackup"),
        last_backup_at=moment(held.get("lastBackupAt")),
        encrypted=bool(wanted.get("encrypted")),
        data_engine=text(wanted, "dataEngine") or "v1",
        backing_image=text(wanted, "backingImage"),
        access_mode=text(wanted, "accessMode"),
        standby=bool(wanted.get("Standby")),
        restoring=bool(held.get("restoreRequired")),
        linked_clone=wanted.get("cloneMode") == "linked-clone",
        deleting=metadata(found).get("deletionTimestamp") is not None,
        node=text(held, "currentNodeID"),
        known=dict(known),
        from_backup=text(wanted, "fromBackup"),
    )


def _persistent_volume(found: Object, behind: Mapping[str, Volume]) -> PersistentVolume:
    wanted = spec(found)
    driver, claim = wanted["csi"], wanted.get("claimRef") or {}
    handle = text(driver, "volumeHandle")
    return PersistentVolume(
        name=name(found),
        handle=handle,
        namespace=text(claim, "namespace"),
        claim=text(claim, "name"),
        phase=text(status(found), "phase"),
        storage_class=text(wanted, "storageClassName"),
        capacity=text(wanted.get("capacity") or {}, "storage"),
        fs_type=text(driver, "fsType"),
        access_modes=tuple(wanted.get("accessModes") or ()),
        created=created(found),
        volume=behind.get(handle),
    )
