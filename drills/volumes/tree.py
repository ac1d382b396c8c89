"""Parses what `tree_reader` printed, line by line, and trusts none of it before the trailer."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drills.volumes.entry import DIRECTORY, FILE, Entry, parse, path_fault, shown
from drills.volumes.tree_reader import SCHEMA

_COUNTS = ("entries", "files", "bytes", "unreadable", "skipped")
MAX_LINE_BYTES = 1 << 20
"""No path of a real volume makes a longer line."""


class Fault(StrEnum):
    """Why an output is no digest tree."""

    TRUNCATED = "truncated"
    DIGEST = "digest"
    SCHEMA = "schema"
    DUPLICATE = "duplicate"
    ORDER = "order"
    PATH = "path"
    MALFORMED = "malformed"


class TreeError(Exception):
    """An output that must not be used: `fault` for decisions, one sentence for people."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True)
class Header:
    """Which volume was read, by whom (`uid`) and when (UTC, as text)."""

    volume: str
    tool: str
    uid: int
    started_at: str
    xattrs: bool


@dataclass(frozen=True)
class Trailer:
    """Sums of a whole tree; `digest` is the sha256 of its lines, `bytes` counts hashed files."""

    entries: int
    files: int
    bytes: int
    unreadable: int
    skipped: int
    digest: str
    seconds: float


class Tree:
    """One tree out of `lines` (with their newlines); nothing is read beyond its trailer.

    The entries can be asked for once. They are checked as they come, and the end of the iteration
    checks the whole: a caller that stops early has proven nothing, and `trailer` says so.

    Raises TreeError, at once for the header and while iterating for the rest.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._trailer: Trailer | None = None
        self.header = _header(next(lines, b""))

    def __iter__(self) -> Iterator[Entry]:
        name = self.header.volume
        sums = _Sums()
        order = _Order(name)
        for line in self._lines:
            raw = _json(line, name, sums.entries)
            if "end" in raw:
                self._trailer = sums.against(_trailer(raw, name), name)
                return
            entry = _entry(raw, name, sums.entries)
            order.check(entry)
            sums.add(line, entry)
            yield entry
        raise _cut_off(name, sums.entries)

    @property
    def trailer(self) -> Trailer:
        """The sums. Raises TreeError as long as not every entry was taken."""
        if self._trailer is None:
            raise TreeError(
                Fault.TRUNCATED, f"the digest tree of {self.header.volume} was not read to its end"
            )
        return self._trailer


def read_trees(lines: Iterable[bytes]) -> Iterator[Tree]:
    """The trees of an output with several volumes; each must be iterated before the next.

    Raises TreeError, also for an output without any tree.
    """
    remaining = iter(lines)
    first = next(remaining, None)
    if first is None:
        raise _cut_off("the volume", 0)
    while first is not None:
        tree = Tree(itertools.chain([first], remaining))
        yield tree
        _ = tree.trailer
        first = next(remaining, None)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines out of the pieces in which a stream arrives. Raises TreeError for an endless line."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
        if len(rest) > MAX_LINE_BYTES:
            raise TreeError(
                Fault.MALFORMED,
                f"a line of the digest tree is longer than {MAX_LINE_BYTES} bytes: is the output "
                "that of tree_reader?",
            )
    if rest:
        yield rest


def content_digest(entries: Iterable[Entry]) -> str:
    """One sha256 for all that is compared: equal for equal volumes, wherever they lie on a disk.

    Entries in the order of their paths; allocated bytes, extended attributes and times are left
    out.
    """
    digest = hashlib.sha256()
    for entry in entries:
        compared = entry._replace(xattrs="", allocated=0)
        digest.update(repr(tuple(compared)[:-1]).encode() + b"\n")
    return digest.hexdigest()


class _Order:
    """Strictly rising paths, each below a directory that came before it."""

    def __init__(self, volume: str) -> None:
        self._volume = volume
        self._last: bytes | None = None
        # What lies below a directory stands before the first path that is not less than its name
        # and "0", the byte after the slash. These ranges are nested, so a stack holds them.
        self._open: list[bytes] = []

    def check(self, entry: Entry) -> None:
        """Raises TreeError."""
        fault = path_fault(entry)
        if fault:
            raise self._error(Fault.PATH, entry, fault)
        path = entry.path
        if self._last is None:
            if path or entry.type != DIRECTORY:
                raise self._error(Fault.MALFORMED, entry, "comes first in place of the root")
        elif path == self._last:
            raise self._error(Fault.DUPLICATE, entry, "comes twice")
        elif path < self._last:
            raise self._error(Fault.ORDER, entry, f"comes after {shown(self._last)}")
        elif not self._has_parent(path):
            raise self._error(Fault.PATH, entry, "lies below something that is no directory")
        self._last = path
        # What is no directory any more may have been one again when its turn came to be listed.
        if path and (entry.type == DIRECTORY or entry.error == "changed"):
            self._open.append(path)

    def _has_parent(self, path: bytes) -> bool:
        held = self._open
        while held and path >= held[-1] + b"0":
            held.pop()
        parent = path.rpartition(b"/")[0]
        return not parent or any(one == parent for one in reversed(held))

    def _error(self, fault: Fault, entry: Entry, what: str) -> TreeError:
        return TreeError(
            fault,
            f"the digest tree of {self._volume} is not to be trusted: {shown(entry.path)} {what}; "
            "read the volume again",
        )


class _Sums:
    """What the trailer must say."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.entries = self.files = self.bytes = self.unreadable = self.skipped = 0

    def add(self, line: bytes, entry: Entry) -> None:
        self._digest.update(line)
        self.entries += 1
        if entry.type == FILE and entry.sha256:
            self.files += 1
            self.bytes += entry.size
        self.unreadable += bool(entry.error)
        self.skipped += bool(entry.skipped)

    def against(self, said: Trailer, volume: str) -> Trailer:
        """Raises TreeError if the trailer says something else."""
        if said.digest != self._digest.hexdigest():
            raise TreeError(
                Fault.DIGEST,
                f"the lines of the digest tree of {volume} are not those that its trailer names: "
                "read the volume again",
            )
        for name in _COUNTS:
            if getattr(said, name) != getattr(self, name):
                raise TreeError(
                    Fault.DIGEST,
                    f"the trailer of the digest tree of {volume} says {getattr(said, name)} "
                    f"{name} where {getattr(self, name)} came: read the volume again",
                )
        return said


