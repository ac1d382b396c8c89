"""What is said of one restored volume: by the canary's truth, by the digests that were read around
the backup, or by what the backup counted.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from drills.canary.generations import fetch_usable, judge_volume, survey
from drills.canary.testimony import Testimony
from drills.coverage.volume_info import Method, VolumeRecord
from drills.frame import Compared, NotCompared
from drills.verdict import Check
from drills.volumes.against_digests import Against
from drills.volumes.allowances import DATA_MOVER, FILE_SYSTEM, SNAPSHOT, Allowance
from drills.volumes.compare_trees import Options, compare
from drills.volumes.compare_trees import checks as checks_of
from drills.volumes.entry import FILE, Entry
from drills.volumes.extent import NOT_TAKEN, Claim, extent
from drills.volumes.meanwhile import Line
from drills.volumes.tree import Trailer, Tree

Look = Callable[[str, Iterator[Entry]], Iterator[Entry]]
"""What is seen of a volume's tree; a control gives one that lies."""

Lines = Callable[[], Iterator[Line]]
"""A volume's digests anew from the first line. Raises DigestsError while they are read."""

DIGESTS = "the digests read before and after the backup"
_NOTHING_AT_REST = "no file with a digest was left alone while the backup ran"

_ALLOWANCES: dict[Method | None, Sequence[Allowance]] = {
    Method.FILE_SYSTEM: FILE_SYSTEM,
    Method.DATA_MOVER: DATA_MOVER,
    Method.CSI_SNAPSHOT: SNAPSHOT,
}


def as_it_is(_name: str, entries: Iterator[Entry]) -> Iterator[Entry]:
    return entries


@dataclass(frozen=True)
class ReadVolume:
    """A restored volume that was read. `name`: namespace and claim of its source.

    `open` gives its tree anew from the first line. Raises TreeError, as the tree does.
    """

    name: str
    record: VolumeRecord
    open: Callable[[], Tree]


@dataclass(frozen=True)
class Judgement:
    """`heartbeat`: of the newest generation that came back; None of a volume that is no canary's.

    `files`, `bytes`: what was read of the volume. `digested`: files held against their digests.
    """

    checks: Sequence[Check]
    compared: Sequence[Compared]
    not_compared: Sequence[NotCompared]
    files: int
    bytes: int
    heartbeat: datetime.datetime | None = None
    digested: int = 0


def judge_canary(
    volume: ReadVolume, called: str, testimony: Testimony, look: Look = as_it_is
) -> Judgement:
    """Every file against its truth; `called`: the volume's name in the canary's own words.

    A truth that must not be used is a finding, and the others are held against the volume.

    Raises TreeError, StoreError.
    """
    counted = _Counted(volume, look)
    held = survey(counted.entries())
    files, size = counted.files, counted.bytes
    truths, damaged = fetch_usable(held, lambda number: testimony.truth(called, number))
    options = Options("the truth its writer told the store", tuple(_allowances(volume.record)))
    judged = judge_volume(volume.name, counted.entries(), held, truths, options, damaged=damaged)
    found = judged.comparison
    silent = [
        NotCompared(f"{flaw.flaw} generation of {volume.name}", 1, flaw.detail)
        for flaw in judged.flaws
        if flaw.reason is None
    ]
    return Judgement(
        judged.checks(),
        found.compared,
        [*found.not_compared, *silent],
        files,
        size,
        None if judged.newest is None else judged.newest.time,
    )


def judge_extent(volume: ReadVolume, look: Look = as_it_is, why: str = NOT_TAKEN) -> Judgement:
    """Number and size against what the backup counted: a weaker proof. Raises TreeError.

    `why`: why there is no stronger one.
    """
    counted = _Counted(volume, look)
    for _ in counted.entries():
        pass
    seen = counted.trailer
    found = extent(volume.name, seen, _claim(volume.record), why)
    return Judgement(found.checks, found.compared, found.not_compared, seen.files, seen.bytes)


def judge_digests(volume: ReadVolume, lines: Lines, look: Look = as_it_is) -> Judgement:
    """Every file that did not change while the backup ran against its digest, and the whole against
    what the backup counted; without any such file only that.

    Raises TreeError, DigestsError.
    """
    counted = _Counted(volume, look)
    # What a snapshot holds is what was on the disk; a copy of files is made of what readers see.
    against = Against(of_disk=volume.record.method is not Method.FILE_SYSTEM)
    options = Options(DIGESTS, tuple(_allowances(volume.record)))
    observed = against.observed(lines(), counted.entries())
    found = compare(volume.name, against.expected(lines()), observed, options)
    seen, tally = counted.trailer, against.tally
    weaker = extent(volume.name, seen, _claim(volume.record), _NOTHING_AT_REST)
    left_out = [*found.not_compared, *tally.not_compared(volume.name)]
    if not tally.files:
        checks = [*(checks_of(found) if found.differs else ()), *weaker.checks]
        compared = [*found.compared, *weaker.compared]
        left_out = [*weaker.not_compared, *left_out]
    else:
        checks = [*checks_of(found), *(one for one in weaker.checks if not one.ok)]
        compared = list(found.compared)
    return Judgement(checks, compared, left_out, seen.files, seen.bytes, digested=tally.files)


def _allowances(record: VolumeRecord) -> Iterable[Allowance]:
    return _ALLOWANCES.get(record.method, ())


def _claim(record: VolumeRecord) -> Claim | None:
    """Of a snapshot that was not moved only the size of the whole volume is known."""
    if record.size is None or record.method not in (Method.FILE_SYSTEM, Method.DATA_MOVER):
        return None
    return Claim("the bytes that its backup counted", bytes=record.size)


@dataclass
class _Counted:
    """Readings of a volume through a look, the last of which is counted."""

    volume: ReadVolume
    look: Look
    files: int = 0
    bytes: int = 0
    _trailers: list[Trailer] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        self.files = self.bytes = 0
        tree = self.volume.open()
        for entry in self.look(self.volume.name, iter(tree)):
            if entry.type == FILE and entry.sha256:
                self.files += 1
                self.bytes += entry.size
            yield entry
        self._trailers.append(tree.trailer)

    @property
    def trailer(self) -> Trailer:
        return replace(self._trailers[-1], files=self.files, bytes=self.bytes)
