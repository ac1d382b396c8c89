"""Truths of the canary that are those of other content."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from drills.canary.testimony import Testimony
from drills.canary.truth import Truth
from drills.volumes.entry import FILE, Entry


@dataclass(frozen=True)
class FalseTruths:
    """The same truths, but for the digest of the first file in each."""

    real: Testimony

    def truth(self, volume: str, generation: int) -> Truth | None:
        found = self.real.truth(volume, generation)
        if found is None:
            return None
        return replace(found, entries=tuple(_changed(found.entries)))

    def numbers(self, volume: str, after: int = 0) -> Iterator[int]:
        return self.real.numbers(volume, after)


def _changed(entries: tuple[Entry, ...]) -> Iterator[Entry]:
    pending = True
    for entry in entries:
        if pending and entry.type == FILE and entry.sha256 and not entry.link:
            pending = False
            other = "1" if entry.sha256[0] == "0" else "0"
            yield entry._replace(sha256=other + entry.sha256[1:])
        else:
            yield entry
