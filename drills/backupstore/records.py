"""The records of a backup store, parsed and checked: volumes, backups, locks, system backups.

Source: longhorn/backupstore backupstore.go (Volume, Backup), config.go (loadVolume, loadBackup),
lock.go (FileLock), systembackup/system_backup.go (Config). What older versions left out gets the
value that Longhorn itself falls back to. Every parser raises BackupStoreError and nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from drills.backupstore.block_list import BlockAt, Blocks
from drills.backupstore.errors import BackupStoreError, Fault, shown
from drills.backupstore.fields import Fields, loads, loads_with_blocks

__all__ = [
    "BackupRecord",
    "BlockAt",
    "Blocks",
    "Compression",
    "LockRecord",
    "LockType",
    "SystemBackupRecord",
    "VolumeRecord",
    "check_rebuildable",
    "parse_backup",
    "parse_lock",
    "parse_system_backup",
    "parse_volume",
]

MIB = 1 << 20
MOST_RECORD_BYTES = 512 * MIB
"""The largest record that is read. A block takes 107 bytes of one, so this is 5 million blocks: a
volume of 64 TiB full of data in blocks of 16 MiB, or one with 9 TiB of data in blocks of 2 MiB."""
MOST_SMALL_RECORD_BYTES = 4 * MIB
"""For records without a list of blocks; the largest part of one is a copy of a claim's status, and
Kubernetes keeps objects below 1.5 MiB."""
MOST_VOLUME_BYTES = 1 << 50
"""1 PiB; the replica of a volume is one file, and ext4's largest is 16 TiB."""
DEFAULT_BLOCK_BYTES = 2 * MIB
MOST_BLOCK_BYTES = 64 * MIB
"""Longhorn's webhook takes 2 and 16 MiB; room for versions to come, small enough for memory."""
LOCK_LIFE = timedelta(seconds=150)
"""A lock not written again for longer is no longer obeyed (lock.go LOCK_DURATION)."""

_BLOCK_SIZE_PARAMETER = "backup-block-size"  # go-common-libs backup
# A Kubernetes quantity, as far as it names whole blocks; "" and "0" stand for the default.
_QUANTITY = re.compile(r"(?P<number>[0-9]{0,10})(?P<unit>|Ki|Mi)")
_UNITS = {"": 1, "Ki": 1 << 10, "Mi": MIB}
_DATA_ENGINES = frozenset({"", "v1", "v2"})


class Compression(StrEnum):
    """How blocks are stored (util/util.go CompressData)."""

    NONE = "none"
    LZ4 = "lz4"
    GZIP = "gzip"


_LEGACY = Compression.GZIP  # types.go LEGACY_COMPRESSION_METHOD: records of before 1.5 name none


@dataclass(frozen=True)
class VolumeRecord:
    """A volume's record. size: bytes, as of its last backup. Times are aware, UTC; None: not said.

    compression: as the record says it; each backup's own counts. data_engine: "v1" or "v2", "" for
    a record of before Longhorn had two.
    """

    name: str
    size: int
    created: datetime | None
    last_backup_name: str
    last_backup_at: datetime | None
    block_count: int
    compression: Compression
    backing_image: str
    storage_class: str
    data_engine: str
    labels: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class BackupRecord:
    """A finished backup's record. Times are aware, UTC.

    snapshot_created: as old as the data is; `created` in its place where the record says none, as
    some of v2 volumes and of restored ones do (longhorn/longhorn issues 8964, 13942).
    block_size: bytes of volume a block covers. stored_size: bytes of volume that all blocks cover
    (the record's Size). uploaded_size: compressed bytes that this backup added to the store.
    """

    name: str
    volume: str
    snapshot: str
    snapshot_created: datetime
    created: datetime
    incremental: bool
    compression: Compression
    block_size: int
    stored_size: int
    uploaded_size: int
    labels: Mapping[str, str] = field(repr=False)
    blocks: Blocks = field(repr=False)


class LockType(IntEnum):
    """Who holds a lock (lock.go): many of one type at once, never both types."""

    UNTYPED = 0
    BACKUP_OR_RESTORE = 1
    DELETION = 2


@dataclass(frozen=True)
class LockRecord:
    """A lock of a volume. modified: when it was last written, by the store's clock."""

    name: str
    type: LockType
    acquired: bool
    modified: datetime

    def expired(self, now: datetime) -> bool:
        """Whether Longhorn no longer obeys it; such locks stay behind for ever."""
        return now - self.modified > LOCK_LIFE


@dataclass(frozen=True)
class SystemBackupRecord:
    """A bundle of Longhorn's own objects. sha256: of its archive, as the record says."""

    name: str
    version: str
    created: datetime
    sha256: str


def parse_volume(key: str, content: bytes) -> VolumeRecord:
    """The record under this key. Raises BackupStoreError."""
    fields = Fields(key, loads(key, content, MOST_SMALL_RECORD_BYTES))
    size = fields.number("Size", most=MOST_VOLUME_BYTES)
    if size == 0:
        raise fields.fault("it says a size of 0, which Longhorn restores nothing from")
    return VolumeRecord(
        name=fields.name("Name"),
        size=size,
        created=fields.time("CreatedTime"),
        last_backup_name=fields.name("LastBackupName", empty=True),
        last_backup_at=fields.time("LastBackupAt"),
        block_count=fields.number("BlockCount", default=0),
        compression=_compression(fields, fields.quoted("CompressionMethod")),
        backing_image=fields.quoted("BackingImageName"),
        storage_class=fields.quoted("StorageClassName"),
        data_engine=_data_engine(fields),
        labels=fields.texts("Labels"),
    )


