"""A backup store in a folder: on a mounted share, or a copy of one."""

import errno
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from drills.backupstore.errors import BackupStoreError, Fault, KeyMissing, shown
from drills.backupstore.objects import Found
from s3.errors import Cause, StoreError

# What stands in for an object could be a link that leads away, or a pipe that never answers.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
_Entries = list[tuple[str, "os.DirEntry[str]"]]


class FolderObjects:
    """The files below `root`, which is the target's prefix. Links are no objects."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, folder: str) -> Iterator[Found]:
        for name, entry in self._entries(folder):
            if name.endswith("/"):
                yield from self.list(folder + name)
                continue
            try:
                looked = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._fault(folder + name, error) from error
            if stat.S_ISREG(looked.st_mode):
                yield _found(folder + name, looked)

    def folders(self, folder: str) -> Iterator[str]:
        return (name[:-1] for name, _ in self._entries(folder) if name.endswith("/"))

    def get(self, key: str, limit: int) -> bytes:
        try:
            descriptor = os.open(self._path(key), _OPEN)
            try:
                looked = os.fstat(descriptor)
                if not stat.S_ISREG(looked.st_mode):
                    raise KeyMissing(key)
                if looked.st_size > limit:
                    raise BackupStoreError(Fault.TOO_LARGE, key, f"it has more than {limit} bytes")
                with open(descriptor, "rb", closefd=False) as file:
                    # Longhorn puts a new file in the old one's place, so none grows.
                    return file.read(looked.st_size)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in _NO_FILE:
                raise KeyMissing(key) from None
            raise self._fault(key, error) from error

    def head(self, key: str) -> Found | None:
        try:
            looked = self._path(key).lstat()
        except OSError as error:
            if error.errno in _NO_FILE:
                return None
            raise self._fault(key, error) from error
        return _found(key, looked) if stat.S_ISREG(looked.st_mode) else None

    def _entries(self, folder: str) -> _Entries:
        """Ascending as keys are, in which a folder's name ends with "/"."""
        try:
            with os.scandir(self._path(folder)) as entries:
                return sorted(
                    (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry)
                    for entry in entries
                )
        except OSError as error:
            if error.errno in _NO_FILE:
                return []
            raise self._fault(folder, error) from error

    def _path(self, key: str) -> Path:
        if ".." in key.split("/") or key.startswith("/") or "\0" in key:
            raise BackupStoreError(Fault.NAME, key, "the key leads out of the backup store")
        return self._root / key

    def _fault(self, key: str, error: OSError) -> StoreError:
        cause = Cause.ACCESS_DENIED if isinstance(error, PermissionError) else Cause.OTHER
        return StoreError(
            cause, f"{self._root}/{shown(key)} cannot be read ({error.strerror}); look at the share"
        )


def _found(key: str, looked: os.stat_result) -> Found:
    return Found(key, looked.st_size, datetime.fromtimestamp(looked.st_mtime, UTC))
