"""The check of ext2, ext3 and ext4, by e2fsck (e2fsck(8): its options and exit codes)."""

from pathlib import Path

from drills.images.errors import ImageError
from drills.images.ext.superblock import OFFSET, RECOVER, SIZE, Superblock, parse
from drills.images.programs import Checked, CopyError, Ran, Run, absent, private_copy, quoted
from drills.images.source import Source

TOOL, _PACKAGE = "e2fsck", "e2fsprogs"
_UNCORRECTED, _FAILED = 4, 8
_NOISE = (
    "e2fsck ",
    "Pass ",
    "Fix? ",
    "Clear? ",
    "Warning: skipping journal recovery",
    "Warning!",
)


def check(path: Path, source: Source, run: Run, *, disposable: bool) -> Checked:
    """Raises OSError, and what `run` raises apart from FileNotFoundError."""
    try:
        superblock = parse(source.read(OFFSET, SIZE))
    except ImageError as error:
        return Checked(False, "", str(error))
    if superblock.faulty:
        return Checked(
            False, "", "the kernel met faults in this file system, and noted that in its superblock"
        )
    try:
        if superblock.incompatible & RECOVER and not disposable:
            with private_copy(path, run) as copy:
                return _replayed(copy, run, superblock)
        return _replayed(path, run, superblock)
    except FileNotFoundError:
        return absent(TOOL, _PACKAGE)
    except CopyError as error:
        return Checked(None, "", str(error))


def _replayed(image: Path, run: Run, superblock: Superblock) -> Checked:
    """What a mount does first: the journal, and files that were deleted while they were open.

    With -p and without -f e2fsck does that and no more, unless it finds faults noted.
    """
    if superblock.incompatible & RECOVER:
        ran = run([TOOL, "-p", str(image)])
        if ran.code & ~(_UNCORRECTED - 1):
            return _judged(ran, "its journal cannot be replayed")
    return _looked_at(image, run, superblock)


def _looked_at(image: Path, run: Run, superblock: Superblock) -> Checked:
    ran = run([TOOL, "-f", "-n", str(image)])
    if ran.code == 0:
        return Checked(True, TOOL, f"{TOOL} finds no fault in its {superblock.version}")
    return _judged(ran, f"{TOOL} finds faults in its {superblock.version}")


def _judged(ran: Ran, what: str) -> Checked:
    """Of an exit code that is not 0."""
    complaints = _complaints(ran.output)
    said = quoted(complaints) if complaints else f"exit code {ran.code}"
    if ran.code & _UNCORRECTED:
        return Checked(False, TOOL, f"{what}: {said}")
    if ran.code & _FAILED:
        # It opened the image as far as to say so: the file is there, and what is in it is not.
        return Checked(False, TOOL, f"{TOOL} cannot check it: {said}")
    return Checked(None, TOOL, f"{TOOL} did not end as it should (exit code {ran.code}): {said}")


def _complaints(output: str) -> list[str]:
    lines = (line.strip() for line in output.splitlines())
    return [line.removesuffix("Fix? no").strip() for line in lines if line and not _is_noise(line)]


def _is_noise(line: str) -> bool:
    return line.startswith(_NOISE) or line.endswith(" blocks")
