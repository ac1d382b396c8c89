"""Stores and records that several tests read."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.backupstore import layout
from drills.backupstore.blocks import decode, limit
from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.records import VolumeRecord, parse_volume
from tests.support.longhorn_store import MIB, Put, VolumeWriter, content, into_folder

FIXTURE = Path(__file__).parent / "fixture"
TRUTH: dict[str, dict[str, Any]] = json.loads((FIXTURE / "truth.json").read_text())


def genuine() -> BackupStore:
    """The store that Longhorn's own engine wrote."""
    return BackupStore(FolderObjects(FIXTURE / "bucket"))


def store_in(root: Path) -> tuple[BackupStore, Put]:
    """An empty store in a folder, and what writes to it."""
    return BackupStore(FolderObjects(root)), into_folder(root)


def chain(put: Put, name: str = "pvc-data", **more: Any) -> tuple[VolumeWriter, dict[str, str]]:
    """A volume of 16 blocks with three backups, and the SHA-256 of its image at each."""
    block = more.get("block_size", 2 * MIB)
    volume = VolumeWriter(put, name, 16 * block, **more)
    truth = {}
    for number, places in enumerate([(0, 3, 15), (3, 4), (0,)], start=1):
        made = content(f"{name} {number}", block, noise=0.01)
        volume.backup(f"backup-{number}", [place * block for place in places], made)
        truth[f"backup-{number}"] = volume.image_sha256()
    return volume, truth


def image_sha256(store: BackupStore, volume: VolumeRecord, name: str) -> str:
    """Of the raw image, rebuilt block after block."""
    backup = store.backup(volume, name)
    digest, at = hashlib.sha256(), 0
    for offset, checksum in backup.blocks:
        digest.update(bytes(offset - at))
        key = layout.block_key(volume.name, checksum)
        stored = store.objects.get(key, limit(backup.block_size))
        digest.update(decode(key, stored, checksum, backup.compression, backup.block_size))
        at = offset + backup.block_size
    digest.update(bytes(volume.size - at))
    return digest.hexdigest()


def _changed(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (record | changes).items() if value is not None}


def volume_record(**changes: Any) -> dict[str, Any]:
    """A record as Longhorn 1.12 writes it; a value of None takes the field out."""
    record = {
        "Name": "pvc-data",
        "Size": str(32 * MIB),
        "Labels": {"KubernetesStatus": '{"pvName":"pv"}'},
        "CreatedTime": "2026-03-01T12:00:00Z",
        "LastBackupName": "backup-1",
        "LastBackupAt": "2026-03-01T12:00:00Z",
        "BlockCount": "2",
        "BackingImageName": '""',
        "BackingImageChecksum": '""',
        "CompressionMethod": '"lz4"',
        "StorageClassName": '"longhorn"',
        "DataEngine": '"v1"',
    }
    return _changed(record, changes)


def backup_record(**changes: Any) -> dict[str, Any]:
    """The record of a backup of two blocks; a value of None takes the field out."""
    record = {
        "Name": "backup-1",
        "VolumeName": "pvc-data",
        "SnapshotName": "snapshot-1",
        "SnapshotCreatedAt": "2026-03-01T12:00:00Z",
        "CreatedTime": "2026-03-01T12:00:05Z",
        "Size": str(4 * MIB),
        "Labels": {"RecurringJob": "daily"},
        "Parameters": {"backup-block-size": str(2 * MIB)},
        "IsIncremental": True,
        "CompressionMethod": "lz4",
        "NewlyUploadedDataSize": "12345",
        "ReUploadedDataSize": "0",
        "ProcessingBlocks": {},
        "Blocks": [
            {"Offset": 0, "BlockChecksum": "a" * 64},
            {"Offset": 4 * MIB, "BlockChecksum": "b" * 64},
        ],
        "SingleFile": {"FilePath": ""},
    }
    return _changed(record, changes)


def spelled(record: object) -> bytes:
    return json.dumps(record).encode()


VOLUME = parse_volume("volume.cfg", spelled(volume_record()))


def fault_of(work: Callable[[], object], about: str = "") -> Fault:
    """The fault of work that fails; it names the object and is one line."""
    with pytest.raises(BackupStoreError) as caught:
        work()
    text = str(caught.value)
    assert about in caught.value.object
    assert text.isascii()
    assert text.isprintable()
    return caught.value.fault
