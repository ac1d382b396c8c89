"""A truth as a file: JSON lines in gzip, written and read as a stream.

The first line is the head, then one line an object in the order of keys, then a trailer with the
count of objects and a SHA-256 over all lines before it. A file that lost its end, or a line, is
never taken for a smaller truth.
"""

import datetime
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import BinaryIO

from drills.objects.canonical import SECTION_BYTES, Digests, NotJSONError, loads
from drills.objects.gunzip import GunzipError, Source, unpacked
from drills.objects.keys import KeyFormatError, ObjectKey, parse
from drills.objects.truth import Entry, Head, LeftOut, Seen, Truth

SCHEMA = 1
KIND = "kubernetes-objects"
LINE_BYTES = 64 * 1024
TOTAL_BYTES = 4 * 1024**3
_LEVEL = 6


class Cause(StrEnum):
    """Why a file is no truth. Holds every value of `gunzip.Fault`."""

    NOT_GZIP = "not-gzip"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_LARGE = "too-large"
    UNKNOWN_SCHEMA = "unknown-schema"


class TruthError(Exception):
    """A file that cannot be read as a truth: `cause` for decisions, the text for people."""

    def __init__(self, cause: Cause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


def write(truth: Truth, out: BinaryIO) -> None:
    """Writes the file. The same truth gives the same bytes."""
    digest = hashlib.sha256()
    with gzip.GzipFile("", "wb", _LEVEL, out, mtime=0) as packed:
        for content in _lines(truth):
            line = json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"
            digest.update(line)
            packed.write(line)
        packed.write(json.dumps(_trailer(truth, digest.hexdigest())).encode() + b"\n")


def read(source: Source) -> Truth:
    """The truth in a file. Raises TruthError."""
    lines = _split(source)
    digest = hashlib.sha256()
    first = next(lines, None)
    if first is None:
        raise TruthError(Cause.TRUNCATED, "the truth is empty")
    digest.update(first)
    head = _head(_json(first))
    entries: dict[ObjectKey, Entry] = {}
    for line in lines:
        content = _json(line)
        if "end" in content:
            left_out = _end(content, len(entries), digest.hexdigest())
            if next(lines, None) is not None:
                raise TruthError(Cause.DAMAGED, "the truth goes on after its end")
            return Truth(head, entries, left_out)
        digest.update(line)
        try:
            key, entry = _entry(content)
        except (KeyError, TypeError, ValueError, KeyFormatError):
            raise TruthError(
                Cause.DAMAGED, f"the truth's line for object {len(entries) + 1} cannot be read"
            ) from None
        entries[key] = entry
    raise TruthError(Cause.TRUNCATED, "the truth is cut off: it has no trailer")


def _lines(truth: Truth) -> Iterator[dict[str, object]]:
    head = truth.head
    yield {
        "schema": SCHEMA,
        "kind": KIND,
        "clusterUid": head.cluster_uid,
        "backup": head.backup,
        "before": [head.before_began.isoformat(), head.before_ended.isoformat()],
        "after": [head.after_began.isoformat(), head.after_ended.isoformat()],
        "spec": dict(head.spec),
        "salt": head.salt.hex(),
    }
    for key in sorted(truth.entries):
        yield _line(key, truth.entries[key])


def _line(key: ObjectKey, entry: Entry) -> dict[str, object]:
    made: dict[str, object] = {
        "key": str(key),
        "uid": entry.uid,
        "versions": [entry.before, entry.after],
        "seen": entry.seen.value,
        "required": entry.required,
    }
    if entry.digests is not None:
        made |= {"digest": entry.digests.whole.hex(), "sections": _named(entry.digests)}
    if entry.digests_after is not None:
        after = entry.digests_after
        made |= {"digestAfter": after.whole.hex(), "sectionsAfter": _named(after)}
    return {**made, "replaced": True} if entry.replaced else made


def _named(digests: Digests) -> dict[str, str]:
    return {name: part.hex() for name, part in digests.by_name().items()}


def _trailer(truth: Truth, digest: str) -> dict[str, object]:
    left_out = [{"what": one.what, "why": one.why, "count": one.count} for one in truth.left_out]
    return {"end": True, "count": len(truth.entries), "sha256": digest, "leftOut": left_out}


def _split(source: Source) -> Iterator[bytes]:
    """Whole lines with their ends."""
    rest = b""
    try:
        for piece in unpacked(source, TOTAL_BYTES):
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > LINE_BYTES:
                raise TruthError(Cause.TOO_LARGE, f"the truth has a line over {LINE_BYTES} bytes")
            for line in whole:
                yield line + b"\n"
    except GunzipError as error:
        raise TruthError(Cause(error.fault), f"the truth's file {error}") from None
    if rest:
        raise TruthError(Cause.TRUNCATED, "the truth is cut off within a line")


def _json(line: bytes) -> Mapping[str, object]:
    try:
        content = loads(line)
    except NotJSONError as error:
        raise TruthError(Cause.DAMAGED, f"a line of the truth cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise TruthError(Cause.DAMAGED, "a line of the truth is no JSON object")
    return content


def _head(content: Mapping[str, object]) -> Head:
    if content.get("kind") != KIND or content.get("schema") != SCHEMA:
        raise TruthError(
            Cause.UNKNOWN_SCHEMA,
            f"the file is no truth of schema {SCHEMA} over {KIND}; it was written by another"
            " release, or is something else",
        )
    try:
        before, after, spec = content["before"], content["after"], content["spec"]
        if not (isinstance(before, list) and isinstance(after, list) and isinstance(spec, dict)):
            raise TypeError
        times = [datetime.datetime.fromisoformat(text) for text in (*before, *after)]
        began, ended, began_after, ended_after = times
        salt = bytes.fromhex(str(content["salt"]))
        return Head(
            str(content["clusterUid"]), str(content["backup"]),
            began, ended, began_after, ended_after, spec, salt,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise TruthError(Cause.DAMAGED, "the truth's head lacks what a truth needs") from None


def _entry(content: Mapping[str, object]) -> tuple[ObjectKey, Entry]:
    versions, required = content["versions"], content["required"]
    if not isinstance(versions, list) or not isinstance(required, bool):
        raise TypeError
    before, after = map(str, versions)
    return parse(str(content["key"])), Entry(
        str(content["uid"]), before, after, Seen(str(content["seen"])), required,
        _digests(content, "digest", "sections"), _digests(content, "digestAfter", "sectionsAfter"),
        bool(content.get("replaced")),
    )  # fmt: skip


def _digests(content: Mapping[str, object], whole: str, parts: str) -> Digests | None:
    if whole not in content:
        return None
    held = content[parts]
    if not isinstance(held, dict):
        raise TypeError
    packed = bytes.fromhex("".join(held.values()))
    if len(packed) != SECTION_BYTES * len(held):
        raise ValueError
    return Digests(bytes.fromhex(str(content[whole])), tuple(held), packed)


def _end(content: Mapping[str, object], count: int, digest: str) -> tuple[LeftOut, ...]:
    if content.get("count") != count:
        raise TruthError(
            Cause.TRUNCATED, f"the truth holds {count} objects, its trailer counts another number"
        )
    if content.get("sha256") != digest:
        raise TruthError(Cause.DAMAGED, "the truth's lines are not those its trailer counted")
    left_out = content.get("leftOut")
    if not isinstance(left_out, list):
        raise TruthError(Cause.DAMAGED, "the truth's trailer lacks what was left out")
    return tuple(LeftOut(str(one["what"]), str(one["why"]), int(one["count"])) for one in left_out)
