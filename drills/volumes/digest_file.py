"""The file that keeps a volume's digests from around a backup: gzip of JSON, one path a line.

First the head, then the lines in the order of their paths, then a trailer with their sums and a
SHA-256 over all before it. Of what changed meanwhile the path and no more is kept. It is written
and read as a stream. A file that is cut off, damaged, or of another schema is no truth, never a
smaller one.
"""

import datetime
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from drills.objects.gunzip import GunzipError, unpacked
from drills.volumes import tree_reader
from drills.volumes.entry import LISTING, Entry, parse, path_fault, render
from drills.volumes.meanwhile import Line, Seen
from drills.volumes.tree import TreeError, lines_of

SCHEMA = 1
KIND = "volume-digests"
TOTAL_BYTES = 16 << 30
_LEVEL = 6
_NAMES = ("clusterUid", "backup", "namespace", "claim", "claimUid", "volume")


class DigestsError(Exception):
    """A file that must not be taken for a volume's digests; the text is one sentence."""


@dataclass(frozen=True)
class Head:
    """Whose digests these are. `volume`: name of the PersistentVolume.

    `before`, `after`: when each reading began and ended, aware, by the clock of who recorded them.
    """

    cluster_uid: str
    backup: str
    namespace: str
    claim: str
    claim_uid: str
    volume: str
    before: tuple[datetime.datetime, datetime.datetime]
    after: tuple[datetime.datetime, datetime.datetime]

    @property
    def place(self) -> str:
        """Namespace and claim."""
        return f"{self.namespace}/{self.claim}"


@dataclass
class Sums:
    """What a file says of its lines: how many of each kind; files and bytes of known content."""

    seen: Counter[Seen] = field(default_factory=Counter)
    files: int = 0
    bytes: int = 0

    def add(self, line: Line) -> None:
        self.seen[line.seen] += 1
        if line.is_content:
            self.files += 1
            self.bytes += line.entry.size

    def told(self) -> dict[str, int]:
        counts = {str(one): self.seen[one] for one in Seen}
        return {**counts, "files": self.files, "bytes": self.bytes}


def write(head: Head, lines: Iterable[Line], out: BinaryIO) -> Sums:
    """Writes the file; the same head and lines give the same bytes. Raises what `lines` raises."""
    digest, sums = hashlib.sha256(), Sums()
    with gzip.GzipFile("", "wb", _LEVEL, out, mtime=0) as packed:

        def put(content: Mapping[str, Any]) -> None:
            line = json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"
            digest.update(line)
            packed.write(line)

        put(_head_of(head))
        for line in lines:
            sums.add(line)
            put(_content_of(line))
        put({"end": True, **sums.told(), "sha256": digest.hexdigest()})
    return sums


@dataclass(frozen=True)
class DigestFile:
    """A file on this machine's disk, which can be read as often as it is asked for."""

    place: Path

    def head(self) -> Head:
        """Raises DigestsError, OSError."""
        for content, _ in self._contents():
            return _head(content)
        raise DigestsError("the digests are empty")

    def lines(self) -> Iterator[Line]:
        """Every line; the whole is checked at its end, so who stops early has proven nothing.

        Raises DigestsError, OSError.
        """
        contents = self._contents()
        first = next(contents, None)
        if first is None:
            raise DigestsError("the digests are empty")
        _head(first[0])
        sums, last = Sums(), None
        for content, digest in contents:
            if "end" in content:
                _check_end(content, sums, digest)
                if next(contents, None) is not None:
                    raise DigestsError("the digests go on after their end")
                return
            line = _line(content, sums)
            if last is not None and line.entry.path <= last:
                raise DigestsError("the digests are not in the order of their paths")
            last = line.entry.path
            sums.add(line)
            yield line
        raise DigestsError("the digests are cut off: they have no trailer")

    def _contents(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The lines' JSON, each with the digest of all before it."""
        digest = hashlib.sha256()
        try:
            with self.place.open("rb") as file:
                for line in lines_of(unpacked(file, TOTAL_BYTES)):
                    yield _json(line), digest.hexdigest()
                    digest.update(line)
        except GunzipError as error:
            raise DigestsError(f"the file of the digests {error}") from None
        except TreeError:
            raise DigestsError("the digests have an endless line") from None


def _head_of(head: Head) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "clusterUid": head.cluster_uid,
        "backup": head.backup,
        "namespace": head.namespace,
        "claim": head.claim,
        "claimUid": head.claim_uid,
        "volume": head.volume,
        "before": [one.isoformat() for one in head.before],
        "after": [one.isoformat() for one in head.after],
    }


def _content_of(line: Line) -> dict[str, Any]:
    entry = line.entry
    if line.seen is not Seen.STRICT:
        return {**tree_reader.named("path", entry.path), "seen": line.seen.value}
    made = render(entry)
    if not entry.sparse:
        made.pop("allocated", None)
    flags = {"open": line.open, "fresh": line.fresh}
    return made | {name: True for name, held in flags.items() if held}


def _json(line: bytes) -> Mapping[str, Any]:
    if not line.endswith(b"\n"):
        raise DigestsError("the digests are cut off within a line")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise DigestsError("a line of the digests is no JSON object")
    return content


def _head(content: Mapping[str, Any]) -> Head:
    if content.get("kind") != KIND or content.get("schema") != SCHEMA:
        raise DigestsError(
            f"the file holds no {KIND} of schema {SCHEMA}: it was written by another release, or "
            "is something else"
        )
    try:
        before, after = (
            tuple(map(datetime.datetime.fromisoformat, content[one])) for one in ("before", "after")
        )
        (began, ended), (began_after, ended_after) = before, after
        cluster, backup, namespace, claim, uid, volume = (str(content[one]) for one in _NAMES)
    except (KeyError, TypeError, ValueError):
        raise DigestsError("the head of the digests lacks what they need") from None
    return Head(
        cluster, backup, namespace, claim, uid, volume, (began, ended), (began_after, ended_after)
    )


def _line(content: Mapping[str, Any], sums: Sums) -> Line:
    number = sum(sums.seen.values()) + 1
    try:
        if "seen" in content:
            raw = {key: content[key] for key in content if key != "seen"}
            seen = Seen(content["seen"])
            if seen is Seen.STRICT or not {"path", "path64"}.issuperset(raw):
                raise ValueError
            # No type is known; a name with a slash at its end is no path but of a listing.
            entry = parse({**raw, "type": "unknown", "error": seen.value})
            kind = LISTING if entry.path.endswith(b"/") else "unknown"
            line = Line(Entry(entry.path, kind, error=seen.value), seen)
        else:
            flags = {key: content.get(key, False) for key in ("open", "fresh")}
            if not all(isinstance(one, bool) for one in flags.values()):
                raise TypeError
            rest = {key: content[key] for key in content if key not in flags}
            line = Line(parse(rest), Seen.STRICT, **flags)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DigestsError(f"line {number} of the digests cannot be read") from None
    if path_fault(line.entry):
        raise DigestsError(f"line {number} of the digests names no path of a volume")
    return line


def _check_end(content: Mapping[str, Any], sums: Sums, digest: str) -> None:
    if content.get("sha256") != digest:
        raise DigestsError("the lines of the digests are not those their trailer counted")
    if any(content.get(key) != value for key, value in sums.told().items()):
        raise DigestsError("the trailer of the digests counts other lines than there are")
