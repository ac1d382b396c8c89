"""Which backup a half-written image belongs to."""

import hashlib
import json
import os
from pathlib import Path

from drills.backupstore.records import BackupRecord, VolumeRecord

_SCHEMA = 1


def journal_text(volume: VolumeRecord, backup: BackupRecord) -> bytes:
    """What stands beside a half-written image of this backup, and beside no other.

    It says nothing of what was written so far: a resumed restore looks at every block of it.
    """
    text = json.dumps(
        {
            "schema": _SCHEMA,
            "volume": volume.name,
            "backup": backup.name,
            "size": volume.size,
            "blockSize": backup.block_size,
            "record": _digest(backup),
        },
        sort_keys=True,
    )
    return text.encode() + b"\n"


def _digest(backup: BackupRecord) -> str:
    """Two backups of one name, of which one was deleted, differ in when or from what."""
    digest = hashlib.sha256(f"{backup.created.isoformat()} {backup.snapshot}\n".encode())
    for offset, checksum in backup.blocks:
        digest.update(f"{offset} {checksum}\n".encode())
    return digest.hexdigest()


def stands(path: Path, text: bytes) -> bool:
    """Whether the journal says exactly this; a torn one does not. Raises OSError."""
    try:
        with path.open("rb") as file:
            return file.read(len(text) + 1) == text
    except FileNotFoundError:
        return False


def write(path: Path, text: bytes) -> None:
    """Writes the journal to disk, whole or torn. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
