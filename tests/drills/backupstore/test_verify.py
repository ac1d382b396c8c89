"""Every distinct block is read once, and every fault is found, named and counted."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drills.backupstore import faults
from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.faults import Faults, told
from drills.backupstore.parallel import StoppedError
from drills.backupstore.records import Compression
from drills.backupstore.verify import Listed, verify
from s3.errors import Cause, StoreError
from tests.drills.backupstore.interfered import at, away, interfered, raising
from tests.drills.backupstore.samples import TRUTH, chain, genuine, store_in
from tests.support.longhorn_store import BLOCK, VolumeWriter, content, into_folder


def listed(store: BackupStore, volume: str) -> Iterator[Listed]:
    record = store.volume(volume)
    for name in store.backups(volume):
        backup = store.backup(record, name)
        for block in backup.blocks:
            yield block.checksum, backup.compression, backup.block_size


def test_the_engines_store_is_sound() -> None:
    store = genuine()
    for volume in sorted({truth["volume"] for truth in TRUTH.values()}):
        found = verify(store, volume, listed(store, volume))
        blocks = list(store.blocks(volume))
        assert (found.faulty, found.vanished) == (0, 0)
        assert (found.checked, found.bytes) == (len(blocks), sum(one.size for one in blocks))


def test_a_block_of_thirty_backups_is_read_once(tmp_path: Path) -> None:
    volume = VolumeWriter(into_folder(tmp_path), "pvc-data", 8 * BLOCK)
    volume.backup("backup-1", range(0, 8 * BLOCK, BLOCK), content("1", noise=0.01))
    for number in range(2, 31):
        volume.backup(f"backup-{number}", [(number % 8) * BLOCK], content(f"{number}", noise=0.01))
    store, objects = interfered(tmp_path)
    seen: list[tuple[int, int]] = []
    found = verify(
        store, "pvc-data", listed(store, "pvc-data"),
        progress=lambda blocks, stored: seen.append((blocks, stored)),
    )  # fmt: skip
    assert found.checked == len(objects.read) == len(set(objects.read)) == 8 + 29
    assert seen[-1] == (found.checked, found.bytes)
    assert [blocks for blocks, _ in seen] == list(range(1, 38))


def damaged(path: Path) -> Fault:
    content = path.read_bytes()
    path.write_bytes(content[:9000] + bytes([content[9000] ^ 1]) + content[9001:])
    return Fault.BLOCK_UNDECODABLE


def truncated(path: Path) -> Fault:
    path.write_bytes(path.read_bytes()[:-100])
    return Fault.BLOCK_UNDECODABLE


def another(path: Path) -> Fault:
    siblings = sorted(set(path.parents[2].rglob("*.blk")) - {path})
    path.write_bytes(siblings[0].read_bytes())
    return Fault.BLOCK_DIFFERS


def removed(path: Path) -> Fault:
    path.unlink()
    return Fault.BLOCK_MISSING


def emptied(path: Path) -> Fault:
    path.write_bytes(b"")
    return Fault.BLOCK_UNDECODABLE


def swollen(path: Path) -> Fault:
    path.write_bytes(bytes(2 * BLOCK))
    return Fault.TOO_LARGE


@pytest.mark.parametrize("harm", [damaged, truncated, another, removed, emptied, swollen])
def test_each_kind_of_damage_is_found_and_the_rest_is_read(
    tmp_path: Path, harm: Callable[[Path], Fault]
) -> None:
    store, put = store_in(tmp_path)
    chain(put)
    blocks = list(store.blocks("pvc-data"))
    fault = harm(tmp_path / blocks[2].key)
    found = verify(store, "pvc-data", listed(store, "pvc-data"))
    assert found.checked == len(blocks)
    assert [(one.fault, one.object) for one in found.faults] == [(fault, blocks[2].key)]
    assert (found.faulty, found.vanished) == (1, 0)


def test_all_faults_are_named_not_only_the_first(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    chain(put)
    keys = [block.key for block in store.blocks("pvc-data")]
    for key in keys[::2]:
        (tmp_path / key).unlink()
    damaged(tmp_path / keys[1])
    found = verify(store, "pvc-data", listed(store, "pvc-data"))
    assert [one.object for one in found.faults] == sorted([*keys[::2], keys[1]])


def test_faults_without_end_are_counted_and_the_first_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "MOST_NAMED", 3)
    store, put = store_in(tmp_path)
    put("backupstore/note", b"")
    lost = [(f"{number:064x}", Compression.LZ4, BLOCK) for number in range(50)]
    found = verify(store, "pvc-data", reversed(lost))
    assert (found.checked, found.faulty) == (50, 50)
    assert [one.object[-6:] for one in found.faults] == ["00.blk", "01.blk", "02.blk"]
    assert told(found.faults, found.faulty, most=2).endswith("; and 48 more")


def test_what_no_backup_lists_any_more_is_no_fault(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    chain(put)
    keys = [block.key for block in store.blocks("pvc-data")]
    for key in keys[:3]:
        (tmp_path / key).unlink()
    asked: list[str] = []

    def still(checksum: str) -> bool:
        asked.append(checksum)
        return checksum in keys[0]

    found = verify(store, "pvc-data", listed(store, "pvc-data"), look_again=still)
    assert (found.faulty, found.vanished) == (1, 2)
    assert [one.object for one in found.faults] == keys[:1]
    assert sorted(asked) == sorted(key[-68:-4] for key in keys[:3])


def test_it_is_asked_again_only_after_everything_was_read(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put)
    store, objects = interfered(tmp_path)
    keys = [block.key for block in store.blocks("pvc-data")]
    (tmp_path / keys[0]).unlink()
    read_by_then: list[int] = []

    def still(_checksum: str) -> bool:
        read_by_then.append(len(objects.read))
        return True

    verify(store, "pvc-data", listed(store, "pvc-data"), look_again=still, workers=1)
    assert read_by_then == [len(keys)]


def test_the_same_block_in_another_compression_is_read_for_each(tmp_path: Path) -> None:
    store, put = store_in(tmp_path)
    volume, _ = chain(put)
    checksum = volume.latest.blocks[0]
    found = verify(
        store, "pvc-data",
        [(checksum, Compression.LZ4, BLOCK), (checksum, Compression.NONE, BLOCK)] * 2,
    )  # fmt: skip
    assert (found.checked, found.faulty) == (2, 1)


def test_a_store_that_fails_is_no_fault_of_a_block(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put)
    store, _ = interfered(tmp_path, at(2, raising(away(Cause.ACCESS_DENIED))))
    with pytest.raises(StoreError):
        verify(store, "pvc-data", listed(store, "pvc-data"), waits=())


def test_it_can_be_stopped(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put)
    stop = threading.Event()
    store, _ = interfered(tmp_path, at(2, stop.set))
    with pytest.raises(StoppedError):
        verify(store, "pvc-data", listed(store, "pvc-data"), stop=stop)


def test_faults_hold_nothing_of_what_was_read() -> None:
    class Held:
        pass

    held = Held()
    watched = weakref.ref(held)
    collected = Faults()
    try:
        local = held
        raise BackupStoreError(Fault.BLOCK_DIFFERS, "a.blk", f"it is {type(local).__name__}")
    except BackupStoreError as error:
        collected.add(error)
    del held, local
    gc.collect()
    assert watched() is None
    assert str(collected.named[0]) == "a.blk: it is Held"
