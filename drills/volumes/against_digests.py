"""Which entries of a restored volume are held against its digests, and what is left out of it, why.

Both sides are streams in the order of their paths; memory holds the directories on the way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from drills.frame import NotCompared
from drills.volumes.entry import DIRECTORY, LISTING, Entry
from drills.volumes.meanwhile import FRESH_SECONDS, Line, Seen

_WHY = {
    Seen.CHANGED: "they were changed while the backup ran",
    Seen.CREATED: "they were created while the backup ran",
    Seen.DELETED: "they were deleted while the backup ran",
}
_WHY_FRESH = (
    f"they were changed less than {FRESH_SECONDS} s before the first reading, so they may not have "
    "been on the disk when the snapshot was taken"
)
_WHY_UNKNOWN = (
    "they came back and neither reading saw them; their directories were not there, or not at "
    "rest, while the backup ran, so they may have been there just then"
)


@dataclass
class Tally:
    """What a comparison left out; `files`: those of the digests whose content is demanded."""

    files: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def not_compared(self, volume: str) -> list[NotCompared]:
        return [
            NotCompared(f"entries of {volume}", count, why)
            for why, count in sorted(self.left_out.items())
            if count
        ]


@dataclass(frozen=True)
class Against:
    """`of_disk`: the backup holds what was on the disk, and not what a reader of the files saw."""

    of_disk: bool
    tally: Tally = field(default_factory=Tally)

    def expected(self, lines: Iterable[Line]) -> Iterator[Entry]:
        """What must have come back as it is."""
        for line in lines:
            if self._demanded(line):
                self.tally.files += line.is_content
                yield line.entry

    def observed(self, lines: Iterable[Line], entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries of the restored volume of which the digests can say something.

        What neither reading saw is something only in a directory in which nothing can have come and
        gone meanwhile. Elsewhere a file that lived only while the backup ran may rightly be in it,
        and to call that a fault would teach people to pass over faults.
        """
        known = _Known(iter(lines), self)
        for entry in entries:
            line = known.at(entry.path)
            if line is not None:
                if self._demanded(line):
                    yield entry
            elif entry.type == LISTING or known.is_quiet(entry.path.rpartition(b"/")[0]):
                yield entry
            else:
                self.tally.left_out[_WHY_UNKNOWN] += 1
        known.finish()

    def _demanded(self, line: Line) -> bool:
        return line.seen is Seen.STRICT and not (self.of_disk and line.fresh)

    def _count(self, line: Line) -> None:
        if line.seen is not Seen.STRICT:
            self.tally.left_out[_WHY[line.seen]] += 1
        elif not self._demanded(line):
            self.tally.left_out[_WHY_FRESH] += 1

    def _is_quiet(self, line: Line) -> bool:
        return line.entry.type == DIRECTORY and self._demanded(line) and not line.open


class _Known:
    """The digests' lines up to a path, and the directories on the way to it."""

    def __init__(self, lines: Iterator[Line], against: Against) -> None:
        self._lines = lines
        self._against = against
        self._next = next(lines, None)
        # What lies below a directory stands before the first path that is not less than its name
        # and "0", the byte after the slash; these ranges are nested.
        self._quiet: list[bytes] = []

    def at(self, path: bytes) -> Line | None:
        """The line of this path; paths must rise."""
        found = None
        while self._next is not None and self._next.entry.path <= path:
            found = self._taken(self._next)
            self._next = next(self._lines, None)
        return found if found is not None and found.entry.path == path else None

    def is_quiet(self, folder: bytes) -> bool:
        """Whether nothing can have come and gone in it."""
        return any(one == folder for one in reversed(self._quiet))

    def finish(self) -> None:
        while self._next is not None:
            self._taken(self._next)
            self._next = next(self._lines, None)

    def _taken(self, line: Line) -> Line:
        self._against._count(line)
        path = line.entry.path
        while self._quiet and self._quiet[-1] and path >= self._quiet[-1] + b"0":
            self._quiet.pop()
        if self._against._is_quiet(line):
            self._quiet.append(path)
        return line
