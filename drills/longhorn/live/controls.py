"""Controls of Longhorn's restores. None restores anything anew: what the drill read is kept until
its control is over, and is shown to the same comparison with a fault in it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from drills.frame import Phase, Record
from drills.longhorn.live.orders import merged, orders
from drills.longhorn.live.part import Part
from drills.longhorn.live.times import time_check
from drills.verdict import Reason
from drills.volumes.entry import FILE, Entry

_NEVER = 1e-9


@dataclass(frozen=True)
class Replay:
    """A drill of one phase, over what another one found. Nothing is made, so nothing is left."""

    layer: str
    run_id: str
    name: str
    run: Callable[[Record], str]

    def phases(self) -> Sequence[Phase]:
        return (Phase(self.name, self.run),)

    def closing(self) -> Sequence[Phase]:
        return ()

    def versions(self) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True)
class LiveFault:
    """`phase`: which is gone through again. `replay`: it, with the fault planted. `applies`:
    whether there is something to plant it in."""

    name: str
    planted: str
    expected: Reason
    phase: str
    replay: Callable[[Part, Record], str]
    applies: Callable[[Part], bool]


def _first_file(
    entries: Iterator[Entry], plant: Callable[[Entry], Sequence[Entry]]
) -> Iterator[Entry]:
    """`plant`: what is seen instead of the first file with content."""
    pending = True
    for entry in entries:
        if pending and entry.type == FILE and entry.sha256 and entry.size and not entry.link:
            pending = False
            yield from plant(entry)
        else:
            yield entry


def _flipped(entry: Entry) -> Sequence[Entry]:
    other = "1" if entry.sha256[0] == "0" else "0"
    return (entry._replace(sha256=other + entry.sha256[1:]),)


def _seen(plant: Callable[[Entry], Sequence[Entry]]) -> Callable[[Part, Record], str]:
    def replay(part: Part, record: Record) -> str:
        if part.restores is None:
            raise ValueError("nothing was restored by Longhorn")
        return part.restores.compare(
            record, lambda _volume, entries: _first_file(entries, plant)
        )  # fmt: skip

    return replay


def _unsynced(part: Part, record: Record) -> str:
    """As if Longhorn had not read its target since these backups were made."""
    if part.restores is None:
        raise ValueError("nothing was restored by Longhorn")
    restored = {order.backup for order, _ in part.restores.readings}
    known = [one for one in part.restores.backups() if one.name not in restored]
    asked = [order for order, _ in part.restores.readings]
    trees = {order.volume: order.tree for order in asked}
    found = merged(
        orders([order.volume], trees, part.known(order.target, known), lambda _volume: {})
        for order in asked
    )
    record.checks += found.checks
    return f"{len(found.taken)} of {len(asked)} volumes could be restored"


def _slow(part: Part, record: Record) -> str:
    check = time_check({}, part.seconds, _NEVER)
    record.checks.append(check)
    return check.observed


def _has_files(part: Part) -> bool:
    """Files with content were compared: an empty one has nothing to alter."""
    return part.restores is not None and part.restores.bytes > 0


FAULTS: tuple[LiveFault, ...] = (
    LiveFault("altered-restore", "of what Longhorn brought back, one file of each volume differs",
              Reason.CONTENT_DIFFERS, "compare", _seen(_flipped), _has_files),
    LiveFault("lost-file", "of what Longhorn brought back, one file of each volume is not seen",
              Reason.FILE_LOST, "compare", _seen(lambda _entry: ()), _has_files),
    LiveFault("unsynced-backup", "Longhorn does not know the backups that were restored",
              Reason.RESTORE_POINT_MISSING, "restore", _unsynced, lambda part: part.count > 0),
    LiveFault("slow-longhorn", "no restore by Longhorn is quick enough", Reason.OVER_RTO, "time",
              _slow, lambda part: part.count > 0 and sum(part.seconds.values()) > _NEVER),
)  # fmt: skip
