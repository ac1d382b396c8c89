"""What is said of a rebuilt image: its file system, and of a canary's volume every file."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drills.canary.generations import fetch_usable, judge_volume, survey
from drills.canary.testimony import Testimony
from drills.frame import Compared, NotCompared
from drills.images.check import Run, check
from drills.images.errors import Fault, ImageError
from drills.images.file_system import FileSystem, open_image
from drills.images.recognise import Kind, contents
from drills.images.source import FileSource
from drills.verdict import Check, Reason
from drills.volumes.allowances import SNAPSHOT
from drills.volumes.compare_trees import Options

_READABLE = frozenset({Kind.EXT, Kind.XFS})
_OTHERS = {
    Kind.LUKS: "it is encrypted, and the drill has no key",
    Kind.PARTITIONED: "it is divided into partitions",
    Kind.LVM: "it is a part of a volume group",
    Kind.SWAP: "it is swap space",
    Kind.EMPTY: "nothing was ever written to it",
}


@dataclass(frozen=True)
class Truths:
    """The canary's truths about one of its volumes. `called`: the volume in the canary's words."""

    called: str
    testimony: Testimony = field(repr=False)


@dataclass
class Judged:
    """`heartbeat`: of the newest generation that came back; None of a volume that is no canary's.

    `witnessed`: a truth was held against its files.
    """

    checks: list[Check] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    heartbeat: datetime.datetime | None = None

    @property
    def witnessed(self) -> bool:
        return self.heartbeat is not None

    def leave_out(self, what: str, why: str) -> None:
        self.not_compared.append(NotCompared(what, 1, why))


def soundness(volume: str, image: Path, run: Run) -> Judged:
    """Recognises what an image holds, and checks a file system with its own tools.

    What only the journal holds is written to its place in the image first. Raises OSError.
    """
    judged = Judged()
    try:
        with FileSource(image) as source:
            held = contents(source)
    except ImageError as error:
        return _unreadable(volume, "file system", error)
    if held.kind not in _READABLE:
        why = _OTHERS.get(held.kind, f"it is none that is known ({held.detail})")
        judged.leave_out(f"file system of {volume}", why)
        return judged
    try:
        checked = check(image, run, disposable=True)
    except TimeoutError as error:
        judged.leave_out(f"soundness of the file system of {volume}", str(error))
        return judged
    if checked.clean is None:
        judged.leave_out(f"soundness of the file system of {volume}", checked.detail)
        return judged
    reason = None if checked.clean else Reason.RESTORE_POINT_DAMAGED
    seen = "sound" if checked.clean else checked.detail
    judged.checks.append(Check(volume, f"its {held.detail} file system", "sound", seen, reason))
    if checked.clean:
        judged.compared.append(
            Compared(
                f"file system of {volume}", 1, None, f"by {checked.tool}, its journal replayed"
            )
        )
    return judged


def against_truths(volume: str, image: Path, truths: Truths) -> Judged:
    """Every file of a canary's volume against its truth.

    A truth that must not be used is a finding, and the others are held against the volume.

    Raises StoreError, OSError.
    """
    with FileSource(image) as source:
        try:
            return _files(volume, open_image(source), truths)
        except ImageError as error:
            return _unreadable(volume, "canary files", error)


def _files(volume: str, system: FileSystem, truths: Truths) -> Judged:
    """Raises ImageError, StoreError."""
    held = survey(system.entries())
    known, damaged = fetch_usable(
        held, lambda number: truths.testimony.truth(truths.called, number)
    )
    options = Options("the truth its writer told the store", tuple(SNAPSHOT))
    found = judge_volume(volume, system.entries(), held, known, options, damaged=damaged)
    silent = [
        NotCompared(f"{flaw.flaw} generation of {volume}", 1, flaw.detail)
        for flaw in found.flaws
        if flaw.reason is None
    ]
    return Judged(
        found.checks(),
        [*found.comparison.compared],
        [*found.comparison.not_compared, *silent],
        None if found.newest is None else found.newest.time,
    )


def _unreadable(volume: str, what: str, error: ImageError) -> Judged:
    if error.fault is Fault.UNSUPPORTED:
        judged = Judged()
        judged.leave_out(f"{what} of {volume}", str(error))
        return judged
    damaged = Reason.RESTORE_POINT_DAMAGED
    return Judged([Check(volume, f"its {what}", "readable", str(error), damaged)])


def merged(found: Sequence[Judged]) -> Judged:
    """Several as one."""
    beats = [one.heartbeat for one in found if one.heartbeat is not None]
    return Judged(
        [check for one in found for check in one.checks],
        [line for one in found for line in one.compared],
        [line for one in found for line in one.not_compared],
        min(beats, default=None),
    )
