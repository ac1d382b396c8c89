"""What a backup store holds: volumes, their backups and blocks, locks, and what is none of these.

Listing never fails over a stray object: it is told as foreign.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from drills.backupstore import layout
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.objects import Objects
from drills.backupstore.records import (
    MOST_RECORD_BYTES,
    MOST_SMALL_RECORD_BYTES,
    BackupRecord,
    LockRecord,
    SystemBackupRecord,
    VolumeRecord,
    parse_backup,
    parse_lock,
    parse_system_backup,
    parse_volume,
)


@dataclass(frozen=True)
class Foreign:
    """Something in the store that Longhorn does not put there. object: its key or folder."""

    object: str
    why: str


class StoredBlock(NamedTuple):
    """A block that lies in the store. size: bytes there. modified: by the store's clock."""

    checksum: str
    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Survey:
    """The folders among the volumes, each ascending by name.

    volumes: those with a record. ghosts: those without one; a store with versions shows folders
    of which only delete markers are left, and a volume that lost its record looks the same.
    """

    volumes: tuple[str, ...]
    ghosts: tuple[str, ...]
    foreign: tuple[Foreign, ...]


@dataclass(frozen=True)
class SystemBackups:
    """System backups, ascending by version and name, and folders in which something is wrong."""

    found: tuple[SystemBackupRecord, ...]
    faults: tuple[BackupStoreError, ...]


class BackupStore:
    """A backup store, read through `objects`.

    Every method raises `s3.errors.StoreError` for the store's own faults, and BackupStoreError for
    an object asked for by name that is missing or malformed. Safe in threads.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    def survey(self) -> Survey:
        """All folders among the volumes; one request each, and one for each volume's record."""
        volumes, ghosts, foreign = [], [], []
        for folder, name in self._volume_folders():
            if name == layout.LOCKS_OF_BACKING_IMAGES:
                continue
            if not layout.is_name(name):
                foreign.append(Foreign(folder, "no name of a volume"))
            elif layout.volume_folder(name) != folder:
                foreign.append(Foreign(folder, "not where a volume of this name lies"))
            elif self.objects.head(layout.volume_key(name)) is None:
                ghosts.append(name)
            else:
                volumes.append(name)
        return Survey(tuple(sorted(volumes)), tuple(sorted(ghosts)), tuple(foreign))

    def volumes(self) -> list[str]:
        """The names of the volumes that have a record, ascending."""
        return list(self.survey().volumes)

    def volume(self, name: str) -> VolumeRecord:
        """A volume's record. Raises BackupStoreError."""
        key = layout.volume_key(_name(name))
        record = parse_volume(key, self.objects.get(key, MOST_SMALL_RECORD_BYTES))
        if record.name != name:
            raise BackupStoreError(
                Fault.RECORD, key, f"the record is that of another volume, {record.name!r}"
            )
        return record

    def backups(self, volume: str, foreign: list[Foreign] | None = None) -> list[str]:
        """The names of a volume's backups, ascending, unfinished ones too."""
        names = []
        folder = layout.backups_folder(_name(volume))
        for found in self.objects.list(folder):
            name = layout.backup_of_file(found.key.removeprefix(folder))
            if name:
                names.append(name)
            elif foreign is not None:
                foreign.append(Foreign(found.key, "no record of a backup"))
        return sorted(names)

    def backup(self, volume: VolumeRecord, name: str) -> BackupRecord:
        """A backup's record. Raises BackupStoreError."""
        key = layout.backup_key(_name(volume.name), _name(name))
        record = parse_backup(key, self.objects.get(key, MOST_RECORD_BYTES), volume)
        if record.name != name:
            raise BackupStoreError(
                Fault.RECORD, key, f"the record is that of another backup, {record.name!r}"
            )
        return record

    def blocks(self, volume: str, foreign: list[Foreign] | None = None) -> Iterator[StoredBlock]:
        """The blocks that lie in the store for a volume, ascending, whether listed or orphans."""
        folder = layout.blocks_folder(_name(volume))
        for found in self.objects.list(folder):
            checksum = found.key.rpartition("/")[2].removesuffix(layout.BLOCK_SUFFIX)
            if layout.is_checksum(checksum) and layout.block_key(volume, checksum) == found.key:
                yield StoredBlock(checksum, found.key, found.size, found.modified)
            elif foreign is not None:
                foreign.append(Foreign(found.key, "no block"))

    def locks(self, volume: str, foreign: list[Foreign] | None = None) -> list[LockRecord]:
        """A volume's locks, ascending by name. One that cannot be read is foreign, and Longhorn
        does not obey it either."""
        locks = []
        folder = layout.locks_folder(_name(volume))
        for found in self.objects.list(folder):
            try:
                if not layout.lock_of_file(found.key.removeprefix(folder)):
                    raise BackupStoreError(Fault.NAME, found.key, "no name of a lock")
                content = self.objects.get(found.key, MOST_SMALL_RECORD_BYTES)
                locks.append(parse_lock(found.key, content, found.modified))
            except BackupStoreError as error:
                # One that is gone by now was let go, which is what happens to locks.
                if foreign is not None and error.fault is not Fault.RECORD_MISSING:
                    foreign.append(Foreign(found.key, error.detail))
        return locks

    def system_backups(self) -> SystemBackups:
        """The bundles of Longhorn's own objects; archives are not read."""
        found: list[SystemBackupRecord] = []
        faults: list[BackupStoreError] = []
        for version in self.objects.folders(layout.SYSTEM_BACKUPS):
            for name in self.objects.folders(f"{layout.SYSTEM_BACKUPS}{version}/"):
                try:
                    found.append(self._system_backup(version, name))
                except BackupStoreError as error:
                    faults.append(error)
        return SystemBackups(tuple(found), tuple(faults))

    def backing_images(self) -> list[str]:
        """The names of the backing images in the store, ascending; their blocks are not read."""
        return [
            name
            for name in self.objects.folders(layout.BACKING_IMAGES)
            if layout.is_name(name) and self.objects.head(layout.backing_image_key(name))
        ]

    def _volume_folders(self) -> Iterator[tuple[str, str]]:
        for first in self.objects.folders(layout.VOLUMES):
            for second in self.objects.folders(f"{layout.VOLUMES}{first}/"):
                above = f"{layout.VOLUMES}{first}/{second}/"
                for name in self.objects.folders(above):
                    yield f"{above}{name}/", name

    def _system_backup(self, version: str, name: str) -> SystemBackupRecord:
        folder = layout.system_backup_folder(version, name)
        key = folder + layout.SYSTEM_BACKUP_RECORD
        record = parse_system_backup(key, self.objects.get(key, MOST_SMALL_RECORD_BYTES))
        if (record.version, record.name) != (version, name):
            raise BackupStoreError(Fault.RECORD, key, "the record is that of another system backup")
        archive = folder + layout.SYSTEM_BACKUP_ARCHIVE
        if self.objects.head(archive) is None:
            raise BackupStoreError(Fault.RECORD_MISSING, archive, "the archive is not there")
        return record


def _name(name: str) -> str:
    if not layout.is_name(name):
        raise BackupStoreError(Fault.NAME, name, "this is no name that Longhorn gives")
    return name
