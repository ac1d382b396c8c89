"""What the canary wrote, as the store outside the cluster knows it.

A truth was put there before its generation appeared on the volume, so every generation that a
restore brings back has one, unless the store was away when it was made.
"""

import datetime
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from canary import writer
from drills.volumes.entry import Entry, parse, path_fault

GENERATIONS = writer.GENERATIONS.encode()


class Fault(StrEnum):
    """Why an object of the store is no truth."""

    MALFORMED = "malformed"
    DIGEST = "digest"
    FOREIGN = "foreign"


class TruthError(Exception):
    """A truth that must not be used: `fault` for decisions, one sentence for people."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True)
class Truth:
    """One generation of one volume.

    `time` is the heartbeat: aware UTC, when its making began, so no data in it is older. `held`
    are the generations on the volume once this one is there and the oldest is gone, rising.
    `entries` are in the order of their paths, which are relative to the generation; b"" is its
    directory.
    """

    site: str
    volume: str
    generation: int
    time: datetime.datetime
    held: tuple[int, ...]
    entries: tuple[Entry, ...]


def key(prefix: str, site: str, volume: str, generation: int) -> str:
    """Where a truth lies in its bucket."""
    return f"{prefix}{site}/{volume}/{writer.number_name(generation)}.json"


def parse_truth(content: bytes, site: str, volume: str, generation: int) -> Truth:
    """The truth in an object of the store, which must be the one that was asked for.

    Raises TruthError.
    """
    about = f"the truth of generation {generation} of {site}/{volume}"
    try:
        raw: dict[str, Any] = json.loads(content)
        if raw["schema"] != writer.SCHEMA:
            raise ValueError("another schema")
        truth = Truth(
            raw["site"],
            raw["volume"],
            raw["generation"],
            datetime.datetime.strptime(raw["time"], "%Y-%m-%dT%H:%M:%SZ").replace(
                tzinfo=datetime.UTC
            ),
            tuple(sorted(_number(one) for one in raw["held"])),
            tuple(map(parse, raw["entries"])),
        )
        digest = hashlib.sha256(b"".join(map(writer.line_of, raw["entries"]))).hexdigest()
        told = raw["digest"]
    except (KeyError, TypeError, ValueError, RecursionError):
        # Not the text: it would repeat what is in the store.
        raise TruthError(
            Fault.MALFORMED, f"{about} cannot be understood: was it written by this version?"
        ) from None
    if told != digest:
        raise TruthError(
            Fault.DIGEST, f"{about} is damaged: its entries are not those that its digest names"
        )
    if (truth.site, truth.volume, truth.generation) != (site, volume, generation):
        raise TruthError(
            Fault.FOREIGN, f"{about} is that of another: look who writes to this bucket"
        )
    if not _ordered(truth.entries) or generation not in truth.held:
        raise TruthError(Fault.MALFORMED, f"{about} is not whole: look who writes to this bucket")
    return truth


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("no number")
    return value


def _ordered(entries: tuple[Entry, ...]) -> bool:
    paths = [entry.path for entry in entries]
    if any(path_fault(entry) for entry in entries):
        return False
    return paths[:1] == [b""] and all(a < b for a, b in itertools.pairwise(paths))


def folder(generation: int) -> bytes:
    """The path of a generation on its volume."""
    return GENERATIONS + b"/" + writer.number_name(generation).encode()


def expected_tree(truths: Iterable[Truth]) -> Iterator[Entry]:
    """The entries that a volume holds of these generations, in the order of their paths."""
    for truth in sorted(truths, key=lambda one: one.generation):
        above = folder(truth.generation)
        for entry in truth.entries:
            path = above + b"/" + entry.path if entry.path else above
            link = above + b"/" + entry.link if entry.link else b""
            yield entry._replace(path=path, link=link)
