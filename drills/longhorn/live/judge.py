"""A volume that Longhorn brought back, against two truths: the image that the drill rebuilt of the
same backup, and, of a canary's volume, what its writer told the store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from drills.canary.testimony import Testimony
from drills.coverage.volume_info import Method, VolumeRecord
from drills.frame import Compared, NotCompared
from drills.longhorn.live.objects import Order
from drills.verdict import Check
from drills.volumes.allowances import LOST_AND_FOUND
from drills.volumes.compare_trees import Options, checks, compare
from drills.volumes.entry import Entry
from drills.volumes.judge import Look, ReadVolume, as_it_is, judge_canary
from drills.volumes.reading import Reading

TRUTH = "the image that the drill itself rebuilt of the same backup"

# Nothing but the mount lies between the two: the same file system, of the same blocks. It may make
# that directory anew, or fill it, when it finds names that are lost.
ALLOWANCES = (LOST_AND_FOUND,)


@dataclass
class Judged:
    """`files`: held against the image."""

    checks: list[Check] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def against_image(order: Order, found: Reading, look: Look = as_it_is) -> Judged:
    """File by file. Raises TreeError, OSError."""
    called = _copy_of(order)
    options = Options(TRUTH, ALLOWANCES)
    seen = compare(called, order.tree.entries(), _seen(order, found, look), options)
    return Judged(
        checks(seen), [*seen.compared], [*seen.not_compared], files=seen.files, bytes=seen.bytes
    )


def against_truths(
    order: Order, found: Reading, called: str, testimony: Testimony, look: Look = as_it_is
) -> Judged:
    """`called`: the volume in the canary's words. Raises TreeError, StoreError, OSError."""
    # Of a backup of Velero's the same would be said by its list of volumes.
    record = VolumeRecord("", order.volume, order.volume, Method.CSI_SNAPSHOT, succeeded=True)
    volume = ReadVolume(_copy_of(order), record, found.tree)
    judged = judge_canary(volume, called, testimony, _by_volume(order, look))
    return Judged([*judged.checks], [*judged.compared], [*judged.not_compared])


def _copy_of(order: Order) -> str:
    """By this name no line of the receipt is taken for one about the image."""
    return f"Longhorn's {order.told}"


def _seen(order: Order, found: Reading, look: Look) -> Iterator[Entry]:
    return look(order.volume, iter(found.tree()))


def _by_volume(order: Order, look: Look) -> Callable[[str, Iterator[Entry]], Iterator[Entry]]:
    return lambda _name, entries: look(order.volume, entries)


def once(judged: Judged) -> Judged:
    """Without what a comparison says of every volume alike, when another one has said it."""
    return replace(judged, not_compared=[])
