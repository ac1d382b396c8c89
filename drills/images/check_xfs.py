"""The check of xfs, by xfs_repair -n (xfs_repair(8): its options and exit codes).

xfs_repair replays no log, only a mount does; with a log that is not empty it says that it may find
faults that are none. So the log is replayed here, in a copy, and xfs_repair then judges that too.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from drills.images.errors import Fault, ImageError
from drills.images.programs import Checked, CopyError, Run, absent, private_copy, quoted
from drills.images.source import Source
from drills.images.xfs.log_records import Log
from drills.images.xfs.log_replay import replay
from drills.images.xfs.settled import settle
from drills.images.xfs.superblock import LARGEST_SECTOR, Superblock, parse

TOOL, _LOG_TOOL, _PACKAGE = "xfs_repair", "xfs_db", "xfsprogs"
_FAULTS = 1
_ALERT = "valuable metadata changes in a log"
_NOISE = re.compile(
    r"Phase |\s+- |No modify flag set|ALERT: |ignored because the -n|which may be resolved by"
    r"|Cannot get host filesystem|Repair may fail if|the image and the host|$"
)
# What a mount removes, and xfs_repair does not: blocks that were kept ready for a copy on writing,
# and files that were deleted while they were open. Those have no name and no link; a file that lost
# its name by a fault has a link still.
_LEFT_OVER = re.compile(
    r"agi unlinked bucket \d+ is \d+ in ag \d+ \(inode=\d+\)"
    r"|[Ww]ould clear next_unlinked in inode \d+"
    r"|leftover CoW extent \(\d+/\d+\) len \d+"
)
_NAMELESS = re.compile(r"disconnected (?:dir )?inode (\d+), would move to lost\+found")
_LINKLESS = re.compile(r"would have reset inode (\d+) nlinks from 0 to [12]")


def check(path: Path, source: Source, run: Run, *, disposable: bool) -> Checked:
    """Raises OSError, and what `run` raises apart from FileNotFoundError."""
    try:
        superblock = parse(source.read(0, LARGEST_SECTOR))
        dirty = bool(Log(source, superblock).active())
    except ImageError as error:
        if error.fault is Fault.DAMAGED:
            return Checked(False, "", str(error))
        superblock, dirty = None, False
    try:
        if superblock is None or not dirty:
            return _looked_at(path, run, replayed=False)
        if disposable:
            return _replayed(path, source, superblock, run)
        with private_copy(path, run) as copy:
            return _replayed(copy, source, superblock, run)
    except FileNotFoundError as error:
        return absent(error.filename or TOOL, _PACKAGE)
    except CopyError as error:
        return Checked(None, "", str(error))


def _replayed(image: Path, source: Source, superblock: Superblock, run: Run) -> Checked:
    try:
        replayed = replay(source, superblock)
        rounds = settle(image, superblock, Log(source, superblock), replayed)
    except ImageError as error:
        clean = False if error.fault is Fault.DAMAGED else None
        return Checked(clean, "", f"its log cannot be replayed: {error}")
    ran = run([_LOG_TOOL, "-x", "-c", f"logformat -c {rounds}", str(image)])
    if ran.code:
        said = quoted(ran.output.splitlines())
        return Checked(None, _LOG_TOOL, f"{_LOG_TOOL} cannot end its log in order: {said}")
    judged = _looked_at(image, run, replayed=True)
    if judged.clean is False and replayed.unfinished:
        return Checked(
            None, TOOL, f"only a mount ends {replayed.unfinished} changes that its log announces"
        )
    return judged


def _looked_at(image: Path, run: Run, *, replayed: bool) -> Checked:
    # Small ones have a single group, which it does not look at unless it is told to.
    ran = run([TOOL, "-n", "-f", "-o", "force_geometry", str(image)])
    if ran.code == 0:
        return Checked(True, TOOL, f"{TOOL} finds no fault in its xfs")
    if _ALERT in ran.output:
        return Checked(None, TOOL, "its log holds changes that only a mount would make up")
    complaints = _complaints(ran.output)
    if ran.code == _FAULTS and complaints:
        grave = _grave(complaints) if replayed else complaints
        if grave:
            return Checked(False, TOOL, f"{TOOL} finds faults in its xfs: {quoted(grave)}")
        return Checked(
            True, TOOL, f"{TOOL} finds no fault in its xfs, apart from what a mount would remove"
        )
    said = quoted(complaints) if complaints else "it said nothing"
    return Checked(None, TOOL, f"{TOOL} did not end as it should (exit code {ran.code}): {said}")


def _grave(complaints: Sequence[str]) -> list[str]:
    """Without those about what a mount would remove."""
    linkless = {found[1] for line in complaints if (found := _LINKLESS.fullmatch(line))}

    def is_left_over(line: str) -> bool:
        about = _NAMELESS.fullmatch(line) or _LINKLESS.fullmatch(line)
        return about[1] in linkless if about else bool(_LEFT_OVER.fullmatch(line))

    return [line for line in complaints if not is_left_over(line)]


def _complaints(output: str) -> list[str]:
    # The last line may be cut off.
    whole: Iterable[str] = output[: output.rfind("\n") + 1].splitlines()
    return [line.strip() for line in whole if not _NOISE.match(line)]
