"""Images out of backups: byte for byte, sparse, each block read once, and whole or not at all."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import Fault
from drills.backupstore.part_file import TargetError, journal_of, part_of
from drills.backupstore.rebuild import DamagedError, Rebuilt, rebuild
from tests.drills.backupstore.interfered import Act, at, interfered, nothing
from tests.drills.backupstore.samples import TRUTH, chain, fault_of, genuine, store_in
from tests.support.longhorn_store import (
    BLOCK,
    MIB,
    VolumeWriter,
    checksum_of,
    constant,
    content,
    into_folder,
)


def restored(
    store: BackupStore, name: str, target: Path, volume: str = "pvc-data", **more: Any
) -> Rebuilt:
    record = store.volume(volume)
    return rebuild(store, record, store.backup(record, name), target, waits=(), **more)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_the_engines_backups_come_back_byte_for_byte(tmp_path: Path, name: str) -> None:
    truth, target = TRUTH[name], tmp_path / "image"
    found = restored(genuine(), name, target, truth["volume"])
    assert (sha256_of(target), target.stat().st_size) == (truth["sha256"], truth["size"])
    assert (found.sha256, found.bytes) == (truth["sha256"], truth["size"])
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


@pytest.mark.parametrize("compression", ["lz4", "gzip", "none"])
def test_every_compression_and_every_backup_of_a_chain(tmp_path: Path, compression: str) -> None:
    store, put = store_in(tmp_path / "store")
    _, truth = chain(put, compression=compression)
    for name, sha256 in truth.items():
        target = tmp_path / name
        assert restored(store, name, target).sha256 == sha256
        assert sha256_of(target) == sha256
        assert target.stat().st_mode & 0o777 == 0o600


def test_large_blocks(tmp_path: Path) -> None:
    size = 16 * MIB
    volume = VolumeWriter(into_folder(tmp_path / "store"), "pvc-data", 4 * size, block_size=size)
    volume.backup("backup-1", [0, 3 * size], content("large", size, noise=0.01))
    store, _ = interfered(tmp_path / "store")
    assert restored(store, "backup-1", tmp_path / "image").sha256 == volume.image_sha256()


def test_a_block_at_many_places_is_read_once_and_zeros_never(tmp_path: Path) -> None:
    volume = VolumeWriter(into_folder(tmp_path / "store"), "pvc-data", 16 * BLOCK)
    volume.backup("backup-1", range(0, 8 * BLOCK, 2 * BLOCK), constant(b"again!!!" * (BLOCK // 8)))
    volume.backup("backup-2", [BLOCK, 9 * BLOCK], constant(bytes(BLOCK)))
    volume.backup("backup-3", [15 * BLOCK], content("own", noise=0.01))
    store, objects = interfered(tmp_path / "store")
    target = tmp_path / "image"
    found = restored(store, "backup-3", target)
    assert (found.sha256, found.blocks) == (volume.image_sha256(), 7)
    assert len(objects.read) == len(set(objects.read)) == 2
    assert target.stat().st_blocks * 512 < 6 * BLOCK


def test_zeros_within_a_block_take_no_room(tmp_path: Path) -> None:
    def mostly_zeros(offset: int) -> bytes:
        return bytes([1 + offset % 251]) * MIB + bytes(MIB)

    volume = VolumeWriter(into_folder(tmp_path / "store"), "pvc-data", 8 * BLOCK)
    volume.backup("backup-1", range(0, 8 * BLOCK, BLOCK), mostly_zeros)
    store, _ = interfered(tmp_path / "store")
    target = tmp_path / "image"
    assert restored(store, "backup-1", target).sha256 == volume.image_sha256()
    assert target.stat().st_blocks * 512 <= 8 * MIB + MIB


def test_a_volume_without_blocks_is_all_hole(tmp_path: Path) -> None:
    volume = VolumeWriter(into_folder(tmp_path / "store"), "pvc-data", 4 * BLOCK)
    volume.backup("backup-1", [], content("x"))
    store, _ = interfered(tmp_path / "store")
    found = restored(store, "backup-1", tmp_path / "image")
    assert (found.blocks, found.bytes) == (0, 4 * BLOCK)
    assert found.sha256 == hashlib.sha256(bytes(4 * BLOCK)).hexdigest()


def test_progress_counts_places_up_to_all(tmp_path: Path) -> None:
    store, put = store_in(tmp_path / "store")
    chain(put)
    seen: list[tuple[int, int]] = []
    found = restored(
        store, "backup-3", tmp_path / "image", progress=lambda *now: seen.append(now), digest=False
    )
    assert found.sha256 == ""
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (seen[0], seen[-1]) == ((0, 4), (4, 4))


def lost_of(work: Callable[[], object]) -> DamagedError:
    with pytest.raises(DamagedError) as caught:
        work()
    return caught.value


def test_every_lost_block_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    store, put = store_in(tmp_path / "store")
    volume, truth = chain(put)
    target = tmp_path / "image"
    blocks = volume.latest.blocks
    lost = [volume.block_key(blocks[place * BLOCK]) for place in (0, 4)]
    kept = {key: (tmp_path / "store" / key).read_bytes() for key in lost}
    (tmp_path / "store" / lost[0]).unlink()
    put(lost[1], b"no lz4")
    error = lost_of(lambda: restored(store, "backup-3", target))
    assert error.total == 2
    assert {one.object: one.fault for one in error.faults} == {
        lost[0]: Fault.BLOCK_MISSING, lost[1]: Fault.BLOCK_UNDECODABLE,
    }  # fmt: skip
    assert str(error).startswith("2 of the 4 blocks of backup backup-3 cannot be restored: ")
    assert all(key in str(error) for key in (*lost, str(part_of(target))))
    assert not target.exists()
    part = part_of(target).read_bytes()
    assert len(part) == volume.size
    for offset in blocks.keys() - {0, 4 * BLOCK}:
        assert checksum_of(part[offset : offset + BLOCK]) == blocks[offset]
    # When somebody has put them back, the same call reads nothing else.
    for key, was in kept.items():
        put(key, was)
    again, objects = interfered(tmp_path / "store")
    found = restored(again, "backup-3", target)
    assert (found.sha256, found.resumed_blocks) == (truth["backup-3"], 2)
    assert sorted(objects.read) == sorted(lost)
    assert not part_of(target).exists()


def test_a_backup_deleted_meanwhile_is_not_called_damaged(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    volume, _ = chain(put)
    record = tmp_path / "store" / volume.latest.key

    def retention(number: int, key: str) -> None:
        if number == 1:
            record.unlink()
            (tmp_path / "store" / key).unlink()

    store, _ = interfered(tmp_path / "store", retention)
    fault = fault_of(lambda: restored(store, "backup-3", tmp_path / "image"), volume.latest.key)
    assert fault is Fault.RECORD_MISSING
    assert not (tmp_path / "image").exists()


def test_a_volume_upon_a_backing_image_is_refused(tmp_path: Path) -> None:
    store, put = store_in(tmp_path / "store")
    chain(put, backing_image="parrot")
    fault = fault_of(lambda: restored(store, "backup-1", tmp_path / "image"))
    assert fault is Fault.UNSUPPORTED
    assert list(tmp_path.iterdir()) == [tmp_path / "store"]


def test_a_part_of_another_backup_is_not_gone_on_with(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    _, truth = chain(put)
    target = tmp_path / "image"
    interrupted(tmp_path, "backup-1", target, after=2)
    store, objects = interfered(tmp_path / "store")
    found = restored(store, "backup-2", target)
    assert (found.sha256, found.resumed_blocks) == (truth["backup-2"], 0)
    assert len(objects.read) == found.blocks


def interrupted(tmp_path: Path, name: str, target: Path, after: int) -> None:
    """Leaves a part file with `after` blocks in it."""
    act = stop_after(after)
    store, _ = interfered(tmp_path / "store", act)
    with pytest.raises(KeyError):
        restored(store, name, target, workers=1)
    assert not target.exists()


def stop_after(blocks: int) -> Act:
    def act(number: int, _key: str) -> None:
        if number == blocks:
            raise KeyError("interrupted")

    return act


@pytest.fixture
def half(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A part file with two of four blocks of backup-3, and the truth of all backups."""
    _, put = store_in(tmp_path / "store")
    _, truth = chain(put)
    target = tmp_path / "image"
    interrupted(tmp_path, "backup-3", target, after=2)
    return target, truth


