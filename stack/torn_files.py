"""Files that a killed engine left unfinished in its file backend.

The engine writes a file as a draft and renames it, but the attributes beside it (`<file>.attrs`)
in place. A kill in between leaves an empty one, and from then on every run ends with "failed to
load checkpoint: EOF" although the state itself is whole. Without the attributes the engine reads
the state all the same. A draft of a lock counts as a lock, and an empty one as an error.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from stack.errors import StackError

# Writing a lock takes milliseconds; an unfinished one this old has lost its writer.
ABANDONED_SECONDS = 10.0
_DRAFT = ".tmp"


def remove(root: Path, project: str, stack: str) -> list[Path]:
    """Removes unfinished files of a stack and returns them; only while nobody holds its lock.

    `root` is the backend's folder. State, backup and history themselves are never touched.
    """
    torn = list(_torn(root / ".pulumi", project, stack))
    for file in torn:
        file.unlink(missing_ok=True)
    return torn


def remove_lock_drafts(stack: str, folder: Path, now: float | None = None) -> list[Path]:
    """Removes unfinished locks from a stack's lock folder; raises StackError for a fresh one.

    `now`: Unix seconds, the clock's by default.
    """
    drafts = sorted(folder.glob(f"*.json.*{_DRAFT}")) if folder.is_dir() else []
    moment = time.time() if now is None else now
    for file in drafts:
        if _exists_since(file, moment) < ABANDONED_SECONDS:
            raise StackError(
                f"another run takes stack {stack} at this moment ({file.name} is being written): "
                f"run again in {ABANDONED_SECONDS:.0f} seconds"
            )
    for file in drafts:
        file.unlink(missing_ok=True)
    return drafts


def _torn(home: Path, project: str, stack: str) -> Iterator[Path]:
    states, history = home / "stacks" / project, home / "history" / project / stack
    yield from states.glob(f"{stack}.json*{_DRAFT}")
    sidecars = [
        home / "meta.yaml.attrs",
        *states.glob(f"{stack}.json*.attrs"),
        *history.glob("*.attrs"),
    ]
    yield from (file for file in sidecars if file.is_file() and file.stat().st_size == 0)


def _exists_since(file: Path, now: float) -> float:
    try:
        return now - file.stat().st_mtime
    except FileNotFoundError:
        return ABANDONED_SECONDS  # its writer has finished or given up
