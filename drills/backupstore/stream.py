"""A backup as a raw image from front to back, without a file."""

import hashlib
import threading
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby

from drills.backupstore.catalog import BackupStore
from drills.backupstore.deleted import if_deleted
from drills.backupstore.errors import BackupStoreError
from drills.backupstore.fetch import WAITS, WORKERS, BlockReader, reading
from drills.backupstore.one_block import Wanted
from drills.backupstore.parallel import Bounds, each
from drills.backupstore.places import Place, filled
from drills.backupstore.records import BackupRecord, VolumeRecord, check_rebuildable

_ZEROS = bytes(1 << 20)


def stream(
    store: BackupStore,
    volume: VolumeRecord,
    backup: BackupRecord,
    *,
    workers: int = WORKERS,
    stop: threading.Event | None = None,
    waits: Sequence[float] = WAITS,
) -> Iterator[bytes]:
    """The volume as it was, in pieces of a block at most; holes as zeros.

    Blocks ahead are read while the caller deals with one. A block of zeros is not read.

    Raises BackupStoreError at the first block that is lost (UNSUPPORTED before any;
    RECORD_MISSING for a backup deleted meanwhile), StoreError, StoppedError.
    """
    check_rebuildable(volume)
    stopped = stop or threading.Event()
    try:
        with reading(store.objects, volume.name, workers, stopped, waits) as reader:
            yield from _pieces(reader, volume, backup, workers)
    except BackupStoreError as error:
        raise if_deleted(store, backup, error) from None


def image_sha256(
    store: BackupStore,
    volume: VolumeRecord,
    backup: BackupRecord,
    *,
    workers: int = WORKERS,
    stop: threading.Event | None = None,
    waits: Sequence[float] = WAITS,
) -> str:
    """Of the whole raw image. Raises as `stream` does."""
    digest = hashlib.sha256()
    for piece in stream(store, volume, backup, workers=workers, stop=stop, waits=waits):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(
    reader: BlockReader, volume: VolumeRecord, backup: BackupRecord, workers: int
) -> Iterator[bytes]:
    at = 0
    found = each(
        _runs(backup),
        lambda place: (place.offsets, reader.read(place.wanted).content),
        lambda place: reader.read_cost(place.wanted),
        bounds=Bounds(workers),
        stop=reader.stop,
        ordered=True,
    )
    for offsets, content in found:
        for offset in offsets:
            yield from _zeros(offset - at)
            yield content
            at = offset + backup.block_size
    yield from _zeros(volume.size - at)


def _runs(backup: BackupRecord) -> Iterator[Place]:
    """Blocks in the order of the image; one that follows itself is read once."""
    for checksum, run in groupby(filled(backup), key=lambda block: block.checksum):
        offsets = array("Q", (block.offset for block in run))
        yield Place(Wanted(checksum, backup.compression, backup.block_size), offsets)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield _ZEROS[:count]
        count -= len(_ZEROS)