def resumed_blocks(target: Path, truth: dict[str, str]) -> int:
    store, objects = interfered(target.parent / "store", nothing)
    found = restored(store, "backup-3", target)
    assert found.sha256 == sha256_of(target) == truth["backup-3"]
    assert len(objects.read) == 4 - found.resumed_blocks
    assert not part_of(target).exists()
    assert not journal_of(target).exists()
    return found.resumed_blocks


def test_what_was_written_is_not_read_again(half: tuple[Path, dict[str, str]]) -> None:
    assert resumed_blocks(*half) == 2


@pytest.mark.parametrize(
    "harm",
    [
        lambda target: journal_of(target).write_bytes(journal_of(target).read_bytes()[:-9]),
        lambda target: journal_of(target).write_bytes(journal_of(target).read_bytes() + b"x"),
        lambda target: part_of(target).write_bytes(part_of(target).read_bytes()[:-1]),
        lambda target: part_of(target).write_bytes(b""),
        lambda target: scribble(part_of(target), 7 * BLOCK),
    ],
    ids=["torn journal", "longer journal", "shorter", "empty", "data in a hole"],
)
def test_what_does_not_fit_starts_clean(
    half: tuple[Path, dict[str, str]], harm: Callable[[Path], object]
) -> None:
    harm(half[0])
    assert resumed_blocks(*half) == 0


