"""What no backup needs goes, and only that."""

from pathlib import Path

import pytest

from standins.longhorn import records
from standins.longhorn.locks import LockedError
from standins.longhorn.records import BackupRecord
from standins.longhorn.removing import remove_backup, remove_volume
from tests.standins.longhorn.backups import back_up, blocks_of, comes_back, image, store
from tests.standins.longhorn.memory_store import MemoryStore

VOLUME = "pvc-data"


@pytest.fixture
def chain(tmp_path: Path) -> MemoryStore:
    """Three backups: of blocks a and b; of a and c; of c and d."""
    held = store()
    back_up(held, image(tmp_path / "1", {0: b"a", 1: b"b"}), 1)
    back_up(held, image(tmp_path / "2", {0: b"a", 1: b"c"}), 2)
    back_up(held, image(tmp_path / "3", {0: b"d", 1: b"c"}), 3)
    return held


def remove(held: MemoryStore, name: str) -> None:
    remove_backup(held, VOLUME, name, lambda _: None)


def volume(held: MemoryStore) -> records.VolumeRecord:
    return records.parse_volume(held.objects[records.volume_key(VOLUME)])


def test_blocks_that_others_need_stay(chain: MemoryStore, tmp_path: Path) -> None:
    remove(chain, "backup-1")
    assert volume(chain).block_count == len(blocks_of(chain)) == 3
    assert comes_back(chain, tmp_path / "2", "backup-2")
    assert comes_back(chain, tmp_path / "3", "backup-3")
    assert volume(chain).last_backup == "backup-3"


def test_the_newest_that_is_left_becomes_the_last(chain: MemoryStore, tmp_path: Path) -> None:
    remove(chain, "backup-3")
    assert volume(chain).last_backup == "backup-2"
    assert volume(chain).last_backup_at == "2026-03-01T12:02:00Z"
    assert comes_back(chain, tmp_path / "2", "backup-2")
    for name in ("backup-1", "backup-2"):
        remove(chain, name)
    assert (volume(chain).last_backup, volume(chain).last_backup_at) == ("", "")
    assert not blocks_of(chain)


def test_a_backup_that_is_not_there_is_removed_already(chain: MemoryStore) -> None:
    before = blocks_of(chain)
    remove(chain, "backup-9")
    assert blocks_of(chain) == before
    remove_backup(chain, "pvc-other", "backup-1", lambda _: None)


@pytest.mark.parametrize(
    "content",
    [b"not json", records.backup_bytes(BackupRecord("backup-4", VOLUME, "lz4"))],
    ids=["unreadable", "unfinished"],
)
def test_while_a_record_cannot_be_counted_no_block_goes(chain: MemoryStore, content: bytes) -> None:
    chain.put(records.backup_key(VOLUME, "backup-4"), content)
    before = blocks_of(chain)
    remove(chain, "backup-1")
    assert blocks_of(chain) == before
    assert records.backup_key(VOLUME, "backup-1") not in chain.objects


def test_a_restore_that_holds_the_volume_holds_the_removal_up(chain: MemoryStore) -> None:
    key = records.lock_key(VOLUME, "lock-0")
    chain.put(key, b'{"Name":"lock-0","Type":1,"Acquired":true}')
    with pytest.raises(LockedError, match="delete"):
        remove(chain, "backup-1")
    assert records.backup_key(VOLUME, "backup-1") in chain.objects
    chain.delete(key)
    remove(chain, "backup-1")
    assert records.backup_key(VOLUME, "backup-1") not in chain.objects


def test_a_volume_goes_whole(chain: MemoryStore) -> None:
    chain.put("backupstore/volumes/other", b"x")
    remove_volume(chain, VOLUME, lambda _: None)
    assert list(chain.objects) == ["backupstore/volumes/other"]
