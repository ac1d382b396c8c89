"""The backup targets that one run reads, and how the receipt tells what is said of each apart.

Lines about the first target are those of a site that has no other. In those about a further one
its name stands behind whatever they are about.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from drills.backupstore.catalog import BackupStore
from drills.backupstore.url import Target
from drills.frame import NotCompared, Record, StopDrillError
from drills.longhorn.coverage import Point
from drills.longhorn.expected import Live
from drills.longhorn.lines import grouped
from drills.longhorn.rebuilds import Rebuilds
from drills.longhorn.stock import Stock
from drills.verdict import Check, reason_of_error
from s3.errors import StoreError

_READ = "its backups were read like all others"


@dataclass
class Source:
    """A backup target whose store is read. `suffix`: what stands behind its volumes' names, "" for
    the first one. `stock`, `rebuilt`: what a phase found there."""

    name: str
    place: Target
    store: BackupStore
    suffix: str = ""
    stock: Stock = field(default_factory=Stock)
    rebuilt: Rebuilds | None = None

    @property
    def is_empty(self) -> bool:
        """Whether neither a finished backup is there, nor damage that hides one."""
        return not self.stock.points and not any(one.checks for one in self.stock.lineages)

    @contextmanager
    def telling(self, record: Record) -> Iterator[Record]:
        """A record whose lines are entered in `record`, with the name of the target.

        Raises StopDrillError where the store answers with an error for a further target.
        """
        if not self.suffix:
            yield record
            return
        own = Record()
        try:
            yield own
        except StoreError as error:
            # What one bucket or folder is refused for says nothing of the others.
            reason = reason_of_error(error)
            own.checks.append(Check("store", "backups", "an answer", str(error), reason))
            raise StopDrillError(f"target {self.name}: {error}") from error
        finally:
            self._enter(record, own)

    def _enter(self, record: Record, own: Record) -> None:
        end = self.suffix
        record.checks += [replace(one, client=f"{one.client}{end}") for one in own.checks]
        record.compared += [replace(one, what=f"{one.what}{end}") for one in own.compared]
        record.not_compared += [replace(one, what=f"{one.what}{end}") for one in own.not_compared]


def suffix_of(name: str) -> str:
    """Behind the names of what lies in a further target."""
    return f" (target {name})"


def all_points(sources: Iterable[Source]) -> Mapping[str, Point]:
    """The newest backup of everything in the stores, by what the receipt calls it."""
    return {
        f"{volume}{one.suffix}": point
        for one in sources
        for volume, point in one.stock.points.items()
    }


def points_of(
    sources: Iterable[Source], targets: Mapping[str, str], points: Mapping[str, Point]
) -> Mapping[str, Point]:
    """The same of volumes of the cluster. `targets`: of each volume; `points`: by volume."""
    ends = {one.name: one.suffix for one in sources}
    return {f"{volume}{ends[targets[volume]]}": point for volume, point in points.items()}


def strangers(source: Source, targets: Mapping[str, str]) -> Iterator[NotCompared]:
    """Backups that no volume of the cluster has in this target: they stay when their volume goes,
    or is moved, and nothing removes them but a person. `targets`: of each volume."""
    gone = []
    for one in source.stock.lineages:
        now = targets.get(one.volume)
        if now is None:
            gone.append((one.volume, f"the cluster has no such volume any more; {_READ}"))
        elif now != source.name:
            gone.append((one.volume, f"the volume goes to target {now} now; {_READ}"))
    yield from grouped("coverage of", gone)


def bound(live: Live) -> Mapping[str, str]:
    """The backup target of each volume of the cluster, by the volume's name."""
    return {one.name: one.volume.backup_target for one in live.subjects}
