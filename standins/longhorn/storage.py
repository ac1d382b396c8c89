"""The volumes' folders, which the CSI stand-in keeps, and the way restored content gets into them.

A volume that is restored has no content when its folder is made: its `about.json` says under which
name it awaits some. Here the content is made aside and renamed to that name in `restored`, in one
step and when all of it is on the disk. The CSI stand-in renames it into the volume's folder. So
this program writes to no volume, a kill of either leaves the content in one of the two places or
makes this one begin anew, and what was meant for a volume that is gone is taken by nobody.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from standins.longhorn.unpacking import unpack

PARTIAL = "partial"
FAULT = ".fault"
# As in standins/csi/store.go.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")


class StorageError(Exception):
    """The volume's folder takes no content; one sentence."""


@dataclass(frozen=True)
class Storage:
    """`volumes`: the folder of all volumes, only read. `restored`: where content is handed over."""

    volumes: Path
    restored: Path

    def prepare(self) -> None:
        """Makes the folder, and removes what a killed run left half made."""
        shutil.rmtree(self.restored / PARTIAL, ignore_errors=True)
        (self.restored / PARTIAL).mkdir(mode=0o700, parents=True)

    def has_content(self, volume: str) -> bool:
        """Whether a volume that was made for a backup has what it was made for."""
        awaited = self._awaited(volume)
        # In this order: it moves from there to here.
        return bool(awaited) and (
            (self.restored / awaited).exists() or (self.volumes / volume / "data").exists()
        )

    def awaits(self, volume: str) -> bool:
        """Whether there is a volume of this name that content can be given to."""
        return bool(self._awaited(volume)) and not self.has_content(volume)

    def fill(self, volume: str, write: Callable[[Path], None]) -> None:
        """Gives the volume what is in the file system of the image that `write` writes.

        Raises StorageError, UnpackError, OSError, and what `write` raises.
        """
        awaited = self._awaited(volume)
        if not awaited:
            raise StorageError(
                f"the storage has no volume {volume} that awaits a backup; is it of another node, "
                "or was it made before its class named one?"
            )
        work = Path(tempfile.mkdtemp(dir=self.restored / PARTIAL))
        try:
            write(work / "image")
            (work / "asked").mkdir()
            unpack(work / "image", work / "data", work / "asked")
            # Nobody may see the name before what it names would outlive a power cut.
            os.sync()
            (work / "data").rename(self.restored / awaited)
            _sync(self.restored)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def tell_fault(self, volume: str) -> None:
        """Lets the CSI stand-in say that nothing will come."""
        awaited = self._awaited(volume)
        if awaited:
            (self.restored / f"{awaited}{FAULT}").touch()

    def sweep(self) -> None:
        """Removes what was meant for volumes that are gone."""
        # In this order: what is listed was awaited when it came.
        listed = {path.name for path in self.restored.iterdir()} - {PARTIAL}
        if not listed:
            return
        wanted = {self._awaited(path.name) for path in self.volumes.iterdir()}
        for name in listed:
            if name.removesuffix(FAULT) not in wanted:
                path = self.restored / name
                _removed(path)

    def _awaited(self, volume: str) -> str:
        """The name under which the volume takes content; "" if it is not there, or takes none."""
        if _NAME.fullmatch(volume) is None:
            return ""
        try:
            about = json.loads((self.volumes / volume / "about.json").read_bytes())
        except FileNotFoundError:
            return ""
        name = str(about.get("awaits", ""))
        return name if _NAME.fullmatch(name) else ""


def _removed(path: Path) -> None:
    """The CSI stand-in may be at it as well."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
