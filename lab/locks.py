"""Locks between runs of the lab on one machine (flock: the kernel frees them when a run dies)."""

import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

POLL_SECONDS = 0.2


@contextmanager
def held(
    path: Path, busy: str, *, remove: bool = False, stop: threading.Event | None = None
) -> Iterator[int]:
    """Holds the lock file `path`; says `busy` on stderr and waits when another run has it.

    Yields the descriptor: a child that inherits it keeps the lock when this process is killed.
    With `remove` the file goes away at the end; whoever waited for it then makes a new one.
    Raises LabError when `stop` is set while it waits.
    """
    descriptor = _locked(path, busy, stop or threading.Event())
    try:
        yield descriptor
    finally:
        if remove:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, busy: str, stop: threading.Event) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    said = False
    while not stop.is_set():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if not said:
                print(f"{busy}; waiting for it to end", file=sys.stderr, flush=True)
                said = True
            # Not one blocking call: a waiting thread must notice a stop.
            time.sleep(POLL_SECONDS)
            continue
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)
    raise LabError(f"stopped while waiting: {busy}")


def _is_still(path: Path, descriptor: int) -> bool:
    """False when the file was removed by its last holder while we waited."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def shared(path: Path) -> Iterator[int]:
    """Holds `path` together with other users; `only_user` waits for none of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def only_user(path: Path) -> Iterator[bool]:
    """True when nobody else holds `path`; never waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
