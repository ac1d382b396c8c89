"""One block: a store that is away for a moment, and content that is read a second time."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from drills.backupstore.errors import Fault
from drills.backupstore.fetch import BlockReader, checksum_of_zeros
from drills.backupstore.objects import Objects
from drills.backupstore.one_block import Wanted
from drills.backupstore.parallel import StoppedError
from drills.backupstore.records import Compression
from s3.errors import Cause, StoreError
from tests.drills.backupstore.interfered import Act, away, interfered
from tests.drills.backupstore.samples import fault_of, store_in
from tests.support.longhorn_store import BLOCK, VolumeWriter, checksum_of, content

NOW = (0.0, 0.0, 0.0)


@pytest.fixture
def volume(tmp_path: Path) -> VolumeWriter:
    _, put = store_in(tmp_path)
    made = VolumeWriter(put, "pvc-data", 2 * BLOCK)
    made.backup("backup-1", [0], content("a", noise=0.01))
    return made


def wanted(volume: VolumeWriter) -> Wanted:
    return Wanted(volume.latest.blocks[0], Compression.LZ4, BLOCK)


def reader(objects: Objects, stop: threading.Event | None = None) -> BlockReader:
    return BlockReader(objects, "pvc-data", stop or threading.Event(), NOW)


def failing(times: int, cause: Cause) -> Act:
    def act(number: int, _key: str) -> None:
        if number < times:
            raise away(cause)

    return act


@pytest.mark.parametrize("cause", [Cause.UNREACHABLE, Cause.OTHER])
def test_a_store_that_comes_back_is_waited_for(
    tmp_path: Path, volume: VolumeWriter, cause: Cause
) -> None:
    store, objects = interfered(tmp_path, failing(3, cause))
    block = reader(store.objects).read(wanted(volume))
    assert block.content == content("a", noise=0.01)(0)
    assert block.stored == (tmp_path / objects.read[0]).stat().st_size
    assert len(objects.read) == 4


def test_a_store_that_stays_away_is_told(tmp_path: Path, volume: VolumeWriter) -> None:
    store, objects = interfered(tmp_path, failing(100, Cause.UNREACHABLE))
    with pytest.raises(StoreError) as caught:
        reader(store.objects).read(wanted(volume))
    assert caught.value.cause is Cause.UNREACHABLE
    assert len(objects.read) == len(NOW) + 1


def test_a_credential_that_is_refused_is_not_tried_again(
    tmp_path: Path, volume: VolumeWriter
) -> None:
    store, objects = interfered(tmp_path, failing(100, Cause.ACCESS_DENIED))
    with pytest.raises(StoreError):
        reader(store.objects).read(wanted(volume))
    assert len(objects.read) == 1


def test_a_stop_ends_the_wait_for_the_store(tmp_path: Path, volume: VolumeWriter) -> None:
    stop = threading.Event()
    stop.set()
    store, _ = interfered(tmp_path, failing(100, Cause.UNREACHABLE))
    waiting = BlockReader(store.objects, "pvc-data", stop, waits=(3600.0,))
    with pytest.raises(StoppedError):
        waiting.read(wanted(volume))


@pytest.mark.parametrize(
    "damage",
    [lambda stored: stored[:-20], lambda stored: stored[:9000] + b"!" + stored[9001:]],
    ids=["cut off", "altered"],
)
def test_a_block_that_was_just_being_written_is_read_again(
    tmp_path: Path, volume: VolumeWriter, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / volume.block_key(wanted(volume).checksum)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))

    def act(number: int, _key: str) -> None:
        if number == 1:
            path.write_bytes(whole)

    store, objects = interfered(tmp_path, act)
    assert reader(store.objects).read(wanted(volume)).content == content("a", noise=0.01)(0)
    assert len(objects.read) == 2
    path.write_bytes(damage(whole))
    fault = fault_of(lambda: reader(store.objects).read(wanted(volume)), path.name)
    assert fault in {Fault.BLOCK_UNDECODABLE, Fault.BLOCK_DIFFERS}


def test_a_block_that_is_not_there_is_not_asked_for_twice(
    tmp_path: Path, volume: VolumeWriter
) -> None:
    store, objects = interfered(tmp_path)
    gone = wanted(volume)._replace(checksum="0" * 64)
    assert fault_of(lambda: reader(store.objects).read(gone)) is Fault.BLOCK_MISSING
    assert len(objects.read) == 1


def test_zeros_are_known_by_their_checksum() -> None:
    assert checksum_of_zeros(BLOCK) == checksum_of(bytes(BLOCK))
