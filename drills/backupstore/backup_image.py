"""A backup as an image that is read anywhere, of which only the blocks asked for are fetched."""

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from drills.backupstore.catalog import BackupStore
from drills.backupstore.deleted import if_deleted
from drills.backupstore.errors import BackupStoreError
from drills.backupstore.faults import bare
from drills.backupstore.fetch import WAITS, BlockReader, checksum_of_zeros
from drills.backupstore.one_block import Wanted
from drills.backupstore.records import BackupRecord, VolumeRecord, check_rebuildable

MEMORY_BYTES = 96 << 20
"""What the blocks that are kept may take."""
_AHEAD = 3


class BackupImage:
    """A volume as it was, for whoever reads images (drills.images.source.Source and Sparse).

    Blocks read last are kept; who reads on from one block to the next finds the following ones
    fetched. Safe in threads. Raises BackupStoreError when made (UNSUPPORTED).
    """

    def __init__(
        self,
        store: BackupStore,
        volume: VolumeRecord,
        backup: BackupRecord,
        *,
        memory: int = MEMORY_BYTES,
        stop: threading.Event | None = None,
        waits: Sequence[float] = WAITS,
    ) -> None:
        check_rebuildable(volume)
        self.size = volume.size
        """Bytes."""
        self._store = store
        self._backup = backup
        self._offsets = array("Q", backup.blocks.offsets())
        self._listed = len(self._offsets)
        self._zeros = bytes.fromhex(checksum_of_zeros(backup.block_size))
        self._closed = threading.Event()
        self._reader = BlockReader(store.objects, volume.name, stop or self._closed, waits)
        self._most = max(2, memory // backup.block_size)
        self._ahead = min(_AHEAD, self._most - 1)
        self._kept: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._last = -2
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_AHEAD + 1)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on: `length` of them, fewer only where the image ends before.

        Raises BackupStoreError (RECORD_MISSING for a backup deleted meanwhile), StoreError,
        StoppedError.
        """
        return b"".join(self._parts(offset, min(offset + length, self.size)))

    def next_data(self, offset: int) -> int:
        """Where the next bytes lie that may not be zero, from `offset` on; `size` if nowhere."""
        size = self._backup.block_size
        number = bisect_left(self._offsets, offset - offset % size)
        while number < self._listed and self._backup.blocks.digest(number) == self._zeros:
            number += 1
        return max(offset, self._offsets[number]) if number < self._listed else self.size

    def close(self) -> None:
        """Fetches nothing any more."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._kept.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _parts(self, start: int, end: int) -> Iterator[bytes]:
        size = self._backup.block_size
        while start < end:
            inside = start % size
            part_end = min(end, start - inside + size)
            number = bisect_left(self._offsets, start - inside)
            if self._is_zeros(number, start - inside):
                yield bytes(part_end - start)
            else:
                yield self._block(number)[inside : inside + part_end - start]
            start = part_end

    def _is_zeros(self, number: int, offset: int) -> bool:
        listed = number < self._listed and self._offsets[number] == offset
        return not listed or self._backup.blocks.digest(number) == self._zeros

    def _block(self, number: int) -> bytes:
        with self._lock:
            found = self._fetched(number)
            if number == self._last + 1:
                for following in range(number + 1, min(number + self._ahead + 1, self._listed)):
                    self._fetched(following)
            self._last = number
        try:
            return found.result()
        except BaseException as error:
            # Whoever asks again may fare better than a store that was away.
            self._kept.pop(number, None)
            if isinstance(error, BackupStoreError):
                raise if_deleted(self._store, self._backup, bare(error)) from None
            raise

    def _fetched(self, number: int) -> "Future[bytes]":
        """Call with the lock held."""
        found = self._kept.get(number)
        if found is None:
            found = self._kept[number] = self._pool.submit(self._fetch, number)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return found

    def _fetch(self, number: int) -> bytes:
        checksum = self._backup.blocks[number].checksum
        wanted = Wanted(checksum, self._backup.compression, self._backup.block_size)
        return self._reader.read(wanted).content
