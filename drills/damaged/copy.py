"""What a fault may do to a copy, and where the parts of a copied restore point lie in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

VELERO_BACKUP = "velero-backup.json"
REPOSITORY_BLOB = "kopia.repository"
"""kopia's description of a repository (kopia repo/format/format_blob.go)."""
UDM_BLOB = "udmrepo.Repository"
"""Velero's own mark of a repository that it made (pkg/repository/udmrepo/kopialib/repo_init.go)."""


class NothingToPlantError(Exception):
    """The copy has nothing that this fault could be planted in; the text is one sentence."""


class Objects(Protocol):
    """The objects of a copy and of nothing else. Keys are paths in the location: "backups/...".

    Each method raises StoreError.
    """

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix`, sorted."""

    def get(self, key: str) -> bytes: ...

    def put(self, key: str, content: bytes) -> None: ...

    def delete(self, key: str) -> None: ...


@dataclass(frozen=True)
class Copy:
    """One copied backup. `namespaces`: those whose repositories were copied with it.

    `objects_of`: those whose objects a fault may be planted in, none for the same ones.
    """

    objects: Objects
    backup: str
    namespaces: Sequence[str]
    objects_of: Sequence[str] = ()

    def file(self, suffix: str) -> str:
        """The key of one of the backup's files: ".tar.gz", "-volumeinfo.json.gz"."""
        return f"backups/{self.backup}/{self.backup}{suffix}"

    def repositories(self) -> list[str]:
        """The folders of the repositories, each with its slash."""
        return [repository(each) for each in self.namespaces]


def repository(namespace: str) -> str:
    """The folder of a namespace's kopia repository in a location."""
    return f"kopia/{namespace}/"
