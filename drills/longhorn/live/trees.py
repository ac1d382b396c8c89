"""Digest trees of rebuilt images, kept on disk until the restored volumes were held against them.

Longhorn's engine and the reader of images are two programs by different people; what both find in
the same backup is what was backed up.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drills.backupstore.parallel import StoppedError
from drills.images.errors import Fault, ImageError
from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.scratch import Scratch
from drills.volumes.entry import Entry, parse, render


@dataclass(frozen=True)
class ImageTree:
    """What the image of a backup holds, read by the drill. `fs_type` as in "ext4"."""

    volume: str
    backup: str
    fs_type: str
    spool: Path

    def entries(self) -> Iterator[Entry]:
        """In the order of their paths, as often as they are asked for. Raises OSError."""
        with self.spool.open("rb") as lines:
            for line in lines:
                yield parse(json.loads(line))


@dataclass(frozen=True)
class Unreadable:
    """An image of which there is no tree. `damaged`: what is in it contradicts itself."""

    why: str
    damaged: bool = False


@dataclass
class Trees:
    """Those of one run. `wanted`: volumes whose images are read."""

    scratch: Scratch
    stop: threading.Event
    wanted: frozenset[str] = frozenset()
    found: dict[str, ImageTree | Unreadable] = field(default_factory=dict)

    def take(self, volume: str, backup: str, image: Path) -> None:
        """Reads an image, if it is wanted. Raises StoppedError; OSError for the image."""
        if volume not in self.wanted:
            return
        try:
            spool = self.scratch.tree(volume)
            with FileSource(image) as source:
                system = open_image(source)
                self._write(spool, system.entries())
                self.found[volume] = ImageTree(volume, backup, system.version, spool)
        except ImageError as error:
            self.found[volume] = Unreadable(str(error), error.fault is Fault.DAMAGED)
        except OSError as error:
            why = f"its digest tree cannot be written below {self.scratch.above} ({error.strerror})"
            self.found[volume] = Unreadable(f"{why}; make room there, or set scratch")

    def _write(self, spool: Path, entries: Iterator[Entry]) -> None:
        with spool.open("wb") as out:
            for entry in entries:
                if self.stop.is_set():
                    raise StoppedError
                out.write(json.dumps(render(entry)).encode() + b"\n")

    def forget(self) -> None:
        """Removes all of them."""
        self.found = {}
        self.scratch.remove()
