"""A backup's blocks become the image that they were made of, or it is said why they do not."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from standins.longhorn import lz4_frame, records, restoring
from standins.longhorn.compression import UnknownMethodError
from standins.longhorn.locks import LockedError
from standins.longhorn.restoring import Origin, RestoreError, restore_image
from standins.longhorn.store_errors import StoreError
from tests.drills.backupstore.samples import FIXTURE, TRUTH
from tests.standins.longhorn.backups import BLOCK, SIZE, back_up, blocks_of, image, store
from tests.standins.longhorn.memory_store import MemoryStore

FIRST = {0: b"zero" * 100, 3: b"three", 15: b"last" * 1000}
ORIGIN = Origin("backup-1", "pvc-data")


def restored(held: MemoryStore, target: Path, origin: Origin = ORIGIN, **more: Any) -> Path:
    more = {"workers": 2, "sleep": lambda _: None, **more}
    restore_image(held, origin, target, **more)
    return target


@pytest.fixture
def held(tmp_path: Path) -> MemoryStore:
    """With one backup."""
    made = store()
    back_up(made, image(tmp_path / "source", FIRST))
    return made


def change(held: MemoryStore, key: str, **changes: Any) -> None:
    held.objects[key] = json.dumps(json.loads(held.objects[key]) | changes).encode()


def genuine() -> MemoryStore:
    """The store that Longhorn's own engine wrote."""
    root = FIXTURE / "bucket"
    made = store()
    for path in root.rglob("*"):
        if path.is_file():
            made.objects[str(path.relative_to(root))] = path.read_bytes()
    return made


@pytest.mark.parametrize("name", TRUTH)
def test_what_longhorns_engine_backed_up_comes_back(name: str, tmp_path: Path) -> None:
    target = restored(genuine(), tmp_path / "image", Origin(name, TRUTH[name]["volume"]))
    assert hashlib.sha256(target.read_bytes()).hexdigest() == TRUTH[name]["sha256"]


@pytest.mark.parametrize("method", ["lz4", "gzip", "none"])
def test_what_the_stand_in_backed_up_comes_back(tmp_path: Path, method: str) -> None:
    held = store()
    first = image(tmp_path / "1", FIRST)
    second = image(tmp_path / "2", {0: b"other", 7: b"new"})
    back_up(held, first, 1, compression=method)
    back_up(held, second, 2, compression=method, block_size=2 * BLOCK, mode="full")
    for number, source in ((1, first), (2, second)):
        target = restored(held, tmp_path / "image", Origin(f"backup-{number}", "pvc-data"))
        assert target.read_bytes() == source.read_bytes()
        assert target.stat().st_blocks * 512 < SIZE // 2, "it is sparse"
    assert not [key for key in held.objects if key.endswith(".lck")]


def test_an_empty_backup_is_an_empty_image(tmp_path: Path) -> None:
    held = store()
    back_up(held, image(tmp_path / "source", {}))
    assert restored(held, tmp_path / "image").stat().st_size == SIZE


def test_a_lock_is_held_that_keeps_removals_away(held: MemoryStore, tmp_path: Path) -> None:
    seen = []

    def looks() -> bool:
        seen.append([json.loads(one) for key, one in held.objects.items() if key.endswith(".lck")])
        return True

    restored(held, tmp_path / "image", wanted=looks)
    assert [(one["Type"], one["Acquired"]) for (one,) in seen] == [(1, True)] * 3


def test_a_removal_is_waited_for(held: MemoryStore, tmp_path: Path) -> None:
    lock = {"Name": "lock-0", "Type": 2, "Acquired": True}
    held.put(records.lock_key("pvc-data", "lock-0"), json.dumps(lock).encode())
    with pytest.raises(LockedError, match="create/restore"):
        restored(held, tmp_path / "image")


def test_a_block_that_is_missing_is_tried_again_and_then_an_error(
    held: MemoryStore, tmp_path: Path
) -> None:
    missing = sorted(blocks_of(held))[0]
    del held.objects[missing]
    slept: list[float] = []
    with pytest.raises(RestoreError, match=f"failed after 3 attempts: .*{missing}.*NoSuchKey"):
        restored(held, tmp_path / "image", sleep=slept.append)
    assert [one for one in slept if one != 2.0] == list(restoring.RETRY_SECONDS)
    assert not [key for key in held.objects if key.endswith(".lck")]


def test_a_block_that_comes_a_moment_later_is_taken(held: MemoryStore, tmp_path: Path) -> None:
    late = sorted(blocks_of(held))[0]
    content = held.objects.pop(late)
    target = restored(
        held,
        tmp_path / "image",
        sleep=lambda seconds: held.objects.update({late: content} if seconds == 1.0 else {}),
    )
    assert target.read_bytes() == (tmp_path / "source").read_bytes()


