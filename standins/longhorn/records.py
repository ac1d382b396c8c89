"""The backup store's format, as the engine of Longhorn 1.12 writes it: keys and records.

Source: longhorn/backupstore config.go (getVolumePath, getBackupConfigPath), backupstore.go (Volume,
Backup), lock.go, util/util.go (GetChecksum). Go's encoder decides the bytes: maps by key, numbers
of some fields as text, texts of some fields encoded twice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MIB = 1 << 20
BASE = "backupstore/"
SYSTEM_BACKUPS = f"{BASE}system-backups/"
VOLUMES = f"{BASE}volumes/"
CHECKSUM_DIGITS = 64
BLOCK_SIZE_PARAMETER = "backup-block-size"
BACKUP_MODE_PARAMETER = "backup-mode"
# types.go LEGACY_COMPRESSION_METHOD: records of before 1.5 name none.
LEGACY_COMPRESSION = "gzip"
# Go's encoder writes these so, for the sake of HTML.
_ESCAPED = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}

Raw = dict[str, Any]


def checksum(content: bytes) -> str:
    """The name of a block, and of a volume's folders: the first half of a SHA-512, in hex."""
    return hashlib.sha512(content).hexdigest()[:CHECKSUM_DIGITS]


def volume_folder(volume: str) -> str:
    digits = checksum(volume.encode())
    return f"{VOLUMES}{digits[:2]}/{digits[2:4]}/{volume}/"


def volume_key(volume: str) -> str:
    return f"{volume_folder(volume)}volume.cfg"


def backups_folder(volume: str) -> str:
    return f"{volume_folder(volume)}backups/"


def backup_key(volume: str, backup: str) -> str:
    return f"{backups_folder(volume)}backup_{backup}.cfg"


def backup_of(file: str) -> str:
    """The name of the backup whose record a file is; "" for any other file."""
    inside = file.removeprefix("backup_").removesuffix(".cfg")
    return inside if file == f"backup_{inside}.cfg" else ""


def blocks_folder(volume: str) -> str:
    return f"{volume_folder(volume)}blocks/"


def block_key(volume: str, digits: str) -> str:
    return f"{blocks_folder(volume)}{digits[:2]}/{digits[2:4]}/{digits}.blk"


def locks_folder(volume: str) -> str:
    return f"{volume_folder(volume)}locks/"


def lock_key(volume: str, lock: str) -> str:
    return f"{locks_folder(volume)}{lock}.lck"


@dataclass(frozen=True)
class VolumeRecord:
    """`volume.cfg`. Sizes in bytes, times as text in RFC 3339."""

    name: str
    size: int
    created: str
    compression: str
    storage_class: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    last_backup: str = ""
    last_backup_at: str = ""
    block_count: int = 0
    backing_image: str = ""
    backing_image_checksum: str = ""
    data_engine: str = "v1"


@dataclass(frozen=True)
class BackupRecord:
    """`backup_<name>.cfg`. A backup that is being made has no `created` and says nothing else.

    `blocks`: offset in bytes and checksum, ascending; what none of them covers is zero.
    """

    name: str
    volume: str
    compression: str
    snapshot: str = ""
    snapshot_created: str = ""
    created: str = ""
    size: int = 0
    labels: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None
    incremental: bool = False
    newly_uploaded: int = 0
    re_uploaded: int = 0
    blocks: Sequence[tuple[int, str]] = ()

    @property
    def finished(self) -> bool:
        return self.created != ""


def volume_bytes(record: VolumeRecord) -> bytes:
    return _encoded(
        {
            "Name": record.name,
            "Size": str(record.size),
            "Labels": _sorted(record.labels),
            "CreatedTime": record.created,
            "LastBackupName": record.last_backup,
            "LastBackupAt": record.last_backup_at,
            "BlockCount": str(record.block_count),
            "BackingImageName": go_json(record.backing_image),
            "BackingImageChecksum": go_json(record.backing_image_checksum),
            "CompressionMethod": go_json(record.compression),
            "StorageClassName": go_json(record.storage_class),
            "DataEngine": go_json(record.data_engine),
        }
    )


def backup_bytes(record: BackupRecord) -> bytes:
    raw: Raw = {
        "Name": record.name,
        "VolumeName": record.volume,
        "SnapshotName": record.snapshot,
        "SnapshotCreatedAt": record.snapshot_created,
        "CreatedTime": record.created,
        "Size": str(record.size),
        "Labels": _sorted(record.labels),
        "Parameters": _sorted(record.parameters),
        "IsIncremental": record.incremental,
        "CompressionMethod": record.compression,
        "NewlyUploadedDataSize": str(record.newly_uploaded),
        "ReUploadedDataSize": str(record.re_uploaded),
        # A full backup's record is the one that was counted with, an incremental one's is merged.
        "ProcessingBlocks": None if record.incremental or not record.finished else {},
    }
    if record.blocks:
        raw["Blocks"] = [
            {"Offset": offset, "BlockChecksum": digits} for offset, digits in record.blocks
        ]
    return _encoded({**raw, "SingleFile": {"FilePath": ""}})


def parse_volume(content: bytes) -> VolumeRecord:
    """Raises ValueError, KeyError or TypeError for what is no such record."""
    raw = _decoded(content)
    return VolumeRecord(
        name=str(raw["Name"]),
        size=int(raw["Size"]),
        created=str(raw.get("CreatedTime", "")),
        compression=_twice(raw, "CompressionMethod") or LEGACY_COMPRESSION,
        storage_class=_twice(raw, "StorageClassName"),
        labels=dict(raw.get("Labels") or {}),
        last_backup=str(raw.get("LastBackupName", "")),
        last_backup_at=str(raw.get("LastBackupAt", "")),
        block_count=int(raw.get("BlockCount", 0)),
        backing_image=_twice(raw, "BackingImageName"),
        backing_image_checksum=_twice(raw, "BackingImageChecksum"),
        data_engine=_twice(raw, "DataEngine") or "v1",
    )


def parse_backup(content: bytes) -> BackupRecord:
    """Raises ValueError, KeyError or TypeError for what is no such record."""
    raw = _decoded(content)
    return BackupRecord(
        name=str(raw["Name"]),
        volume=str(raw["VolumeName"]),
        compression=str(raw.get("CompressionMethod") or LEGACY_COMPRESSION),
        snapshot=str(raw.get("SnapshotName", "")),
        snapshot_created=str(raw.get("SnapshotCreatedAt", "")),
        created=str(raw.get("CreatedTime", "")),
        size=int(raw.get("Size", 0)),
        labels=raw.get("Labels"),
        parameters=raw.get("Parameters"),
        incremental=bool(raw.get("IsIncremental", False)),
        newly_uploaded=int(raw.get("NewlyUploadedDataSize", 0)),
        re_uploaded=int(raw.get("ReUploadedDataSize", 0)),
        blocks=[(int(one["Offset"]), str(one["BlockChecksum"])) for one in raw.get("Blocks") or ()],
    )


def go_json(value: object) -> str:
    """As Go's encoder writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPED)


def _encoded(raw: Raw) -> bytes:
    return go_json(raw).encode()


def _decoded(content: bytes) -> Raw:
    raw = json.loads(content)
    if not isinstance(raw, dict):
        raise TypeError("a record is a JSON object")
    return raw


def _sorted(labels: Mapping[str, str] | None) -> Mapping[str, str] | None:
    return None if labels is None else dict(sorted(labels.items()))


def _twice(raw: Raw, name: str) -> str:
    return str(json.loads(raw[name])) if raw.get(name) else ""
