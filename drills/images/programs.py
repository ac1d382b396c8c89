"""How the checks of file systems run programs."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """How a command ended; `output` is stdout and stderr together, cut to a sane length."""

    code: int
    output: str


Run = Callable[[Sequence[str]], Ran]
"""Runs a command without stdin, and in English. Raises FileNotFoundError when there is no such
command, and TimeoutError when it takes too long."""


@dataclass(frozen=True)
class Checked:
    """`clean` None: nothing could be concluded. `tool`: the command, "" if none ran; `detail` one
    sentence."""

    clean: bool | None
    tool: str
    detail: str


class CopyError(Exception):
    """There is no copy of an image; one sentence."""


@contextmanager
def private_copy(path: Path, run: Run) -> Iterator[Path]:
    """A copy beside an image, which is gone in the end; one that shares its blocks where the file
    system can do that, else with its holes. Raises CopyError, OSError."""
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:64]}-check-", dir=path.parent))
    try:
        copy = folder / "image"
        ran = run(["cp", "--reflink=auto", "--sparse=always", "--", str(path), str(copy)])
        if ran.code:
            said = first_line(ran.output)
            raise CopyError(
                f"the image cannot be copied beside itself for a replay of its journal ({said}); "
                f"make room in {path.parent}"
            )
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def first_line(output: str) -> str:
    """Something short for a sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[0][:200] if lines else "it said nothing"


def absent(tool: str, package: str) -> Checked:
    """Of a tool that is not installed."""
    return Checked(
        None, "", f"{tool} is not installed (in Debian: {package}), so nothing is known of it"
    )


def quoted(lines: Sequence[str], most: int = 3) -> str:
    """The first of a tool's complaints, and how many more there are."""
    shown = "; ".join(line[:200] for line in lines[:most])
    return f"{shown} and {len(lines) - most} more" if len(lines) > most else shown
