"""What is known of one volume of the store, when its records were read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from drills.backupstore.records import Compression, VolumeRecord
from drills.backupstore.verify import Listed
from drills.verdict import Check

DIGEST_BYTES = 32

GHOST = "nothing but its folder is left"

Way = tuple[Compression, int]
"""How backups list a block: its compression, and the bytes of volume it covers."""


@dataclass(frozen=True)
class Kept:
    """A finished backup. `taken`: its snapshot's time. `data`: bytes of volume its blocks cover."""

    name: str
    taken: datetime
    finished: datetime
    blocks: int
    data: int


@dataclass(frozen=True)
class Due:
    """Blocks to read that are listed in one way; `digests` one after the other, ascending."""

    way: Way
    digests: bytes = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    def listed(self) -> Iterator[Listed]:
        for start in range(0, len(self.digests), DIGEST_BYTES):
            yield self.digests[start : start + DIGEST_BYTES].hex(), *self.way


@dataclass(frozen=True)
class Lineage:
    """A volume of the store. `record` None: it is lost. `kept`: by time, the newest last.

    `listed`: distinct blocks of all finished backups, which take `stored` bytes; `due`: those of
    them to be read. `aside`: what of it was not looked at, and why.
    """

    volume: str
    record: VolumeRecord | None
    kept: Sequence[Kept] = ()
    checks: Sequence[Check] = ()
    aside: Sequence[tuple[str, str]] = ()
    listed: int = 0
    stored: int = 0
    due: Sequence[Due] = ()
    orphans: int = 0
    orphan_bytes: int = 0
    expired_locks: int = 0
    foreign: int = 0

    @property
    def newest(self) -> Kept | None:
        return self.kept[-1] if self.kept else None

    @property
    def to_read(self) -> int:
        return sum(one.count for one in self.due)
