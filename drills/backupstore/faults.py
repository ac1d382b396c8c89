"""The faults of many blocks: all are counted, and the first are named."""

from collections.abc import Sequence

from drills.backupstore.errors import BackupStoreError

MOST_NAMED = 100
"""A store that lost everything has more faults than anybody reads, or a receipt holds."""


class Faults:
    """Collects faults as they come; `named` are the first MOST_NAMED in the order of keys."""

    def __init__(self) -> None:
        self.total = 0
        self._held: list[BackupStoreError] = []

    def add(self, fault: BackupStoreError) -> None:
        self.total += 1
        self._held.append(bare(fault))
        if len(self._held) > 2 * MOST_NAMED:
            self._held = self._first()

    @property
    def named(self) -> tuple[BackupStoreError, ...]:
        return tuple(self._first())

    def _first(self) -> list[BackupStoreError]:
        return sorted(self._held, key=lambda fault: fault.object)[:MOST_NAMED]


def bare(fault: BackupStoreError) -> BackupStoreError:
    """The same without its traceback and what led to it, for their frames hold whole blocks."""
    return BackupStoreError(fault.fault, fault.object, fault.detail)


def told(faults: Sequence[BackupStoreError], total: int, most: int = 5) -> str:
    """The first of them in a sentence's part, and how many more there are."""
    named = "; ".join(map(str, faults[:most]))
    more = total - min(total, len(faults), most)
    return f"{named}; and {more} more" if more else named