@pytest.mark.parametrize("damage", ["content", "exchange"])
def test_a_wrong_checksum_is_an_error_at_once(
    held: MemoryStore, tmp_path: Path, damage: str
) -> None:
    first, second, *_ = sorted(blocks_of(held))
    held.objects[first] = (
        lz4_frame.frame(b"other" + bytes(BLOCK - 5))
        if damage == "content"
        else held.objects[second]
    )
    slept: list[float] = []
    with pytest.raises(RestoreError, match=f"checksum verification failed for block {first}"):
        restored(held, tmp_path / "image", sleep=slept.append)
    assert set(slept) <= {2.0}, "nothing but the lock's rest"


def test_a_block_that_is_no_frame_is_an_error(held: MemoryStore, tmp_path: Path) -> None:
    broken = sorted(blocks_of(held))[0]
    held.objects[broken] = held.objects[broken][:-9]
    with pytest.raises(RestoreError, match="ends too early"):
        restored(held, tmp_path / "image")


def test_a_block_under_another_methods_mark_is_read(held: MemoryStore, tmp_path: Path) -> None:
    change(held, records.backup_key("pvc-data", "backup-1"), CompressionMethod="gzip")
    target = restored(held, tmp_path / "image")
    assert target.read_bytes() == (tmp_path / "source").read_bytes()


def test_a_short_block_is_an_error(held: MemoryStore, tmp_path: Path) -> None:
    digits = records.checksum(b"short")
    held.objects[records.block_key("pvc-data", digits)] = gzip.compress(b"short")
    blocks = [{"Offset": 0, "BlockChecksum": digits}]
    change(held, records.backup_key("pvc-data", "backup-1"), Blocks=blocks)
    with pytest.raises(RestoreError, match="holds 5 bytes"):
        restored(held, tmp_path / "image")


@pytest.mark.parametrize("offset", [SIZE, -BLOCK, 1])
def test_a_block_outside_the_volume_is_an_error(
    held: MemoryStore, tmp_path: Path, offset: int
) -> None:
    key = records.backup_key("pvc-data", "backup-1")
    (first, *_) = json.loads(held.objects[key])["Blocks"]
    change(held, key, Blocks=[{**first, "Offset": offset}])
    with pytest.raises(RestoreError, match="lies outside the volume"):
        restored(held, tmp_path / "image")


@pytest.mark.parametrize("key", ["volume", "backup"])
def test_a_record_that_is_missing_is_named(held: MemoryStore, tmp_path: Path, key: str) -> None:
    volume, backup = records.volume_key("pvc-data"), records.backup_key("pvc-data", "backup-1")
    wanted = volume if key == "volume" else backup
    del held.objects[wanted]
    with pytest.raises(RestoreError, match=f"cannot find {wanted} in backupstore"):
        restored(held, tmp_path / "image")


def test_a_record_that_cannot_be_read_is_named(held: MemoryStore, tmp_path: Path) -> None:
    key = records.backup_key("pvc-data", "backup-1")
    held.objects[key] = b"{"
    with pytest.raises(RestoreError, match=f"{key} cannot be read"):
        restored(held, tmp_path / "image")


def test_a_backup_that_is_being_made_is_none(held: MemoryStore, tmp_path: Path) -> None:
    change(held, records.backup_key("pvc-data", "backup-1"), CreatedTime="")
    with pytest.raises(RestoreError, match="never finished"):
        restored(held, tmp_path / "image")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Size": "3145728"}, "volume size 3145728 is not a multiple of block size 2097152"),
        ({"Size": "0"}, "volume size 0"),
    ],
)
def test_a_size_that_makes_no_blocks_is_an_error(
    held: MemoryStore, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    change(held, records.volume_key("pvc-data"), **changes)
    with pytest.raises(RestoreError, match=said):
        restored(held, tmp_path / "image")


def test_a_block_size_that_is_none_is_an_error(held: MemoryStore, tmp_path: Path) -> None:
    key = records.backup_key("pvc-data", "backup-1")
    change(held, key, Parameters={"backup-block-size": "large"})
    with pytest.raises(RestoreError, match="invalid block size: 'large' is no size"):
        restored(held, tmp_path / "image")


def test_a_method_that_longhorn_has_not_is_an_error(held: MemoryStore, tmp_path: Path) -> None:
    change(held, records.backup_key("pvc-data", "backup-1"), CompressionMethod="zstd")
    with pytest.raises(UnknownMethodError):
        restored(held, tmp_path / "image")


def test_a_store_that_is_away_is_an_error(held: MemoryStore, tmp_path: Path) -> None:
    held.broken = "dial tcp store: connect: connection refused"
    with pytest.raises(StoreError, match="connection refused"):
        restored(held, tmp_path / "image")


def test_a_restore_that_nobody_wants_any_more_ends(held: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match="cancelled: the volume is gone"):
        restored(held, tmp_path / "image", wanted=lambda: False)
