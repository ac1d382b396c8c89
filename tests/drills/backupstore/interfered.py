"""A backup store that something happens to while it is read."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drills.backupstore.catalog import BackupStore
from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.layout import BLOCK_SUFFIX
from drills.backupstore.objects import Found, Objects
from s3.errors import Cause, StoreError

Act = Callable[[int, str], None]
"""Called before a block is read, with how many were before it (from 0) and its key."""


def nothing(_number: int, _key: str) -> None:
    """Lets everything pass."""


def away(cause: Cause = Cause.UNREACHABLE) -> StoreError:
    return StoreError(cause, "the store at https://store:9000 cannot be reached; check it")


@dataclass
class Interfered:
    """Objects of a folder; `read` has the keys of blocks that were asked for, in order."""

    inner: Objects
    act: Act = nothing
    read: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def list(self, folder: str) -> Iterator[Found]:
        return self.inner.list(folder)

    def folders(self, folder: str) -> Iterator[str]:
        return self.inner.folders(folder)

    def head(self, key: str) -> Found | None:
        return self.inner.head(key)

    def get(self, key: str, limit: int) -> bytes:
        if key.endswith(BLOCK_SUFFIX):
            with self._lock:
                number = len(self.read)
                self.read.append(key)
            self.act(number, key)
        return self.inner.get(key, limit)


def interfered(root: Path, act: Act = nothing) -> tuple[BackupStore, Interfered]:
    """The store in a folder, and what watches over it."""
    objects = Interfered(FolderObjects(root), act)
    return BackupStore(objects), objects


def at(step: int, do: Callable[[], object]) -> Act:
    """Does something before the block with this number is read, and lets the others pass."""

    def act(number: int, _key: str) -> None:
        if number == step:
            do()

    return act


def raising(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do
