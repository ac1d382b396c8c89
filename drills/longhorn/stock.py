"""All that lies in a backup store, volume by volume, and what the receipt says of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from drills.backupstore import layout
from drills.backupstore.catalog import BackupStore
from drills.backupstore.objects import Objects
from drills.frame import Compared, NotCompared, Record
from drills.longhorn.coverage import Point
from drills.longhorn.lineage import GHOST, Lineage
from drills.longhorn.lines import bounded, grouped, sized
from drills.longhorn.records import Reader
from drills.longhorn.shelf import Stray, folders, shelves
from drills.verdict import Check, Reason

# A clock that is ahead by less is told by nothing that is drilled here.
SKEW_SECONDS = 60.0
_TOP = frozenset({"volumes", "system-backups", "backing-images"})


@dataclass
class Stock:
    """`ghosts`: folders among the volumes with nothing in them. `strays`: objects of no volume."""

    lineages: list[Lineage] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)

    @property
    def backups(self) -> int:
        return sum(len(one.kept) for one in self.lineages)

    @property
    def points(self) -> Mapping[str, Point]:
        """The newest finished backup of each volume that has one."""
        newest = ((one.volume, one.newest) for one in self.lineages)
        return {name: Point(kept.name, kept.taken) for name, kept in newest if kept is not None}

    def named(self, volume: str) -> Lineage | None:
        return next((one for one in self.lineages if one.volume == volume), None)


def take(reader: Reader) -> Stock:
    """Reads every record. Raises StoreError, StoppedError."""
    objects, stock = reader.store.objects, Stock()
    for found in shelves(objects):
        if isinstance(found, Stray):
            stock.strays.append(found)
        else:
            stock.lineages.append(reader.read(found))
    met = {one.volume for one in stock.lineages} | {layout.LOCKS_OF_BACKING_IMAGES}
    stock.ghosts = sorted(set(folders(objects, reader.workers, reader.stop)) - met)
    return stock


def tell(stock: Stock, record: Record, now: datetime) -> None:
    """Adds what was found to the record: faults by name, and what is no fault and yet odd."""
    red = [check for one in stock.lineages for check in one.checks]
    red += _from_the_future(stock.lineages, now)
    record.checks += bounded(red, "further records")
    blocks = sum(one.listed for one in stock.lineages)
    whole = f"{stock.backups} backups of {len(stock.points)} volumes with {blocks} blocks"
    if stock.backups and not red:
        record.checks.append(Check("store", "records of all backups", "whole", f"{whole} are"))
    if stock.backups:
        size = sum(one.stored for one in stock.lineages)
        how = "each was read whole; that every block they list is there, by listings of the store"
        record.compared += [
            Compared("records of backups", stock.backups, None, how),
            Compared(
                "presence and size of blocks", blocks, None,
                f"the records against listings of the store, {sized(size)} there",
            ),
        ]  # fmt: skip
    record.not_compared += _oddities(stock)


def _from_the_future(lineages: Sequence[Lineage], now: datetime) -> Iterator[Check]:
    for one in lineages:
        if one.newest is not None and (one.newest.taken - now).total_seconds() > SKEW_SECONDS:
            seen = f"its newest backup is of {one.newest.taken:%Y-%m-%dT%H:%M:%SZ}"
            yield Check(one.volume, "time of its newest backup", "past", seen, Reason.CLOCK_SKEW)


def _oddities(stock: Stock) -> Iterator[NotCompared]:
    """What is told and turns nothing red."""
    told = [found for one in stock.lineages for found in one.aside]
    ghosts = [what.removeprefix("volume ") for what, why in told if why == GHOST] + stock.ghosts
    yield from grouped("", (found for found in told if found[1] != GHOST))
    if ghosts:
        yield from grouped("ghost volumes", ((name, GHOST) for name in ghosts))
    orphans = sum(one.orphans for one in stock.lineages)
    if orphans:
        size = sized(sum(one.orphan_bytes for one in stock.lineages))
        why = f"no finished backup lists them ({size}): a backup under way, or left by one"
        yield NotCompared("orphan blocks", orphans, why)
    locks = sum(one.expired_locks for one in stock.lineages)
    if locks:
        yield NotCompared("expired lock files", locks, "Longhorn obeys them no longer")
    foreign = sum(one.foreign for one in stock.lineages) + sum(one.count for one in stock.strays)
    if foreign:
        why = "Longhorn puts nothing there; look who else writes below this prefix"
        yield NotCompared("foreign objects among the volumes", foreign, why)


def surroundings(store: BackupStore) -> Iterator[NotCompared]:
    """What lies beside the volumes, and is not what this drill is about. Raises StoreError."""
    bundles = store.system_backups()
    if bundles.found:
        why = "bundles of Longhorn's own objects; their records were read, their archives were not"
        yield NotCompared("system backups", len(bundles.found), why)
    for fault in bundles.faults:
        yield NotCompared("a damaged system backup", 1, str(fault))
    images = store.backing_images()
    if images:
        yield from grouped("backing images", ((one, "their blocks are not read") for one in images))
    foreign = [*_foreign_folders(store.objects)]
    if foreign:
        why = "Longhorn puts nothing there; a target's prefix is best shared with nobody"
        yield from grouped("foreign folders", ((one, why) for one in foreign))


def _foreign_folders(objects: Objects) -> Iterator[str]:
    yield from (f"{one}/" for one in objects.folders("") if f"{one}/" != layout.BASE)
    yield from (f"{layout.BASE}{one}/" for one in objects.folders(layout.BASE) if one not in _TOP)
