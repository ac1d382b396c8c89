"""One writer at a time for each bucket.

The server keeps a bucket's versioning, lifecycle, policy and quota in one file that it reads,
changes and writes without a lock: of two changes at once it can lose one and report both as done.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from standins.pulumi.minio.values import Value


class KeyedLocks:
    """Locks by name, made when first asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def of(self, key: Value) -> Iterator[None]:
        """Holds the lock of `key`; anything but a name (no bucket, one without a name) is free."""
        if not isinstance(key, str):
            yield
            return
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield
