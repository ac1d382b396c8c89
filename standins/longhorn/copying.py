"""A copy of a volume's folder that shows it as it was at one moment.

A real engine freezes a block device; here files are copied while the workload may write. So the
folder is looked at before and after, and a copy during which anything changed is thrown away and
made again. A volume that never rests is copied as the CSI stand-in copies it: each file as it was
when it was read.
"""

import logging
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from standins.longhorn.moments import Clock

# A canary writes for a second or two and then rests for a minute.
PAUSES = (0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 3.0)
ATTEMPTS = len(PAUSES) + 1
COPY_SECONDS = 3600.0

log = logging.getLogger("longhorn-stand-in")

State = list[tuple[bytes, int, int, int, int, int]]


class CopyError(Exception):
    """The volume's folder cannot be copied; one sentence."""


@dataclass(frozen=True)
class Copied:
    """`moment`: when the copy was begun. `still`: nothing changed meanwhile."""

    moment: datetime
    still: bool


def copy_at_rest(
    source: Path, target: Path, *, clock: Clock, sleep: Callable[[float], None]
) -> Copied:
    """Makes `target` a copy of `source`: owners, modes, times, links, holes, extended attributes.

    Raises CopyError when there is no such folder, or it could not be read to its end even once.
    """
    if not source.is_dir():
        raise CopyError(f"the storage has no folder {source}; is the volume of another node?")
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(PAUSES[attempt - 1])
        moment, before = clock(), state(source)
        said = _copied(source, target)
        if not said and before is not None and before == state(source):
            return Copied(moment, still=True)
    if said:
        raise CopyError(
            f"{source} could not be copied whole ({said}); does it change all the time?"
        )
    log.warning("%s changed during each of %d copies; each file is what it was", source, ATTEMPTS)
    return Copied(moment, still=False)


def _copied(source: Path, target: Path) -> str:
    """What went wrong, "" if nothing did."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = ["cp", "--archive", "--sparse=always", "--", f"{source}/.", str(target)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COPY_SECONDS, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or "cp failed")[-300:]


def state(root: Path) -> State | None:
    """What changes when anything in a folder does; None if something vanished under the look.

    The time of an inode's last change comes from the kernel, and no program sets it.
    """
    try:
        return sorted(_described(b"", os.fsencode(root)))
    except FileNotFoundError:
        return None


def _described(name: bytes, path: bytes) -> Iterator[tuple[bytes, int, int, int, int, int]]:
    found = os.lstat(path)
    yield (
        name,
        found.st_ino,
        found.st_mode,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )
    if stat.S_ISDIR(found.st_mode):
        for inside in os.listdir(path):  # noqa: PTH208
            yield from _described(name + b"/" + inside, path + b"/" + inside)
