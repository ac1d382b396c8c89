"""Where Longhorn puts what: keys below a backup target, and back from keys to names.

Source: longhorn/backupstore config.go (getVolumePath, getBackupConfigPath), util.go
(getBlockFilePath), lock.go (getLockFilePath), systembackup, backupbackingimage/config.go,
util/util.go (GetChecksum, ValidateName).
"""

import hashlib
import re

BASE = "backupstore/"
VOLUMES = BASE + "volumes/"
SYSTEM_BACKUPS = BASE + "system-backups/"
BACKING_IMAGES = BASE + "backing-images/backing-images/"
BACKING_IMAGE_RECORD = "backing-image.cfg"
SYSTEM_BACKUP_RECORD, SYSTEM_BACKUP_ARCHIVE = "system-backup.cfg", "system-backup.zip"
VOLUME_RECORD = "volume.cfg"
BLOCK_SUFFIX = ".blk"
LOCKS_OF_BACKING_IMAGES = "BACKINGIMAGE"
"""A folder among the volumes that only ever holds locks (types/types.go)."""

CHECKSUM_DIGITS = 64
_BACKUP_PREFIX, _RECORD_SUFFIX, _LOCK_SUFFIX = "backup_", ".cfg", ".lck"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_CHECKSUM = re.compile(r"[0-9a-f]{64}")


def is_name(text: str) -> bool:
    """Whether Longhorn takes this as the name of a volume, backup, lock or backing image."""
    return _NAME.fullmatch(text) is not None


def is_checksum(text: str) -> bool:
    """Whether this is the checksum of a block: 64 lower-case hex digits."""
    return _CHECKSUM.fullmatch(text) is not None


def checksum_of(content: bytes | bytearray | memoryview) -> str:
    """Longhorn's checksum: the first 64 hex digits of the SHA-512."""
    return hashlib.sha512(content).hexdigest()[:CHECKSUM_DIGITS]


def volume_folder(volume: str) -> str:
    layers = checksum_of(volume.encode())
    return f"{VOLUMES}{layers[:2]}/{layers[2:4]}/{volume}/"


def volume_key(volume: str) -> str:
    return volume_folder(volume) + VOLUME_RECORD


def backups_folder(volume: str) -> str:
    return volume_folder(volume) + "backups/"


def backup_key(volume: str, backup: str) -> str:
    return f"{backups_folder(volume)}{_BACKUP_PREFIX}{backup}{_RECORD_SUFFIX}"


def blocks_folder(volume: str) -> str:
    return volume_folder(volume) + "blocks/"


def block_key(volume: str, checksum: str) -> str:
    return f"{blocks_folder(volume)}{checksum[:2]}/{checksum[2:4]}/{checksum}{BLOCK_SUFFIX}"


def locks_folder(volume: str) -> str:
    return volume_folder(volume) + "locks/"


def lock_key(volume: str, lock: str) -> str:
    return f"{locks_folder(volume)}{lock}{_LOCK_SUFFIX}"


def system_backup_folder(version: str, name: str) -> str:
    return f"{SYSTEM_BACKUPS}{version}/{name}/"


def backing_image_key(name: str) -> str:
    return f"{BACKING_IMAGES}{name}/{BACKING_IMAGE_RECORD}"


def backup_of_file(file: str) -> str:
    """The backup whose record has this file name, "" if it is no record's."""
    return _between(file, _BACKUP_PREFIX, _RECORD_SUFFIX)


def lock_of_file(file: str) -> str:
    """The lock with this file name, "" if it is no lock's."""
    return _between(file, "", _LOCK_SUFFIX)


def _between(file: str, prefix: str, suffix: str) -> str:
    if len(file) <= len(prefix) + len(suffix) or not file.startswith(prefix):
        return ""
    name = file[len(prefix) :].removesuffix(suffix)
    return name if file.endswith(suffix) and is_name(name) else ""
