"""Two digest trees of a volume in use, from around a backup: what may be demanded of the backup.

What is the same in both, and was not touched in between, did not change while the backup ran: that
is the truth for its path. Everything else was changed, created or deleted meanwhile; nothing is
demanded of it, and it is only named.

That it was not touched is told by its change time, which no program can set: a file that became
another one and then the former again would look the same in both trees. A directory whose names did
not change has the same change time as well, and so nothing can have come and gone in it; of one
whose change time differs only mode and owners are known.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from drills.volumes.compare_trees import joined
from drills.volumes.entry import DIRECTORY, FILE, Entry

FRESH_SECONDS = 60
"""Linux writes a file to its disk within some 35 seconds of its last change (the kernel's
vm.dirty_expire_centisecs and dirty_writeback_centisecs, 30 and 5 by default, and a journal's own
five). A snapshot of the disk may lack what is younger, though every reader of the volume sees it.
"""

# A reader that was in the middle of a change; twice the same word is no sign of rest.
_IN_MOTION = frozenset({"changed", "vanished"})


class Seen(StrEnum):
    """How a path stands in the two trees."""

    STRICT = "strict"
    CHANGED = "changed-meanwhile"
    CREATED = "created-meanwhile"
    DELETED = "deleted-meanwhile"


class Line(NamedTuple):
    """One path of the two trees; `entry` as it was first seen, without its change time.

    `open`: a directory in which names may have come and gone meanwhile. `fresh`: changed so shortly
    before the first reading that it may not have been on the disk yet. Both of strict ones only.
    """

    entry: Entry
    seen: Seen
    open: bool = False
    fresh: bool = False

    @property
    def is_content(self) -> bool:
        """Whether it is a file whose content is known."""
        return self.seen is Seen.STRICT and self.entry.type == FILE and bool(self.entry.sha256)


def merged(before: Iterable[Entry], after: Iterable[Entry], fresh_after: int) -> Iterator[Line]:
    """The lines of two trees in the order of their paths; memory holds one entry of each.

    `fresh_after`: in ns since 1970, by the clock that dates changes. Both trees are taken to their
    ends; raises what they raise.
    """
    for first, second in joined(before, after):
        if first is not None and second is not None:
            yield _both(first, second, fresh_after)
        elif first is not None:
            yield _line(first, Seen.DELETED)
        elif second is not None:
            yield _line(second, Seen.CREATED)


def _both(first: Entry, second: Entry, fresh_after: int) -> Line:
    same_time = first.changed_at == second.changed_at
    if not _rests(first, second, same_time=same_time):
        return _line(first, Seen.CHANGED)
    is_open = first.type == DIRECTORY and (not same_time or bool(first.error or first.skipped))
    return _line(first, Seen.STRICT, is_open, first.changed_at > fresh_after)


def _rests(first: Entry, second: Entry, *, same_time: bool) -> bool:
    # The last two fields are bytes on disk, which move by themselves, and the change time.
    if first[:-2] != second[:-2] or first.error in _IN_MOTION:
        return False
    return same_time or first.type == DIRECTORY


def _line(entry: Entry, seen: Seen, is_open: bool = False, fresh: bool = False) -> Line:
    return Line(entry._replace(changed_at=0), seen, is_open, fresh)
