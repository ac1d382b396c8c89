"""What lies in the store for each volume, from one listing of all of them.

Names of backups come before blocks in a listing. A backup's blocks are there before its record is
finished, so whatever a finished record lists that was there before the listing began is in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from threading import Event

from drills.backupstore import layout
from drills.backupstore.objects import Found, Objects
from drills.backupstore.parallel import Bounds, each
from drills.backupstore.records import LOCK_LIFE

_DEPTH = 3  # two layers of a hash, then the volume


@dataclass
class Shelf:
    """One volume's objects. blocks: bytes in the store by checksum, as bytes.

    foreign: keys of what Longhorn does not put there.
    """

    volume: str
    backups: list[str] = field(default_factory=list)
    blocks: dict[bytes, int] = field(default_factory=dict)
    locks: list[Found] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def put(self, found: Found) -> None:
        """Takes in an object of the volume's folder."""
        rest = found.key.removeprefix(layout.volume_folder(self.volume))
        folder, _, file = rest.rpartition("/")
        kind = folder.partition("/")[0]
        if rest == layout.VOLUME_RECORD:
            return
        if folder == "backups" and layout.backup_of_file(file):
            self.backups.append(layout.backup_of_file(file))
        elif kind == "blocks" and self._is_block(found, file):
            self.blocks[bytes.fromhex(file.removesuffix(layout.BLOCK_SUFFIX))] = found.size
        elif folder == "locks" and layout.lock_of_file(file):
            self.locks.append(found)
        else:
            self.foreign.append(found.key)

    def expired(self, now: datetime) -> list[Found]:
        """Locks that Longhorn no longer obeys; they stay for ever."""
        return [one for one in self.locks if now - one.modified > LOCK_LIFE]

    def busy(self, now: datetime) -> bool:
        """Whether Longhorn is just writing, reading or deleting here."""
        return len(self.expired(now)) < len(self.locks)

    def _is_block(self, found: Found, file: str) -> bool:
        checksum = file.removesuffix(layout.BLOCK_SUFFIX)
        return layout.is_checksum(checksum) and (
            layout.block_key(self.volume, checksum) == found.key
        )


@dataclass(frozen=True)
class Stray:
    """Objects among the volumes that belong to none. `folder`: where they lie."""

    folder: str
    count: int


def shelves(objects: Objects) -> Iterator[Shelf | Stray]:
    """Every volume that has an object, in the order of their folders. Raises StoreError."""
    for folder, found in groupby(objects.list(layout.VOLUMES), _volume_folder):
        name = folder.rstrip("/").rpartition("/")[2]
        if name == layout.LOCKS_OF_BACKING_IMAGES:
            continue
        if layout.is_name(name) and layout.volume_folder(name) == folder:
            yield _filled(Shelf(name), found)
        else:
            yield Stray(folder, sum(1 for _ in found))


def shelf(objects: Objects, volume: str) -> Shelf:
    """One volume's objects as they are now. Raises StoreError."""
    return _filled(Shelf(volume), objects.list(layout.volume_folder(volume)))


def folders(objects: Objects, workers: int, stop: Event) -> Iterator[str]:
    """The names of all folders among the volumes, those without an object too, in no order.

    A store with versions shows folders that hold nothing but delete markers; a listing does not.
    Raises StoreError, StoppedError.
    """
    first = list(objects.folders(layout.VOLUMES))
    below = partial(_below, objects)
    for names in each(first, below, lambda _first: 0, bounds=Bounds(workers), stop=stop):
        yield from names


def _below(objects: Objects, first: str) -> list[str]:
    above = f"{layout.VOLUMES}{first}/"
    return [
        name for second in objects.folders(above) for name in objects.folders(f"{above}{second}/")
    ]


def _filled(empty: Shelf, found: Iterable[Found]) -> Shelf:
    for one in found:
        empty.put(one)
    return empty


def _volume_folder(found: Found) -> str:
    parts = found.key.removeprefix(layout.VOLUMES).split("/")
    # Of what lies higher up, the folder it is in.
    return layout.VOLUMES + "".join(f"{part}/" for part in parts[:-1][:_DEPTH])
