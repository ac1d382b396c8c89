"""What Velero keeps beside a backup's archive in the store, read from there with bounds.

The names are those of its pkg/persistence/object_store_layout.go, the forms those of
internal/volume/volumes_information.go and pkg/backup/backed_up_items_map.go (1.18). A completed
backup has each of these files, and Velero restores nothing without the list of volumes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from drills.coverage import volume_info
from drills.coverage.volume_info import Method, VolumeInfoError, VolumeRecord
from drills.objects.canonical import NotJSONError, loads
from drills.objects.gunzip import GunzipError, unpacked
from s3.errors import Cause, StoreError

FILE_BYTES = 64 * 1024 * 1024
"""Of one list, unpacked: some hundred thousand entries."""

_VOLUMES, _COPIES, _RESOURCES = "volumeinfo", "podvolumebackups", "resource-list"
_SHOWN = {
    _VOLUMES: "the list of volumes",
    _COPIES: "the list of file-system copies",
    _RESOURCES: "the list of resources",
}
_NAMESPACE_KIND = "v1/Namespace"


class Store(Protocol):
    """Files of the site's backup location."""

    def pieces(self, path: str) -> Iterator[bytes]:
        """The file at `path` below the location's prefix, whole. Raises StoreError."""


class BackupFileError(Exception):
    """A backup's file is missing or cannot be read; the text is one sentence."""


class MissingFileError(BackupFileError):
    """The store has no such file."""


def volume_records(store: Store, backup: str) -> tuple[VolumeRecord, ...]:
    """What the backup says of each volume.

    Raises:
        BackupFileError: one of its two lists is missing or damaged.
        StoreError: the store is not reached, or refuses.
    """
    try:
        records = volume_info.parse(_list(store, backup, _VOLUMES), backup)
    except VolumeInfoError as error:
        raise BackupFileError(str(error)) from None
    return volume_info.completed_by(records, _copies(store, backup, records))


def _copies(
    store: Store, backup: str, records: tuple[VolumeRecord, ...]
) -> tuple[VolumeRecord, ...]:
    try:
        return volume_info.from_copies(_list(store, backup, _COPIES))
    except MissingFileError:
        # Velero takes its absence for no copies, and would restore those volumes empty.
        if any(one.method is Method.FILE_SYSTEM and one.has_data for one in records):
            raise
        return ()
    except (AttributeError, TypeError, ValueError):
        raise _malformed(backup, _COPIES) from None


def namespaces(store: Store, backup: str) -> frozenset[str]:
    """The namespaces that are in the backup, themselves or with something inside them.

    Raises as `volume_records` does.
    """
    found = _content(store, backup, _RESOURCES)
    if not isinstance(found, Mapping):
        raise _malformed(backup, _RESOURCES)
    held: set[str] = set()
    for kind, entries in found.items():
        if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
            raise _malformed(backup, _RESOURCES)
        if kind == _NAMESPACE_KIND:
            held.update(entries)
        else:
            held.update(one.partition("/")[0] for one in entries if "/" in one)
    return frozenset(held)


def _list(store: Store, backup: str, kind: str) -> list[Any]:
    found = _content(store, backup, kind)
    # Go writes an empty list that was never filled as null.
    if found is None:
        return []
    if not isinstance(found, list):
        raise _malformed(backup, kind)
    return found


def _content(store: Store, backup: str, kind: str) -> object:
    try:
        packed = store.pieces(f"backups/{backup}/{backup}-{kind}.json.gz")
        return loads(b"".join(unpacked(packed, FILE_BYTES)))
    except StoreError as error:
        if error.cause is not Cause.OBJECT_MISSING:
            raise
        raise MissingFileError(
            f"{_SHOWN[kind]} of backup {backup} is not in the store; make a new backup, and look "
            "who deleted it"
        ) from None
    except (GunzipError, NotJSONError) as error:
        raise BackupFileError(
            f"{_SHOWN[kind]} of backup {backup} cannot be read ({error}); make a new backup, and "
            "look at the store's disks"
        ) from None


def _malformed(backup: str, kind: str) -> BackupFileError:
    return BackupFileError(
        f"{_SHOWN[kind]} of backup {backup} is not as Velero writes it; is this Velero newer than "
        "1.18?"
    )