def test_a_part_file_without_a_journal_is_not_ours_to_empty(
    half: tuple[Path, dict[str, str]],
) -> None:
    target, truth = half
    journal_of(target).unlink()
    was = part_of(target).read_bytes()
    with pytest.raises(TargetError, match="was not left by a restore; remove it"):
        resumed_blocks(target, truth)
    assert part_of(target).read_bytes() == was
    part_of(target).write_bytes(b"")
    assert resumed_blocks(target, truth) == 0


def scribble(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"something else")


def test_a_block_that_was_half_written_is_read_again(half: tuple[Path, dict[str, str]]) -> None:
    scribble(part_of(half[0]), 100)
    assert resumed_blocks(*half) == 1


def test_another_backup_of_the_same_name_starts_clean(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    chain(put)
    target = tmp_path / "image"
    interrupted(tmp_path, "backup-3", target, after=2)
    volume = VolumeWriter(put, "pvc-data", 16 * BLOCK)
    volume.backup("backup-3", [0, 3 * BLOCK], content("pvc-data 3", noise=0.01))
    store, _ = interfered(tmp_path / "store")
    found = restored(store, "backup-3", target)
    assert (found.sha256, found.resumed_blocks) == (volume.image_sha256(), 0)


def test_an_image_that_exists_is_never_touched(tmp_path: Path) -> None:
    store, put = store_in(tmp_path / "store")
    chain(put)
    target = tmp_path / "image"
    target.write_bytes(b"precious")
    with pytest.raises(TargetError, match="exists and is not overwritten"):
        restored(store, "backup-1", target)
    assert target.read_bytes() == b"precious"
    assert not part_of(target).exists()


def test_one_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    chain(put)
    target = tmp_path / "image"
    store, _ = interfered(tmp_path / "store", at(1, lambda: target.write_bytes(b"precious")))
    with pytest.raises(TargetError, match="exists and is not overwritten"):
        restored(store, "backup-1", target)
    assert target.read_bytes() == b"precious"


def test_two_at_once_on_one_target_refuse_each_other(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    _, truth = chain(put)
    target = tmp_path / "image"
    inside, leave = threading.Event(), threading.Event()

    def hold(_number: int, _key: str) -> None:
        inside.set()
        assert leave.wait(30)

    slow, _ = interfered(tmp_path / "store", hold)
    quick, _ = interfered(tmp_path / "store")
    made: list[Rebuilt] = []
    first = threading.Thread(target=lambda: made.append(restored(slow, "backup-1", target)))
    first.start()
    assert inside.wait(30)
    with pytest.raises(TargetError, match="another restore is writing"):
        restored(quick, "backup-1", target)
    leave.set()
    first.join(30)
    assert [one.sha256 for one in made] == [truth["backup-1"]]
