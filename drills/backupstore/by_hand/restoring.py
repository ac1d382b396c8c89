"""`restore`: a backup as a raw image, in a file or in a pipe."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from drills.backupstore.by_hand.words import counted, moment, sized, stamp
from drills.backupstore.catalog import BackupStore
from drills.backupstore.rebuild import Rebuilt, rebuild
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.backupstore.stream import stream


@dataclass(frozen=True)
class Restored:
    """An image, and what it is of."""

    volume: VolumeRecord
    backup: BackupRecord
    target: Path
    rebuilt: Rebuilt

    def lines(self) -> Iterator[str]:
        made, backup = self.rebuilt, self.backup
        yield (
            f"{self.target}: volume {self.volume.name} as of {moment(backup.snapshot_created)}, "
            f"{sized(made.bytes)}"
        )
        again = f", {made.resumed_blocks} of them there from before" if made.resumed_blocks else ""
        yield (
            f"backup {backup.name}: {counted(made.blocks, 'block')} checked{again}; "
            f"{sized(made.fetched_bytes)} read from the store"
        )
        if made.sha256:
            yield f"sha256 {made.sha256}"

    def document(self) -> dict[str, Any]:
        return {
            "file": str(self.target),
            "volume": self.volume.name,
            "backup": self.backup.name,
            "snapshotCreatedAt": stamp(self.backup.snapshot_created),
            "bytes": self.rebuilt.bytes,
            "blocks": self.rebuilt.blocks,
            "fetchedBytes": self.rebuilt.fetched_bytes,
            "resumedBlocks": self.rebuilt.resumed_blocks,
            "sha256": self.rebuilt.sha256 or None,
        }


def pipe(
    store: BackupStore,
    volume: VolumeRecord,
    backup: BackupRecord,
    out: BinaryIO,
    progress: Callable[[int, int], None],
) -> str:
    """Writes the image to a stream, holes as zeros; its SHA-256.

    progress: called with the bytes written, and all of them. Raises as `stream`, and OSError.
    """
    digest, done = hashlib.sha256(), 0
    for piece in stream(store, volume, backup):
        out.write(piece)
        digest.update(piece)
        done += len(piece)
        progress(done, volume.size)
    out.flush()
    return digest.hexdigest()


def restore(
    store: BackupStore,
    volume: VolumeRecord,
    backup: BackupRecord,
    target: Path,
    *,
    sha256: bool,
    progress: Callable[[int, int], None],
) -> Restored:
    """progress: called with the bytes of volume in place, and all of them. Raises as `rebuild`."""

    def told(done: int, whole: int) -> None:
        progress(done * backup.block_size, whole * backup.block_size)

    made = rebuild(store, volume, backup, target, progress=told, digest=sha256)
    return Restored(volume, backup, target, made)
