"""Longhorn's locks on a volume in the backup store: backups and restores share, deletions do not.

Source: longhorn/backupstore lock.go. A lock is an object. It is written, and if after two seconds
none of the other type has come first it is taken; it is written again every minute, and one that
was not for two and a half is no longer obeyed. Its age is the store's time against ours.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from standins.longhorn import records
from standins.longhorn.store import Store
from standins.longhorn.store_errors import StoreError

LIFE = timedelta(seconds=150)
REFRESH_SECONDS = 60.0
CHECK_SECONDS = 2.0

log = logging.getLogger("longhorn-stand-in")


class LockType(IntEnum):
    BACKUP = 1
    DELETION = 2


class LockedError(Exception):
    """Somebody holds a lock of the other type."""


@dataclass(frozen=True)
class Lock:
    """A lock as the store has it. `written`: by the store's clock."""

    name: str
    type: LockType
    acquired: bool
    written: datetime

    def before(self, other: "Lock") -> bool:
        return (not self.acquired, self.written, self.name) < (
            not other.acquired,
            other.written,
            other.name,
        )

    def expired(self, now: datetime) -> bool:
        return now - self.written > LIFE


def may_be_taken(own: Lock, others: list[Lock], now: datetime) -> bool:
    """Whether no lock of the other type that is still obeyed comes first."""
    return not any(
        other.type != own.type and other.before(own) and not other.expired(now) for other in others
    )


@contextmanager
def held(
    store: Store, volume: str, kind: LockType, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Holds a lock on the volume. Raises LockedError, StoreError."""
    name = f"lock-{uuid.uuid4().hex[:16]}"
    key = records.lock_key(volume, name)
    own = _written(store, key, name, kind, acquired=False)
    ended = threading.Event()
    try:
        sleep(CHECK_SECONDS)
        if not may_be_taken(own, _read(store, volume), store.clock()):
            operation = "create/restore" if kind is LockType.BACKUP else "delete"
            raise LockedError(
                f"failed to acquire lock {key} when performing backup {operation}, "
                "please try again later"
            )
        _written(store, key, name, kind, acquired=True)
        threading.Thread(target=_refresh, args=(store, key, name, kind, ended), daemon=True).start()
        yield
    finally:
        ended.set()
        _removed(store, key)


def _written(store: Store, key: str, name: str, kind: LockType, *, acquired: bool) -> Lock:
    raw = {"Name": name, "Type": int(kind), "Acquired": acquired}
    store.put(key, records.go_json(raw).encode())
    return Lock(name, kind, acquired, store.modified(key))


def _read(store: Store, volume: str) -> list[Lock]:
    folder = records.locks_folder(volume)
    found = []
    for file in store.files(folder):
        try:
            raw = json.loads(store.get(folder + file))
            written = store.modified(folder + file)
            found.append(Lock(raw["Name"], LockType(raw["Type"]), raw["Acquired"], written))
        except (StoreError, ValueError, KeyError, TypeError) as error:
            log.warning("lock %s%s is passed over: %s", folder, file, error)
    return found


def _refresh(store: Store, key: str, name: str, kind: LockType, ended: threading.Event) -> None:
    while not ended.wait(REFRESH_SECONDS):
        try:
            _written(store, key, name, kind, acquired=True)
        except StoreError as error:
            log.warning("lock %s could not be written again: %s", key, error)


def _removed(store: Store, key: str) -> None:
    try:
        store.delete(key)
    except StoreError as error:
        # It stays until somebody removes it, and is obeyed for as long as any other.
        log.warning("lock %s could not be removed: %s", key, error)
