"""The snapshots that this node keeps, each an image of its volume at one moment."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from standins.longhorn import copying
from standins.longhorn.image import make_image
from standins.longhorn.moments import Clock

PARTIAL = "partial"


@dataclass(frozen=True)
class SnapshotFolder:
    """`root`: where they are kept. `volumes`: the storage's folder with one folder per volume."""

    root: Path
    volumes: Path
    clock: Clock
    sleep: Callable[[float], None]

    def prepare(self) -> None:
        """Makes the folder, and removes what a killed run left half made."""
        shutil.rmtree(self.root / PARTIAL, ignore_errors=True)
        (self.root / PARTIAL).mkdir(mode=0o700, parents=True)

    def image(self, name: str) -> Path:
        return self.root / f"{name}.img"

    def has(self, name: str) -> bool:
        return self.image(name).is_file()

    def size(self, name: str) -> int:
        """Bytes that it takes on the disk."""
        return self.image(name).stat().st_blocks * 512

    def make(self, name: str, volume: str, size: int) -> datetime:
        """Takes one; the moment that it shows. Raises CopyError, ImageError, OSError."""
        work = Path(tempfile.mkdtemp(dir=self.root / PARTIAL))
        try:
            copied = copying.copy_at_rest(
                self.volumes / volume / "data", work / "data", clock=self.clock, sleep=self.sleep
            )
            make_image(work / "data", work / "image", size, volume)
            (work / "image").rename(self.image(name))
            return copied.moment
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.image(name).unlink()

    def names(self) -> set[str]:
        return {path.name.removesuffix(".img") for path in self.root.glob("*.img")}
