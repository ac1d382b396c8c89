"""Backups of images that tests write, and the project's own reader on what came of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import KeyMissing
from drills.backupstore.objects import Found
from standins.longhorn.making import Made, Wanted, make_backup
from standins.longhorn.records import MIB
from standins.longhorn.store import Store
from tests.drills.backupstore.samples import image_sha256
from tests.standins.longhorn.memory_store import MemoryStore

SIZE = 32 * MIB
BLOCK = 2 * MIB
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
WANTED = Wanted(
    backup="backup-1",
    volume="pvc-data",
    size=SIZE,
    snapshot="snap-1",
    snapshot_created="2026-03-01T12:00:00Z",
    compression="lz4",
    storage_class="longhorn",
    labels={"KubernetesStatus": "{}"},
)


def store() -> MemoryStore:
    return MemoryStore(lambda: START)


def image(path: Path, blocks: dict[int, bytes], size: int = SIZE) -> Path:
    """A sparse file with these pieces at the beginning of these blocks."""
    with path.open("wb") as file:
        for number, content in blocks.items():
            file.seek(number * BLOCK)
            file.write(content)
        file.truncate(size)
    return path


def back_up(
    held: Store, path: Path, number: int = 1, *, snapshots: bool = True, **more: Any
) -> Made:
    """Backup `number` of the image; `snapshots`: whether earlier ones are still on the node."""
    wanted = replace(
        WANTED,
        backup=f"backup-{number}",
        snapshot=f"snap-{number}",
        snapshot_created=f"2026-03-01T12:0{number}:00Z",
        **more,
    )
    return make_backup(
        held,
        wanted,
        path,
        has_snapshot=lambda _: snapshots,
        workers=2,
        sleep=lambda _: None,
    )


def comes_back(held: MemoryStore, path: Path, name: str, volume: str = "pvc-data") -> bool:
    """Whether the project's reader makes the image out of the backup."""
    reader = BackupStore(_Objects(held))
    rebuilt = image_sha256(reader, reader.volume(volume), name)
    return rebuilt == sha256(path.read_bytes()).hexdigest()


class _Objects:
    """The memory, as the reader asks a store."""

    def __init__(self, held: MemoryStore) -> None:
        self._held = held

    def list(self, folder: str) -> Iterator[Found]:
        for key in sorted(self._held.objects):
            if key.startswith(folder):
                yield Found(key, len(self._held.objects[key]), START)

    def folders(self, folder: str) -> Iterator[str]:
        return iter(self._held.folders(folder))

    def get(self, key: str, limit: int) -> bytes:
        if key not in self._held.objects:
            raise KeyMissing(key)
        assert len(self._held.objects[key]) <= limit
        return self._held.objects[key]

    def head(self, key: str) -> Found | None:
        if key not in self._held.objects:
            return None
        return Found(key, len(self._held.objects[key]), START)


def blocks_of(held: MemoryStore) -> set[str]:
    return {key for key in held.objects if key.endswith(".blk")}
