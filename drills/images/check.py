"""Whether the file system in an image file is sound, by its own tools, which write nothing to it.

A backup of a mounted volume is as after a power cut: changes that only its journal holds are for
the next mount to make. Before that a tool sees faults that are none, so where there is something to
be made up, a private copy of the image is replayed, and that is checked.
"""

from pathlib import Path

from drills.images import check_ext, check_xfs
from drills.images.programs import Checked, Ran, Run
from drills.images.recognise import Kind, contents
from drills.images.source import FileSource

__all__ = ["Checked", "Ran", "Run", "check"]


def check(path: Path, run: Run, *, disposable: bool = False) -> Checked:
    """Whether the file system in an image file is sound.

    Nothing is written to the file, unless it is `disposable`: then it is replayed itself, which
    saves the room and the time for a copy beside it.

    Raises OSError where the image cannot be read, and what `run` raises apart from
    FileNotFoundError.
    """
    with FileSource(path) as source:
        held = contents(source)
        if held.kind is Kind.EXT:
            return check_ext.check(path, source, run, disposable=disposable)
        if held.kind is Kind.XFS:
            return check_xfs.check(path, source, run, disposable=disposable)
    return Checked(None, "", f"the image holds {held.detail}, for which there is no check")
