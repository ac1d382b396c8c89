"""Controls of what is held against digests that were read around a backup."""

from collections.abc import Callable, Iterator

from drills.backup.controls import Control
from drills.verdict import Reason
from drills.volumes.drill import Lens, VolumesDrill
from drills.volumes.entry import Entry
from drills.volumes.meanwhile import Line
from drills.volumes.payload import VolumesPayload

Make = Callable[[VolumesPayload], VolumesDrill]


def _flipped(payload: VolumesPayload, make: Make) -> VolumesDrill:
    def look(_name: str, lines: Iterator[Line]) -> Iterator[Line]:
        for line, chosen in _chosen(lines):
            yield line._replace(entry=_with_other_digest(line.entry)) if chosen else line

    return _through(make(payload), Lens(digests=look))


def _lost(payload: VolumesPayload, make: Make) -> VolumesDrill:
    def look(name: str, entries: Iterator[Entry]) -> Iterator[Entry]:
        gone = {line.entry.path for line, chosen in _chosen(rigged.digest_lines(name)) if chosen}
        return (one for one in entries if one.path not in gone)

    rigged = _through(make(payload), Lens(tree=look))
    return rigged


def _chosen(lines: Iterator[Line]) -> Iterator[tuple[Line, bool]]:
    """Which lines a fault is planted in: the first file, and the first that had long been at rest.

    Nothing is demanded of one that had not, where the backup is of a disk.
    """
    any_yet = rested_yet = False
    for line in lines:
        fit = line.is_content and not line.entry.path.startswith(b"lost+found/")
        chosen = fit and (not any_yet or not (rested_yet or line.fresh))
        any_yet, rested_yet = any_yet or chosen, rested_yet or (chosen and not line.fresh)
        yield line, chosen


def _with_other_digest(entry: Entry) -> Entry:
    first = "1" if entry.sha256[0] == "0" else "0"
    return entry._replace(sha256=first + entry.sha256[1:])


def _through(drill: VolumesDrill, lens: Lens) -> VolumesDrill:
    return VolumesDrill(drill.course, drill.edges, lens)


def _has_digests(proven: VolumesDrill) -> bool:
    return proven.digested > 0


CONTROLS: tuple[Control[VolumesPayload, VolumesDrill], ...] = (
    Control("changed-digest", "one file of each volume is said to have had another digest at the "
            "backup", Reason.CONTENT_DIFFERS, _flipped, _has_digests),
    Control("lost-digested-file", "one file of each volume with digests is not seen",
            Reason.FILE_LOST, _lost, _has_digests),
)  # fmt: skip
