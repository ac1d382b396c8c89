"""A backup as a raw image in a file: sparse, resumable, never under its name before it is whole."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from drills.backupstore import part_file, sparse
from drills.backupstore.catalog import BackupStore
from drills.backupstore.deleted import if_deleted
from drills.backupstore.errors import BackupStoreError
from drills.backupstore.faults import Faults, bare, told
from drills.backupstore.fetch import WAITS, WORKERS, BlockReader, reading
from drills.backupstore.journal import journal_text
from drills.backupstore.layout import checksum_of
from drills.backupstore.parallel import Bounds, each
from drills.backupstore.part_file import PartFile, part_of
from drills.backupstore.places import Place, filled, holes, places
from drills.backupstore.records import BackupRecord, VolumeRecord, check_rebuildable


class DamagedError(Exception):
    """A backup that does not come back whole: `total` blocks are lost, `faults` names the first."""

    def __init__(self, sentence: str, faults: Sequence[BackupStoreError], total: int) -> None:
        super().__init__(sentence)
        self.faults = faults
        self.total = total


@dataclass(frozen=True)
class Rebuilt:
    """A whole image. bytes: its size. blocks: how many places in it the backup lists.

    fetched_bytes: read from the store, as they are kept there. resumed_blocks: places that an
    earlier restore had filled. sha256: of the file; "" where none was asked for.
    """

    bytes: int
    blocks: int
    fetched_bytes: int
    resumed_blocks: int
    sha256: str


def rebuild(
    store: BackupStore,
    volume: VolumeRecord,
    backup: BackupRecord,
    target: Path,
    *,
    workers: int = WORKERS,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
    digest: bool = True,
    waits: Sequence[float] = WAITS,
) -> Rebuilt:
    """Writes the volume, as it was, to the file `target`, which must not exist.

    Until it is whole it grows in TARGET.part. Whatever interrupts that, the same call goes on from
    there; blocks in the part file are checked like those from the store. A block of zeros is not
    read: its checksum says what is in it.

    progress: called with the places filled so far, and with all that the backup lists.
    digest: whether to read the file once more for its SHA-256.

    Raises DamagedError (after all other blocks were written to the part file), BackupStoreError
    (UNSUPPORTED; RECORD_MISSING for a backup deleted meanwhile), TargetError, StoreError,
    StoppedError.
    """
    check_rebuildable(volume)
    stopped = stop or threading.Event()
    needed = sum(backup.block_size for _ in filled(backup))
    with part_file.opened(target) as file:
        text = journal_text(volume, backup)
        file.prepare(text, volume.size, needed, holes(backup, volume.size))
        with reading(store.objects, volume.name, workers, stopped, waits) as reader:
            tally = _fill(file, backup, reader, workers, progress or (lambda _done, _all: None))
        if tally.faults.total:
            raise _not_whole(store, backup, target, tally.faults)
        sha256 = file.sha256(volume.size, stopped) if digest else ""
        file.finish()
    return Rebuilt(volume.size, len(backup.blocks), tally.fetched, tally.resumed, sha256)


class _Found(NamedTuple):
    """A block for those of its places that lack it; `fault` if it could not be had."""

    place: Place
    lacking: Sequence[int]
    content: bytes
    stored: int
    fault: BackupStoreError | None


@dataclass
class _Tally:
    """places: filled by now. fetched: bytes from the store. resumed: places found filled."""

    faults: Faults
    places: int
    fetched: int = 0
    resumed: int = 0

    def add(self, found: _Found) -> None:
        self.fetched += found.stored
        self.resumed += len(found.place.offsets) - len(found.lacking)
        if found.fault is not None:
            self.faults.add(found.fault)
        else:
            self.places += len(found.place.offsets)


def _fill(
    file: PartFile,
    backup: BackupRecord,
    reader: BlockReader,
    workers: int,
    progress: Callable[[int, int], None],
) -> _Tally:
    zeros = len(backup.blocks) - sum(1 for _ in filled(backup))
    tally = _Tally(Faults(), zeros)
    progress(tally.places, len(backup.blocks))
    found_blocks = each(
        places(backup),
        lambda place: _find(file, reader, place),
        lambda place: reader.read_cost(place.wanted),
        bounds=Bounds(workers),
        stop=reader.stop,
    )
    for found in found_blocks:
        if found.fault is None:
            for offset in found.lacking:
                file.write(found.content, offset)
        tally.add(found)
        progress(tally.places, len(backup.blocks))
    file.settle()
    return tally


def _find(file: PartFile, reader: BlockReader, place: Place) -> _Found:
    """Runs in a worker, so it reads the file and never writes it."""
    lacking: Sequence[int] = place.offsets
    if file.resumed:
        lacking = [offset for offset in place.offsets if not _holds(file, offset, place)]
    if not lacking:
        return _Found(place, lacking, b"", 0, None)
    try:
        content, stored = reader.read(place.wanted)
    except BackupStoreError as error:
        return _Found(place, lacking, b"", 0, bare(error))
    return _Found(place, lacking, content, stored, None)


def _holds(file: PartFile, offset: int, place: Place) -> bool:
    content = file.read(place.wanted.block_size, offset)
    # What was never written is told by its zeros, which costs less than a checksum.
    return sparse.has_data(content) and checksum_of(content) == place.wanted.checksum


def _not_whole(
    store: BackupStore, backup: BackupRecord, target: Path, faults: Faults
) -> DamagedError | BackupStoreError:
    for fault in faults.named:
        meant = if_deleted(store, backup, fault)
        if meant is not fault:
            return meant
    lost, listed = faults.total, len(backup.blocks)
    return DamagedError(
        f"{lost} of the {listed} blocks of backup {backup.name} cannot be restored: "
        f"{told(faults.named, lost)}; everything else is in {part_of(target)}, which has zeros in "
        "their place",
        faults.named,
        lost,
    )
