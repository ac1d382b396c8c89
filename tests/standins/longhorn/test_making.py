"""A backup is what the project's reader takes for one, and only what is new is sent."""

import json
from pathlib import Path

import pytest

from standins.longhorn import records
from standins.longhorn.compression import UnknownMethodError
from standins.longhorn.locks import LockedError
from standins.longhorn.making import touched
from standins.longhorn.store_errors import StoreError
from tests.standins.longhorn.backups import (
    BLOCK,
    SIZE,
    back_up,
    blocks_of,
    comes_back,
    image,
    store,
)

FIRST = {0: b"zero" * 100, 3: b"three", 15: b"last" * 1000}


@pytest.mark.parametrize("method", ["lz4", "gzip", "none"])
def test_every_method_comes_back(tmp_path: Path, method: str) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    made = back_up(held, path, compression=method)
    assert [offset // BLOCK for offset, _ in made.backup.blocks] == [0, 3, 15]
    assert made.backup.compression == made.volume.compression == method
    assert made.volume.block_count == len(blocks_of(held)) == 3
    assert comes_back(held, path, "backup-1")


def test_larger_blocks_come_back(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    made = back_up(held, path, block_size=8 * BLOCK)
    assert [offset // BLOCK for offset, _ in made.backup.blocks] == [0, 8]
    assert comes_back(held, path, "backup-1")


def test_the_next_backup_sends_what_is_new_and_lists_everything(tmp_path: Path) -> None:
    held = store()
    back_up(held, image(tmp_path / "1", FIRST), 1)
    before = blocks_of(held)
    second = image(tmp_path / "2", {0: FIRST[0], 3: b"changed", 7: b"new"})
    made = back_up(held, second, 2)
    assert made.backup.incremental
    assert len(blocks_of(held) - before) == 2
    assert [offset // BLOCK for offset, _ in made.backup.blocks] == [0, 3, 7]
    assert made.volume.last_backup == "backup-2"
    assert made.volume.last_backup_at == "2026-03-01T12:02:00Z"
    assert made.volume.block_count == 5
    assert comes_back(held, second, "backup-2")
    assert comes_back(held, tmp_path / "1", "backup-1")


def test_a_backup_without_the_last_snapshot_begins_anew_and_sends_nothing_twice(
    tmp_path: Path,
) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    back_up(held, path, 1)
    made = back_up(held, path, 2, snapshots=False)
    assert not made.backup.incremental
    assert (made.backup.newly_uploaded, made.backup.re_uploaded) == (0, 0)
    assert made.volume.block_count == 3


def test_a_full_backup_sends_every_block_again(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    first = back_up(held, path, 1)
    held.puts.clear()
    made = back_up(held, path, 2, mode="full")
    assert not made.backup.incremental
    assert made.backup.re_uploaded == first.backup.newly_uploaded > 0
    assert len([key for key in held.puts if key.endswith(".blk")]) == 3
    assert made.backup.parameters == {"backup-mode": "full", "backup-block-size": str(BLOCK)}


def test_the_same_content_at_two_places_is_sent_once(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", {2: b"same", 9: b"same"})
    made = back_up(held, path)
    assert len(made.backup.blocks) == 2
    assert len(blocks_of(held)) == made.volume.block_count == 1
    assert comes_back(held, path, "backup-1")


def test_a_volume_keeps_the_method_of_its_first_backup(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    back_up(held, path, 1, compression="gzip")
    image(tmp_path / "image", {0: b"other"})
    assert back_up(held, path, 2, compression="lz4").backup.compression == "gzip"
    assert comes_back(held, path, "backup-2")


def test_an_empty_volume_has_a_backup_without_blocks(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", {})
    assert back_up(held, path).backup.blocks == []
    assert comes_back(held, path, "backup-1")


def test_while_it_is_made_the_record_says_so_and_a_lock_lies_there(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    back_up(held, path)
    order = [key.rpartition("/")[2].partition("-")[0].partition(".")[0] for key in held.puts]
    assert order[:2] == ["lock", "lock"]
    assert order[2:4] == ["volume", "backup_backup"]
    assert order[-2:] == ["backup_backup", "volume"]
    assert not [key for key in held.objects if key.endswith(".lck")]


def test_a_store_that_breaks_leaves_a_record_that_is_not_finished(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)

    def breaking(_key: str) -> bool:
        held.broken = "api error SlowDown"
        raise StoreError(held.broken)

    held.exists = breaking  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreError, match="SlowDown"):
        back_up(held, path)
    raw = json.loads(held.objects[records.backup_key("pvc-data", "backup-1")])
    assert raw["CreatedTime"] == ""


def test_a_method_that_nobody_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownMethodError):
        back_up(store(), image(tmp_path / "image", FIRST), compression="zstd")


def test_a_size_that_is_no_multiple_of_the_block_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no multiple of the block size"):
        back_up(store(), image(tmp_path / "image", {}, SIZE), size=SIZE + 512)


def test_nothing_is_made_while_a_deletion_holds_the_volume(tmp_path: Path) -> None:
    held, path = store(), image(tmp_path / "image", FIRST)
    lock = b'{"Name":"lock-0","Type":2,"Acquired":true}'
    held.put(records.lock_key("pvc-data", "lock-0"), lock)
    with pytest.raises(LockedError, match="failed to acquire lock"):
        back_up(held, path)
    assert list(held.objects) == [records.lock_key("pvc-data", "lock-0")]


def test_only_blocks_that_hold_something_are_looked_at(tmp_path: Path) -> None:
    path = image(tmp_path / "image", {1: b"x", 2: b"y" * (BLOCK + 1), 9: b"z"})
    with path.open("rb") as file:
        found = [offset // BLOCK for offset in touched(file.fileno(), SIZE, BLOCK)]
    assert found == [1, 2, 3, 9]
