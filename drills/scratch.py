"""A folder of the run's own, for rebuilt images and for what was read of volumes.

It goes with whoever holds it, and at the latest with the next run: a process that was killed takes
nothing away.
"""

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

PREFIX = "backstop-drill-"
LOCK = "lock"
# Between the folder and its lock; nothing takes that long.
UNLOCKED_SECONDS = 3600.0


class Scratch:
    """Makes its folder when it is first asked for a place in it."""

    def __init__(self, above: Path | None = None) -> None:
        """above: the folder to make it in, None for the system's."""
        self.above = above or Path(tempfile.gettempdir())
        self._folder: Path | None = None
        self._end: weakref.finalize[..., Scratch] | None = None

    def image(self, name: str) -> Path:
        """Where an image may be written. Raises OSError."""
        return self._made() / f"{name}.img"

    def tree(self, name: str) -> Path:
        """Where the digest tree of an image may be written. Raises OSError."""
        return self._made() / f"{name}.tree"

    def folder(self) -> Path:
        """The folder itself, for whoever names files in it. Raises OSError."""
        return self._made()

    def free(self) -> int:
        """Bytes that may be written here. Raises OSError."""
        return shutil.disk_usage(self.above).free

    def drop(self, image: Path) -> None:
        """Removes an image, and what an interrupted rebuild left of it. Raises OSError."""
        for one in image.parent.glob(f"{image.name}*"):
            one.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes the folder with all that is in it; made anew if asked for again."""
        if self._end is not None:
            self._end()
        self._folder = self._end = None

    def _made(self) -> Path:
        if self._folder is None:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.above))
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._folder, self._end = folder, weakref.finalize(self, _remove, folder, lock)
        return self._folder


def fresh() -> Scratch:
    """One in the system's folder for temporary files, once what dead runs left there is gone."""
    made = Scratch()
    sweep(made.above)
    return made


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def sweep(above: Path, now: float | None = None) -> int:
    """Removes what dead runs left in `above`; how many folders. now: seconds since the epoch."""
    moment = time.time() if now is None else now
    dead = [one for one in above.glob(f"{PREFIX}*") if _is_dead(one, moment)]
    for folder in dead:
        shutil.rmtree(folder, ignore_errors=True)
    return len(dead)


def _is_dead(folder: Path, now: float) -> bool:
    try:
        looked = folder.lstat()
        # In a folder that others write to, only what this user made.
        if folder.is_symlink() or not folder.is_dir() or looked.st_uid != os.geteuid():
            return False
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return folder.is_dir() and now - folder.lstat().st_mtime > UNLOCKED_SECONDS
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)