def _cut_off(volume: str, entries: int) -> TreeError:
    return TreeError(
        Fault.TRUNCATED,
        f"the digest tree of {volume} is cut off after {entries} entries: look why the reader "
        "ended, and read the volume again",
    )


def _json(line: bytes, volume: str, entries: int) -> Mapping[str, Any]:
    if not line.endswith(b"\n"):
        raise _cut_off(volume, entries)
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise TreeError(
            Fault.MALFORMED,
            f"line {entries + 2} of the digest tree of {volume} is no JSON object: did something "
            "else print to the reader's output?",
        )
    return raw


def _entry(raw: Mapping[str, Any], volume: str, entries: int) -> Entry:
    try:
        return parse(raw)
    except (KeyError, TypeError, ValueError, AttributeError):
        # Not the text: it would repeat what a stranger wrote.
        raise TreeError(
            Fault.MALFORMED,
            f"line {entries + 2} of the digest tree of {volume} is no entry: read the volume with "
            "the tree_reader of this version",
        ) from None


def _header(line: bytes) -> Header:
    raw = _json(line, "the volume", 0)
    if raw.get("schema") != SCHEMA:
        raise TreeError(
            Fault.SCHEMA,
            f"the digest tree does not begin as {SCHEMA}: read the volume with the tree_reader of "
            "this version",
        )
    try:
        return Header(
            str(raw["volume"]),
            str(raw["tool"]),
            int(raw["uid"]),
            str(raw["startedAt"]),
            bool(raw["xattrs"]),
        )
    except (KeyError, TypeError, ValueError):
        raise TreeError(
            Fault.MALFORMED, "the header of the digest tree is not whole: read the volume again"
        ) from None


def _trailer(raw: Mapping[str, Any], volume: str) -> Trailer:
    try:
        if raw["end"] != SCHEMA:
            raise ValueError
        return Trailer(
            **{name: int(raw[name]) for name in _COUNTS},
            digest=str(raw["digest"]),
            seconds=float(raw["seconds"]),
        )
    except (KeyError, TypeError, ValueError):
        raise TreeError(
            Fault.MALFORMED,
            f"the trailer of the digest tree of {volume} is not whole: read the volume again",
        ) from None
