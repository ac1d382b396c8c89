"""Every block that backups list: is it there, and does it hold what its name says?"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault, KeyMissing
from drills.backupstore.faults import Faults, bare
from drills.backupstore.fetch import WAITS, WORKERS, BlockReader, reading
from drills.backupstore.layout import block_key
from drills.backupstore.one_block import Wanted
from drills.backupstore.parallel import Bounds, each
from drills.backupstore.records import Compression

Listed = tuple[str, Compression, int]
"""A block as a backup lists it: checksum, compression, bytes of volume it covers."""


@dataclass(frozen=True)
class Verified:
    """What was found.

    checked: distinct blocks, which take `bytes` in the store. vanished: how many of them were
    missing and are listed by no backup any more, which is no fault. faulty: how many blocks are
    missing or damaged. faults: the first of them in the order of keys, faults.MOST_NAMED at most.
    """

    checked: int
    bytes: int
    vanished: int
    faulty: int
    faults: Sequence[BackupStoreError]


def verify(
    store: BackupStore,
    volume: str,
    blocks: Iterable[Listed],
    *,
    workers: int = WORKERS,
    look_again: Callable[[str], bool] = lambda _checksum: True,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
    waits: Sequence[float] = WAITS,
) -> Verified:
    """Reads every distinct block once, however many backups list it.

    blocks: as backups list them, repeated or not.
    look_again: whether any backup still lists a checksum. Retention deletes while this reads, so
        it is asked about each missing block, after everything was read.
    progress: called with the blocks read so far, and their bytes in the store.

    Faults of blocks are returned. Raises StoreError, and StoppedError when `stop` is set.
    """
    stopped = stop or threading.Event()
    checked = stored = 0
    missing: list[str] = []
    faults = Faults()
    with reading(store.objects, volume, workers, stopped, waits) as reader:
        for found in _reads(reader, distinct(blocks), workers):
            checked += 1
            stored += found.stored
            if found.fault is not None and found.fault.fault is Fault.BLOCK_MISSING:
                missing.append(found.checksum)
            elif found.fault is not None:
                faults.add(found.fault)
            if progress is not None:
                progress(checked, stored)
    still_listed = [checksum for checksum in sorted(missing) if look_again(checksum)]
    for checksum in still_listed:
        faults.add(KeyMissing(block_key(volume, checksum)))
    vanished = len(missing) - len(still_listed)
    return Verified(checked, stored, vanished, faults.total, faults.named)


def distinct(blocks: Iterable[Listed]) -> Iterator[Wanted]:
    """Each block at its first mention."""
    # By what hardly ever differs: a set of digests alone takes half of one of whole blocks.
    seen: defaultdict[tuple[Compression, int], set[bytes]] = defaultdict(set)
    for checksum, compression, block_size in blocks:
        known, digest = seen[compression, block_size], bytes.fromhex(checksum)
        if digest not in known:
            known.add(digest)
            yield Wanted(checksum, compression, block_size)


@dataclass(frozen=True)
class _Read:
    """How reading one block ended."""

    checksum: str
    stored: int
    fault: BackupStoreError | None


def _reads(reader: BlockReader, blocks: Iterable[Wanted], workers: int) -> Iterator[_Read]:
    def read(wanted: Wanted) -> _Read:
        try:
            return _Read(wanted.checksum, reader.check(wanted), None)
        except BackupStoreError as error:
            return _Read(wanted.checksum, 0, bare(error))

    bounds = Bounds(workers)
    return each(blocks, read, reader.check_cost, bounds=bounds, stop=reader.stop)
