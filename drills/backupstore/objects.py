"""The edge to where a backup store lies: list, look and read, nothing that writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Found:
    """An object that is there. size: bytes. modified: aware, UTC."""

    key: str
    size: int
    modified: datetime


class Objects(Protocol):
    """A backup store's objects. Keys are relative to the target's prefix; safe in threads.

    A folder is "" or ends with "/". All raise `s3.errors.StoreError` for the store's own faults.
    """

    def list(self, folder: str) -> Iterator[Found]:
        """Every object below the folder, at any depth, ascending by key."""
        ...

    def folders(self, folder: str) -> Iterator[str]:
        """The names of the folders right below, without "/", ascending."""
        ...

    def get(self, key: str, limit: int) -> bytes:
        """An object's whole content, of at most `limit` bytes; more are never read.

        Raises BackupStoreError: KeyMissing, or TOO_LARGE for a larger object.
        """
        ...

    def head(self, key: str) -> Found | None:
        """The object without its content, None if there is none."""
        ...
