"""A backup under another name: which of its files change, and how.

Velero finds a backup by the name in its keys, creates it by the name in `velero-backup.json`, and
finds its copies of volumes by a label (pkg/controller/backup_sync_controller.go). The copy bears
the marks of a drill's run and no trace of a schedule: by a schedule's label a person in need would
be given the newest backup of that schedule, and that must never be a damaged one.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drills.damaged.copy import VELERO_BACKUP

_BACKUP_NAME_LABEL = "velero.io/backup-name"
_SCHEDULE_LABEL = "velero.io/schedule-name"
_COPIES = "-podvolumebackups.json.gz"
_OPERATIONS = "-itemoperations.json.gz"
_NAME_LENGTH = 63
# What the server of another life of these objects gave them.
_SERVED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
           "selfLink", "generateName")  # fmt: skip


class RenamingError(Exception):
    """A file of the backup is not as Velero writes it; the text is one sentence."""


@dataclass(frozen=True)
class Renaming:
    """`labels`: the marks that every object of the copy gets."""

    old: str
    new: str
    labels: Mapping[str, str]

    def key(self, key: str) -> str:
        """The key in the copy of a key "backups/<old>/..."; raises ValueError for another one."""
        folder, file = f"backups/{self.old}/", key.removeprefix(f"backups/{self.old}/")
        if not key.startswith(folder) or not file:
            raise ValueError(f"{key!r} is no file of backup {self.old}")
        # Every file but the one is named after the backup.
        renamed = f"{self.new}{file[len(self.old) :]}" if file.startswith(self.old) else file
        return f"backups/{self.new}/{VELERO_BACKUP if file == VELERO_BACKUP else renamed}"

    def rewrite(self, key: str) -> Callable[[bytes], bytes] | None:
        """What turns this file's content into the copy's, None where it stays as it is.

        The function raises RenamingError.
        """
        if key.endswith(f"/{VELERO_BACKUP}"):
            return self.backup
        if key.endswith(f"/{self.old}{_COPIES}"):
            return self.copies
        if key.endswith(f"/{self.old}{_OPERATIONS}"):
            return self.operations
        return None

    def backup(self, content: bytes) -> bytes:
        """`velero-backup.json`: name and marks; owner, schedule and the other life are left out."""
        found = _document(content, VELERO_BACKUP)
        held = found if isinstance(found, dict) else {}
        metadata = held.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("name") != self.old:
            raise RenamingError(
                f"{VELERO_BACKUP} of backup {self.old} does not bear its name; look at the store"
            )
        return json.dumps({**held, "metadata": self._metadata(metadata, self.new)}).encode()

    def copies(self, packed: bytes) -> bytes:
        """The PodVolumeBackups. Their names are the cluster's, so they get names of their own."""
        return _repacked(packed, f"{self.old}{_COPIES}", self._copy)

    def operations(self, packed: bytes) -> bytes:
        """The asynchronous operations of the backup's items, which name it."""
        return _repacked(packed, f"{self.old}{_OPERATIONS}", self._operation)

    def _copy(self, found: dict[str, Any]) -> dict[str, Any]:
        metadata = found.get("metadata") or {}
        digest = hashlib.sha256(str(metadata.get("name")).encode()).hexdigest()[:12]
        made = self._metadata(metadata, f"{self.new[: _NAME_LENGTH - 13]}-{digest}")
        made["labels"][_BACKUP_NAME_LABEL] = self.new
        # Velero puts the uid of the renamed backup in, and so the copies go with it.
        made["ownerReferences"] = [
            {**one, "name": self.new}
            for one in metadata.get("ownerReferences") or []
            if one.get("kind") == "Backup"
        ]
        return {**found, "metadata": made}

    def _operation(self, found: dict[str, Any]) -> dict[str, Any]:
        spec = found.get("spec") or {}
        if spec.get("backupName") != self.old:
            return found
        return {**found, "spec": {**spec, "backupName": self.new}}

    def _metadata(self, held: Mapping[str, Any], called: str) -> dict[str, Any]:
        kept = {
            key: value for key, value in held.items() if key not in (*_SERVED, "ownerReferences")
        }
        own = {
            key: value for key, value in (held.get("labels") or {}).items()
            if key != _SCHEDULE_LABEL
        }  # fmt: skip
        return {**kept, "name": called, "labels": {**own, **self.labels}}


def _document(content: bytes, called: str) -> object:
    try:
        return json.loads(content)
    except ValueError:
        raise RenamingError(f"{called} is no JSON; look at the store's disks") from None


def _repacked(
    packed: bytes, called: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> bytes:
    try:
        plain = gzip.decompress(packed)
    except (OSError, EOFError):
        raise RenamingError(f"{called} is no gzip file; look at the store's disks") from None
    held = _document(plain, called)
    if held is None:  # an empty list, as Go writes it
        return packed
    if not isinstance(held, list) or not all(isinstance(one, dict) for one in held):
        raise RenamingError(f"{called} is no list of objects; is it Velero's?")
    return gzip.compress(json.dumps([change(one) for one in held]).encode(), mtime=0)
