"""Blocks read from the store, decoded and checked, whatever it takes and wherever it is done."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from drills.backupstore import memory
from drills.backupstore.blocks import limit
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import block_key, checksum_of
from drills.backupstore.objects import Objects
from drills.backupstore.one_block import Block, Wanted, decoded
from drills.backupstore.parallel import StoppedError
from drills.backupstore.readers import shares
from drills.backupstore.readers.processes import Processes, processes_for
from s3.errors import Cause, StoreError

T = TypeVar("T")

WORKERS = shares.usual_workers(shares.cores())
"""Blocks under way at once."""
WAITS: Sequence[float] = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between attempts at a store that does not answer: a server restarts in less."""

_PASSING = frozenset({Cause.UNREACHABLE, Cause.OTHER})
# A block on a share may be read while a full backup writes it anew.
_READ_TWICE = frozenset({Fault.BLOCK_UNDECODABLE, Fault.BLOCK_DIFFERS})


@dataclass(frozen=True)
class BlockReader:
    """Reads blocks of one volume; safe in threads. `stop` ends waiting for a silent store.

    processes: those that read beside this one, if any; whoever gives them closes them. The first
    reader sets how this process keeps memory; see memory.py.
    """

    objects: Objects
    volume: str
    stop: threading.Event
    waits: Sequence[float] = WAITS
    processes: Processes | None = None

    def __post_init__(self) -> None:
        memory.keep()

    def read(self, wanted: Wanted) -> Block:
        """Raises BackupStoreError about the block, StoreError about the store, StoppedError."""
        if self.processes is None:
            return self._here(wanted)
        return self.processes.read(wanted, self._here, content=True)

    def check(self, wanted: Wanted) -> int:
        """The bytes that a sound block takes in the store. Raises as `read` does."""
        if self.processes is None:
            return self._here(wanted).stored
        return self.processes.read(wanted, self._here, content=False).stored

    def read_cost(self, wanted: Wanted) -> int:
        """Bytes of memory, in all processes, until what `read` returned is let go."""
        return self._cost(wanted, content=True)

    def check_cost(self, wanted: Wanted) -> int:
        """Bytes of memory, in all processes, during `check`."""
        return self._cost(wanted, content=False)

    def _cost(self, wanted: Wanted, *, content: bool) -> int:
        if self.processes is None:
            return wanted.cost
        return self.processes.cost(wanted, content=content)

    def _here(self, wanted: Wanted) -> Block:
        try:
            return self._read(wanted)
        except BackupStoreError as error:
            if error.fault not in _READ_TWICE:
                raise
        return self._read(wanted)

    def _read(self, wanted: Wanted) -> Block:
        key = block_key(self.volume, wanted.checksum)
        stored = self._patiently(lambda: self.objects.get(key, limit(wanted.block_size)))
        return decoded(key, stored, wanted)

    def _patiently(self, get: Callable[[], T]) -> T:
        for wait in self.waits:
            try:
                return get()
            except StoreError as error:
                if error.cause not in _PASSING:
                    raise
            if self.stop.wait(wait):
                raise StoppedError("stopped while the store did not answer")
        return get()


@contextmanager
def reading(
    objects: Objects, volume: str, workers: int, stop: threading.Event, waits: Sequence[float]
) -> Iterator[BlockReader]:
    """A reader for this many threads, with further processes where they help. They end with it."""
    processes = processes_for(objects, volume, workers, stop)
    try:
        yield BlockReader(objects, volume, stop, waits, processes)
    finally:
        if processes is not None:
            processes.close()


@cache
def checksum_of_zeros(block_size: int) -> str:
    """The checksum of a block of zeros: what lies in one that is listed so needs no reading."""
    return checksum_of(bytes(block_size))
