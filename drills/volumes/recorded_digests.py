"""The digests around the restore point of a drill: found, and fit for it or not.

Those that are there and do not fit are a finding, as with the truth about objects: whoever damages
them must not be left with the weaker proof, unseen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from drills.frame import Record
from drills.verdict import Check, Reason
from drills.volumes import judge
from drills.volumes.digest_file import DigestFile, DigestsError
from drills.volumes.digest_index import Index, Volume
from drills.volumes.extent import NOT_TAKEN
from drills.volumes.judge import Judgement, Look, ReadVolume
from drills.volumes.meanwhile import Line

LookAtLines = Callable[[str, Iterator[Line]], Iterator[Line]]
"""What is seen of a volume's digests; a control gives one that lies."""


def as_kept(_name: str, lines: Iterator[Line]) -> Iterator[Line]:
    return lines


class Kept(Protocol):
    """Where digests are kept; both raise DigestsError, StoreError."""

    def index(self, backup: str) -> Index | None: ...

    def file(self, backup: str, volume: Volume) -> DigestFile: ...


@dataclass
class RecordedDigests:
    """The digests of one backup's volumes, by namespace and claim."""

    kept: Kept | None
    backup: str
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    _files: dict[str, DigestFile] = field(default_factory=dict)

    def judge(self, volume: ReadVolume, look: Look, look_at_lines: LookAtLines) -> Judgement:
        """By its digests, or by number and size. Raises TreeError, StoreError."""
        known = self.volumes.get(volume.name)
        if self.kept is None or known is None or known.why:
            why = f"no digests were read around the backup: {known.why}" if known else NOT_TAKEN
            return judge.judge_extent(volume, look, why)
        try:
            return judge.judge_digests(
                volume, lambda: look_at_lines(volume.name, self.lines(volume.name)), look
            )
        except DigestsError as error:
            found = judge.judge_extent(volume, look, "its digests cannot be used")
            return replace(found, checks=[_check(volume.name, str(error)), *found.checks])

    def lines(self, place: str) -> Iterator[Line]:
        """A volume's digests, none for one without; its file is brought here once.

        Raises DigestsError, StoreError.
        """
        known = self.volumes.get(place)
        if self.kept is None or known is None or known.why:
            return iter(())
        if place not in self._files:
            self._files[place] = self.kept.file(self.backup, known)
        return self._files[place].lines()


def recorded(record: Record, kept: Kept | None, backup: str) -> RecordedDigests:
    """The digests of a backup; what is wrong with them goes into the record. Raises StoreError."""
    try:
        index = None if kept is None else kept.index(backup)
    except DigestsError as error:
        record.checks.append(_check(f"digests around {backup}", str(error)))
        index = None
    volumes = {} if index is None else {one.place: one for one in index.volumes}
    return RecordedDigests(kept, backup, volumes)


def _check(what: str, wrong: str) -> Check:
    fits = "readable, and of this backup"
    return Check("truth", what, fits, wrong, Reason.TRUTH_UNUSABLE)
