"""`ls`: the volumes of a target, and the backups of a volume."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drills.backupstore.by_hand.words import moment, sized, stamp, table
from drills.backupstore.catalog import BackupStore, Survey, SystemBackups
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.longhorn.lines import first_of
from drills.longhorn.origin import claim_of

_VOLUMES = ("VOLUME", "CLAIM", "SIZE", "BACKUPS", "NEWEST DATA", "COMPRESSION")
_BACKUPS = ("BACKUP", "DATA OF", "DATA", "ADDED", "KIND", "COMPRESSION")
_NUMBERS_OF_VOLUMES, _NUMBERS_OF_BACKUPS = (2, 3), (2, 3)
_UNKNOWN = "-"


@dataclass(frozen=True)
class Listing:
    """What is printed: `lines` for people, `document` for machines.

    faulty: whether a record cannot be read. empty: whether nothing was there to list.
    """

    lines: list[str]
    document: dict[str, Any]
    faulty: bool
    empty: bool


@dataclass(frozen=True)
class _Row:
    cells: tuple[str, ...]
    document: Mapping[str, object]
    fault: BackupStoreError | None = None


def volumes(store: BackupStore, target: str) -> Listing:
    """Every volume, and what else lies there. Raises StoreError."""
    survey = store.survey()
    rows = [_volume(store, name) for name in survey.volumes]
    system, images = store.system_backups(), store.backing_images()
    lines = [*_lines(_VOLUMES, rows, _NUMBERS_OF_VOLUMES)]
    if not rows:
        lines = [f"no volume with a backup in {target}; are bucket and prefix the right ones?"]
    lines += _others(survey, system, images)
    document = {
        "volumes": [row.document for row in rows],
        "ghosts": list(survey.ghosts),
        "systemBackups": [f"{one.version}/{one.name}" for one in system.found],
        "backingImages": images,
        "foreign": [one.object for one in survey.foreign],
    }
    faulty = bool(system.faults) or any(row.fault for row in rows)
    return Listing(lines, {"target": target, **document}, faulty, not rows)


def backups(store: BackupStore, volume: VolumeRecord) -> Listing:
    """Every backup of a volume, the newest last; unfinished ones too. Raises StoreError."""
    rows = [_backup(store, volume, name) for name in store.backups(volume.name)]
    rows.sort(key=lambda row: (row.cells[1], row.cells[0]))
    lines = [f"{volume.name}{_of_claim(volume)}, {sized(volume.size)}"]
    lines += _lines(_BACKUPS, rows, _NUMBERS_OF_BACKUPS)
    document = {"volume": volume.name, "backups": [row.document for row in rows]}
    broken = any(row.fault and row.fault.fault is not Fault.UNFINISHED for row in rows)
    return Listing(lines, document, broken, not rows)


def _lines(head: tuple[str, ...], rows: list[_Row], right: tuple[int, ...]) -> Iterable[str]:
    yield from table([head, *(row.cells for row in rows)], right)
    for row in rows:
        if row.fault is not None:
            yield f"{row.cells[0]}: {row.fault.detail}"


def _volume(store: BackupStore, name: str) -> _Row:
    count = len(store.backups(name))
    known: dict[str, object] = {"name": name, "backups": count}
    try:
        record = store.volume(name)
    except BackupStoreError as error:
        cells = (name, _UNKNOWN, _UNKNOWN, str(count), _UNKNOWN, _UNKNOWN)
        return _Row(cells, known | _faults(error), error)
    claim = claim_of(record.labels)
    cells = (
        name,
        "/".join(claim) if claim else _UNKNOWN,
        sized(record.size),
        str(count),
        moment(record.last_backup_at),
        record.compression,
    )
    known |= {
        "claim": "/".join(claim) if claim else None,
        "size": record.size,
        "lastBackup": record.last_backup_name or None,
        "lastBackupAt": stamp(record.last_backup_at),
        "compression": record.compression,
        "dataEngine": record.data_engine or None,
        "backingImage": record.backing_image or None,
    }
    return _Row(cells, known)


def _backup(store: BackupStore, volume: VolumeRecord, name: str) -> _Row:
    try:
        record = store.backup(volume, name)
    except BackupStoreError as error:
        cells = (name, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN)
        return _Row(cells, {"name": name} | _faults(error), error)
    return _Row(_cells(record), _document(record))


def _cells(record: BackupRecord) -> tuple[str, ...]:
    return (
        record.name,
        moment(record.snapshot_created),
        sized(record.stored_size),
        sized(record.uploaded_size),
        "incremental" if record.incremental else "full",
        record.compression,
    )


def _document(record: BackupRecord) -> dict[str, object]:
    return {
        "name": record.name,
        "snapshotCreatedAt": stamp(record.snapshot_created),
        "createdAt": stamp(record.created),
        "incremental": record.incremental,
        "compression": record.compression,
        "blockSize": record.block_size,
        "blocks": len(record.blocks),
        "size": record.stored_size,
        "uploaded": record.uploaded_size,
    }


def _faults(error: BackupStoreError) -> dict[str, object]:
    return {"fault": error.fault, "object": error.object, "detail": error.detail}


def _of_claim(volume: VolumeRecord) -> str:
    claim = claim_of(volume.labels)
    return f" of claim {'/'.join(claim)}" if claim else ""


def _others(survey: Survey, system: SystemBackups, images: list[str]) -> Iterable[str]:
    found = {
        "folders without a volume's record": survey.ghosts,
        "system backups": [f"{one.name} of {one.version}" for one in system.found],
        "system backups that cannot be read": [str(fault) for fault in system.faults],
        "backing images, which are not read": images,
        "not Longhorn's": [f"{one.object} ({one.why})" for one in survey.foreign],
    }
    return (f"{what}: {first_of(names)}" for what, names in found.items() if names)