def parse_backup(key: str, content: bytes, volume: VolumeRecord) -> BackupRecord:
    """The record under this key, held against its volume's. Raises BackupStoreError.

    UNFINISHED: a backup is being made, or broke off. UNSUPPORTED: of a kind that is not read.
    """
    document, blocks = loads_with_blocks(key, content, MOST_RECORD_BYTES)
    fields = Fields(key, document)
    name = fields.name("Name")
    _check_volume(fields, volume)
    created = fields.time("CreatedTime")
    if created is None:
        raise BackupStoreError(
            Fault.UNFINISHED, key, "the backup is still being made, or was broken off; wait for it"
        )
    _check_no_single_file(fields)
    block_size = _block_size(fields)
    _check_blocks(fields, blocks, block_size, volume)
    return BackupRecord(
        name=name,
        volume=volume.name,
        snapshot=fields.text("SnapshotName"),
        snapshot_created=fields.time("SnapshotCreatedAt") or created,
        created=created,
        incremental=fields.flag("IsIncremental"),
        compression=_compression(fields, fields.text("CompressionMethod", default="")),
        block_size=block_size,
        stored_size=fields.number("Size"),
        uploaded_size=fields.number("NewlyUploadedDataSize", default=0),
        labels=fields.texts("Labels"),
        blocks=blocks,
    )


def parse_lock(key: str, content: bytes, modified: datetime) -> LockRecord:
    """The lock under this key. Raises BackupStoreError."""
    fields = Fields(key, loads(key, content, MOST_SMALL_RECORD_BYTES))
    number = fields.plain_number("Type")
    try:
        kind = LockType(number)
    except ValueError:
        raise fields.fault(f"its Type {number} is none of Longhorn's") from None
    return LockRecord(fields.name("Name"), kind, fields.flag("Acquired"), modified)


def parse_system_backup(key: str, content: bytes) -> SystemBackupRecord:
    """The system backup under this key. Raises BackupStoreError."""
    fields = Fields(key, loads(key, content, MOST_SMALL_RECORD_BYTES))
    sha256 = fields.checksum("Checksum")
    created = fields.time_given("CreatedAt")
    return SystemBackupRecord(fields.name("Name"), fields.name("LonghornVersion"), created, sha256)


def check_rebuildable(volume: VolumeRecord) -> None:
    """Raises BackupStoreError, UNSUPPORTED, if blocks alone do not make up the volume.

    With a backing image, offsets that no block covers are the image's and not zeros.
    """
    if volume.backing_image:
        raise BackupStoreError(
            Fault.UNSUPPORTED,
            volume.name,
            f"the volume lies upon the backing image {shown(volume.backing_image)}, without which "
            "it cannot be rebuilt; restore it through Longhorn",
        )


def _check_volume(fields: Fields, volume: VolumeRecord) -> None:
    told = fields.text("VolumeName")
    if told != volume.name:
        raise fields.fault(f"it is of volume {shown(told)!r} and lies at {volume.name!r}")


def _check_no_single_file(fields: Fields) -> None:
    """Longhorn's forerunner could back up one file; it lies whole beside the blocks."""
    if fields.fields("SingleFile").text("FilePath", default=""):
        raise fields.fault("it is the backup of a single file", Fault.UNSUPPORTED)


def _check_blocks(fields: Fields, blocks: Blocks, block_size: int, volume: VolumeRecord) -> None:
    """What sortBackupBlocks and mergeSnapshotMap (deltablock.go) see to when they write."""
    if volume.size % block_size:
        raise fields.fault(
            f"its blocks of {block_size} bytes do not divide the volume's {volume.size}"
        )
    previous = -block_size
    for offset in blocks.offsets():
        if offset % block_size:
            raise fields.fault(f"its block at {offset} lies between two places of blocks")
        if offset <= previous:
            raise fields.fault(f"its block at {offset} is listed twice or out of order")
        previous = offset
    if previous + block_size > volume.size:
        raise fields.fault(f"its block at {previous} lies outside the volume of {volume.size}")
    told = fields.number("Size")
    if told != len(blocks) * block_size:
        raise fields.fault(
            f"its Size is {told}, its {len(blocks)} blocks of {block_size} bytes make another"
        )


def _block_size(fields: Fields) -> int:
    """Bytes; 2 MiB where the record names none, as every record of before 1.10."""
    told = fields.texts("Parameters").get(_BLOCK_SIZE_PARAMETER, "")
    match = _QUANTITY.fullmatch(told)
    if match is None:
        raise fields.fault(f"its {_BLOCK_SIZE_PARAMETER} {shown(told)!r} is no size")
    size = int(match["number"] or 0) * _UNITS[match["unit"]] or DEFAULT_BLOCK_BYTES
    if size % DEFAULT_BLOCK_BYTES or size > MOST_BLOCK_BYTES:
        raise fields.fault(
            f"its {_BLOCK_SIZE_PARAMETER} {told} is no multiple of 2 MiB up to 64 MiB",
            Fault.UNSUPPORTED,
        )
    return size


def _compression(fields: Fields, told: str) -> Compression:
    try:
        return Compression(told) if told else _LEGACY
    except ValueError:
        raise fields.fault(
            f"its CompressionMethod {shown(told)!r} is none of {', '.join(Compression)}",
            Fault.UNSUPPORTED,
        ) from None


def _data_engine(fields: Fields) -> str:
    told = fields.quoted("DataEngine")
    if told not in _DATA_ENGINES:
        raise fields.fault(
            f"its DataEngine {shown(told)!r} is neither v1 nor v2", Fault.UNSUPPORTED
        )
    return told
