"""An image that is read anywhere: the same bytes, and no more blocks than needed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from drills.backupstore.backup_image import BackupImage
from drills.backupstore.errors import Fault
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.images.source import Source, Sparse
from s3.errors import StoreError
from tests.drills.backupstore.interfered import Act, Interfered, away, interfered, nothing
from tests.drills.backupstore.samples import TRUTH, chain, fault_of, genuine, store_in
from tests.support.longhorn_store import BLOCK, VolumeWriter, content, into_folder

SIZE = 12 * BLOCK


def opened(
    folder: Path, act: Act = nothing, memory: int = 4 * BLOCK
) -> tuple[BackupImage, Interfered]:
    store, objects = interfered(folder, act)
    volume = store.volume("pvc-data")
    backup = store.backup(volume, "backup-1")
    return BackupImage(store, volume, backup, memory=memory, waits=()), objects


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with ten blocks in a row and two places of zeros behind them."""
    root = tmp_path_factory.mktemp("store")
    volume = VolumeWriter(into_folder(root), "pvc-data", SIZE)
    volume.backup("backup-1", range(0, 10 * BLOCK, BLOCK), content("x", noise=0.001))
    (root / "image").write_bytes(b"".join(volume.image()))
    return root


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[tuple[BackupImage, bytes]]:
    image, _ = opened(folder)
    with image:
        yield image, (folder / "image").read_bytes()


@given(some.integers(0, SIZE + 5), some.integers(0, 3 * BLOCK))
def test_any_part_is_that_of_the_image(
    shared: tuple[BackupImage, bytes], offset: int, length: int
) -> None:
    image, whole = shared
    assert image.read(offset, length) == whole[offset : offset + length]


def test_it_is_a_source_of_images(folder: Path) -> None:
    image, _ = opened(folder)
    source: Source = image
    assert source.size == SIZE
    image.close()


def test_it_knows_where_nothing_was_written(tmp_path: Path) -> None:
    volume = VolumeWriter(into_folder(tmp_path), "pvc-data", SIZE)
    volume.backup("backup-1", [BLOCK, 2 * BLOCK], content("x", noise=0.001))
    volume.backup("backup-1", [5 * BLOCK], lambda _: bytes(BLOCK))
    volume.backup("backup-1", [8 * BLOCK], content("x", noise=0.001))
    image, objects = opened(tmp_path)
    with image:
        asked = (0, BLOCK, BLOCK + 5, 3 * BLOCK, 5 * BLOCK + 1, 9 * BLOCK - 1, 9 * BLOCK, SIZE)
        found = [image.next_data(offset) for offset in asked]
        places = (BLOCK, BLOCK, BLOCK + 5, 8 * BLOCK, 8 * BLOCK, 9 * BLOCK - 1, SIZE, SIZE)
        assert found == list(places)
        assert isinstance(image, Sparse)
    assert objects.read == []


def test_the_engines_image_is_read_in_pieces() -> None:
    name = "backup-pvc-app-3"
    store = genuine()
    volume = store.volume(TRUTH[name]["volume"])
    with BackupImage(store, volume, store.backup(volume, name)) as image:
        # The magic number of ext, at its place in the superblock.
        assert image.read(1024 + 56, 2) == b"\x53\xef"


def test_only_what_is_asked_for_is_fetched_and_once(folder: Path) -> None:
    image, objects = opened(folder)
    with image:
        for _ in range(3):
            image.read(5 * BLOCK + 10, 100)
            image.read(11 * BLOCK, 100)
    assert len(objects.read) == 1


def test_who_reads_on_finds_the_next_blocks_fetched(folder: Path) -> None:
    image, objects = opened(folder)
    with image:
        image.read(3 * BLOCK, 10)
        assert len(objects.read) == 1
        image.read(4 * BLOCK, 10)
        image.read(7 * BLOCK, 10)
    assert len(objects.read) == 5


def test_what_was_not_read_for_long_is_given_up(folder: Path) -> None:
    image, objects = opened(folder, memory=2 * BLOCK)
    with image:
        for place in (0, 9, 5, 9, 0):
            image.read(place * BLOCK, 10)
    # The third pushed out the first, which was read again; the second was used in between.
    assert len(objects.read) == 4


def test_a_store_that_was_away_is_asked_again(folder: Path) -> None:
    def act(number: int, _key: str) -> None:
        if number == 0:
            raise away()

    image, objects = opened(folder, act)
    with image:
        with pytest.raises(StoreError):
            image.read(5 * BLOCK, 10)
        assert image.read(5 * BLOCK, 10) == content("x", noise=0.001)(5 * BLOCK)[:10]
    assert len(objects.read) == 2


def faulty(tmp_path: Path) -> tuple[VolumeWriter, VolumeRecord, BackupRecord, BackupImage]:
    """An image with a block that is lost."""
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    record = store.volume("pvc-data")
    backup = store.backup(record, "backup-3")
    (tmp_path / volume.block_key(volume.latest.blocks[0])).unlink()
    return volume, record, backup, BackupImage(store, record, backup)


def test_a_lost_block_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    volume, _, _, image = faulty(tmp_path)
    key = volume.block_key(volume.latest.blocks[0])
    with image:
        assert fault_of(lambda: image.read(0, 10), key) is Fault.BLOCK_MISSING
        assert image.read(4 * BLOCK, 4) == b"".join(volume.image())[4 * BLOCK :][:4]


def test_a_backup_deleted_meanwhile_is_told_as_such(tmp_path: Path) -> None:
    volume, _, _, image = faulty(tmp_path)
    (tmp_path / volume.latest.key).unlink()
    with image:
        assert fault_of(lambda: image.read(0, 10), volume.latest.key) is Fault.RECORD_MISSING


def test_a_backing_image_is_refused(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    chain(put, backing_image="parrot")
    volume = store.volume("pvc-data")
    backup = store.backup(volume, "backup-1")
    assert fault_of(lambda: BackupImage(store, volume, backup)) is Fault.UNSUPPORTED


def test_several_readers_at_once(folder: Path) -> None:
    image, _ = opened(folder, memory=2 * BLOCK)
    whole = (folder / "image").read_bytes()
    wrong: list[int] = []

    def work(first: int) -> None:
        for place in range(first, 40, 4):
            offset = (place * 7 % 11) * BLOCK + place
            if image.read(offset, BLOCK) != whole[offset : offset + BLOCK]:
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    with image:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert wrong == []
