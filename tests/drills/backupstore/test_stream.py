"""An image from front to back without a file."""

import threading
from pathlib import Path

import pytest

from drills.backupstore.errors import Fault
from drills.backupstore.parallel import StoppedError
from drills.backupstore.stream import image_sha256, stream
from s3.errors import StoreError
from tests.drills.backupstore.interfered import at, away, interfered, raising
from tests.drills.backupstore.samples import TRUTH, chain, fault_of, genuine, store_in
from tests.support.longhorn_store import BLOCK, VolumeWriter, constant, content, into_folder


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_the_engines_backups_have_the_digest_of_the_truth(name: str) -> None:
    store, truth = genuine(), TRUTH[name]
    volume = store.volume(truth["volume"])
    assert image_sha256(store, volume, store.backup(volume, name)) == truth["sha256"]


@pytest.mark.parametrize("workers", [1, 8])
def test_pieces_are_the_image_in_order(tmp_path: Path, workers: int) -> None:
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    record = store.volume("pvc-data")
    pieces = list(stream(store, record, store.backup(record, "backup-3"), workers=workers))
    assert b"".join(pieces) == b"".join(volume.image())
    assert max(map(len, pieces)) <= BLOCK


def test_a_block_that_follows_itself_is_read_once_and_zeros_never(tmp_path: Path) -> None:
    volume = VolumeWriter(into_folder(tmp_path), "pvc-data", 8 * BLOCK)
    volume.backup("backup-1", [0, BLOCK, 3 * BLOCK], constant(b"again!!!" * (BLOCK // 8)))
    volume.backup("backup-2", [2 * BLOCK], constant(bytes(BLOCK)))
    volume.backup("backup-3", [7 * BLOCK], content("own", noise=0.01))
    store, objects = interfered(tmp_path)
    record = store.volume("pvc-data")
    found = image_sha256(store, record, store.backup(record, "backup-3"))
    assert found == volume.image_sha256()
    assert len(objects.read) == 2


def test_blocks_are_read_ahead_and_not_further_than_bounds_allow(tmp_path: Path) -> None:
    volume = VolumeWriter(into_folder(tmp_path), "pvc-data", 32 * BLOCK)
    volume.backup("backup-1", range(0, 32 * BLOCK, BLOCK), content("x", noise=0.001))
    store, objects = interfered(tmp_path)
    record = store.volume("pvc-data")
    pieces = stream(store, record, store.backup(record, "backup-1"), workers=2)
    next(pieces)
    assert len(objects.read) <= 2 + 4 + 1
    pieces.close()  # type: ignore[attr-defined]


def test_a_lost_block_ends_it_and_is_named(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    key = volume.block_key(volume.latest.blocks[3 * BLOCK])
    (tmp_path / key).unlink()
    record = store.volume("pvc-data")
    backup = store.backup(record, "backup-3")
    assert fault_of(lambda: image_sha256(store, record, backup), key) is Fault.BLOCK_MISSING


def test_a_backup_deleted_meanwhile_is_told_as_such(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    record = store.volume("pvc-data")
    backup = store.backup(record, "backup-3")
    (tmp_path / volume.latest.key).unlink()
    (tmp_path / volume.block_key(volume.latest.blocks[0])).unlink()
    fault = fault_of(lambda: image_sha256(store, record, backup), volume.latest.key)
    assert fault is Fault.RECORD_MISSING


def test_a_backing_image_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put, backing_image="parrot")
    store, objects = interfered(tmp_path)
    record = store.volume("pvc-data")
    backup = store.backup(record, "backup-1")
    assert fault_of(lambda: next(stream(store, record, backup))) is Fault.UNSUPPORTED
    assert objects.read == []


def test_a_store_that_goes_and_a_stop_end_it(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put)
    stop = threading.Event()
    for act, error in ((at(1, raising(away())), StoreError), (at(1, stop.set), StoppedError)):
        store, _ = interfered(tmp_path, act)
        record = store.volume("pvc-data")
        backup = store.backup(record, "backup-3")
        with pytest.raises(error):
            image_sha256(store, record, backup, stop=stop, waits=(), workers=1)
