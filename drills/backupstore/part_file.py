"""The file an image grows in, `TARGET.part`, until it is whole and takes its name."""

import fcntl
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.backupstore import journal, sparse
from drills.backupstore.direct import DirectWriter
from drills.backupstore.places import Range

WRITE_BEHIND = 32 << 20
"""After so many bytes the disk begins with them, so that little is left to wait for at the end."""

_KEPT_FREE = 16 << 20
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BLOCK = 512  # st_blocks counts in these, whatever the file system (stat(2))


class TargetError(Exception):
    """A file that an image cannot be restored to; one sentence says why and what to do."""


def part_of(target: Path) -> Path:
    """Where the image grows."""
    return target.with_name(f"{target.name}.part")


def journal_of(target: Path) -> Path:
    """What says which backup is growing there."""
    return target.with_name(f"{target.name}.part.journal")


class PartFile:
    """An image under way. Every method raises TargetError for what the disk says."""

    def __init__(self, target: Path, descriptor: int) -> None:
        self._target = target
        self._descriptor = descriptor
        # Whether it holds nothing that anybody put there.
        self._empty = os.fstat(descriptor).st_size == 0
        self._writer = DirectWriter(descriptor)
        self.resumed = False
        """Whether some of the same backup was there before."""

    def prepare(self, text: bytes, size: int, needed: int, holes: Iterable[Range]) -> None:
        """Makes the file `size` bytes long, and empty unless it can be resumed.

        text: the journal that must stand beside a file to be resumed. holes: what must be zeros in
        one. needed: bytes that the whole image may take on the disk.
        """
        journal_file = journal_of(self._target)
        with _told(self._target):
            found = os.fstat(self._descriptor)
            self.resumed = (
                found.st_size == size
                and journal.stands(journal_file, text)
                and sparse.is_empty(self._descriptor, holes)
            )
            _check_room(self._target, needed - found.st_blocks * _BLOCK)
            if self.resumed:
                return
            if not self._empty and not journal_file.exists():
                raise TargetError(
                    f"{part_of(self._target)} is there and was not left by a restore; remove it, "
                    "or give another target"
                )
            os.ftruncate(self._descriptor, 0)
            self._empty = True
            # What another backup left must be gone from the disk before the journal stands there,
            # and the journal must stand there before anything is written.
            os.fsync(self._descriptor)
            journal.write(journal_file, text)
            _sync_folder(self._target.parent)
            os.ftruncate(self._descriptor, size)

    def read(self, length: int, offset: int) -> bytes:
        with _told(self._target):
            return sparse.read(self._descriptor, length, offset)

    def write(self, content: bytes, offset: int) -> None:
        """Writes all of `content`; its zeros stay holes where nothing was written before.

        It has arrived when `settle` returns.
        """
        self._empty = False
        with _told(self._target):
            place = (offset, offset + len(content))
            hole = not self.resumed or sparse.is_empty(self._descriptor, [place])
            sparse.write(self._writer.write, content, offset, hole=hole)
            if self._writer.kept >= WRITE_BEHIND:
                sparse.write_behind(self._descriptor)
                self._writer.kept = 0

    def settle(self) -> None:
        """Waits until all that was written has arrived: its disk may refuse it late."""
        with _told(self._target):
            self._writer.settle()

    def sha256(self, size: int, stop: threading.Event) -> str:
        """Of the whole file as it lies there. Raises StoppedError too."""
        with _told(self._target):
            return sparse.sha256(self._descriptor, size, stop)

    def finish(self) -> None:
        """Brings the file to disk and gives it its name."""
        self.settle()
        with _told(self._target):
            os.fsync(self._descriptor)
            _check_absent(self._target)
            part_of(self._target).rename(self._target)
            _sync_folder(self._target.parent)
            journal_of(self._target).unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of all but the descriptor, which belongs to who gave it."""
        self._writer.close()

    def forget_if_empty(self) -> None:
        """Removes a file that holds nothing."""
        if self._empty:
            part_of(self._target).unlink(missing_ok=True)
            journal_of(self._target).unlink(missing_ok=True)


@contextmanager
def opened(target: Path) -> Iterator[PartFile]:
    """The part file of `target`, held against every other restore to it.

    What was written stays when the block is left by an error. Raises TargetError.
    """
    _check_absent(target)
    part = part_of(target)
    try:
        descriptor = os.open(part, _FLAGS, 0o600)
    except OSError as error:
        raise TargetError(
            f"{part} cannot be made ({error.strerror}); give a file in a folder that exists and "
            "that you may write to"
        ) from error
    try:
        _hold(part, descriptor)
        file = PartFile(target, descriptor)
        try:
            # Another restore may have ended after the first look.
            _check_absent(target)
            yield file
        except BaseException:
            file.forget_if_empty()
            raise
        finally:
            file.close()
    finally:
        os.close(descriptor)


def _hold(part: Path, descriptor: int) -> None:
    """Raises TargetError for what another restore holds, or has just renamed."""
    opened_file = os.fstat(descriptor)
    if not stat.S_ISREG(opened_file.st_mode):
        raise TargetError(f"{part} is no regular file; remove it, or give another target")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(opened_file, part.lstat()):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise TargetError(
        f"another restore is writing {part}; wait for its end, or give another target"
    )


def _check_absent(target: Path) -> None:
    if os.path.lexists(target):
        raise TargetError(f"{target} exists and is not overwritten; remove it, or give another one")


def _check_room(target: Path, needed: int) -> None:
    room = os.statvfs(target.parent)
    free = room.f_bavail * room.f_frsize
    if needed + _KEPT_FREE > free:
        raise TargetError(
            f"{target.parent} has {free >> 20} MiB free, and the image may take {needed >> 20} MiB "
            "more; make room, or restore to another disk"
        )


@contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TargetError(
            f"{part_of(target)} cannot be used ({error.strerror or error}); look at the disk "
            "and make room, then run the same restore again: it goes on from there"
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
