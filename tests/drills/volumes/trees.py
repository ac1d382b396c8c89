"""Digest trees made of nothing: as text for the parser, as entries for the comparison."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from drills.volumes.entry import DIRECTORY, FILE, SYMLINK, Entry, render
from drills.volumes.tree_reader import SCHEMA

ROOT = Entry(b"", DIRECTORY, 0o755)
HEADER = {
    "schema": SCHEMA, "volume": "volume", "root": "/v", "tool": "tree_reader/1",
    "python": "3.9.0", "uid": 0, "startedAt": "2026-01-02T03:04:05Z", "xattrs": False,
}  # fmt: skip


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file(path: bytes, text: str = "content", **more: Any) -> Entry:
    size = len(text)
    entry = Entry(path, FILE, 0o644, size=size, sha256=digest_of(text), allocated=size)
    return entry._replace(**more)


def directory(path: bytes, **more: Any) -> Entry:
    return Entry(path, DIRECTORY, 0o755)._replace(**more)


def symlink(path: bytes, target: bytes = b"target", **more: Any) -> Entry:
    return Entry(path, SYMLINK, 0o777, target=target)._replace(**more)


def line(raw: object) -> bytes:
    return json.dumps(raw).encode() + b"\n"


def text_of(held: Sequence[Entry], **trailer: Any) -> list[bytes]:
    """The lines of a tree with a sound trailer; `trailer` replaces what it says."""
    return with_trailer([line(render(entry)) for entry in held], held, **trailer)


def with_trailer(lines: Sequence[bytes], held: Iterable[Entry] = (), **trailer: Any) -> list[bytes]:
    held = list(held)
    files = [entry for entry in held if entry.type == FILE and entry.sha256]
    said = {
        "end": SCHEMA,
        "entries": len(lines),
        "files": len(files),
        "bytes": sum(entry.size for entry in files),
        "unreadable": sum(bool(entry.error) for entry in held),
        "skipped": sum(bool(entry.skipped) for entry in held),
        "digest": hashlib.sha256(b"".join(lines)).hexdigest(),
        "seconds": 0.5,
    }
    return [line(HEADER), *lines, line({**said, **trailer})]


NAMES = st.binary(min_size=1, max_size=4).filter(
    lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name
)
"""Any name that Linux takes, short ones, so that some are the beginning of others."""


@st.composite
def trees(draw: st.DrawFn, least: int = 0) -> list[Entry]:
    """A whole tree in order: directories, files, symlinks, hard links."""
    folders, entries = [b""], [ROOT]
    taken: set[bytes] = set()
    files: dict[bytes, Entry] = {}
    for _ in range(draw(st.integers(least, 12))):
        parent = draw(st.sampled_from(folders))
        name = draw(NAMES)
        path = parent + b"/" + name if parent else name
        if path in taken:
            continue
        taken.add(path)
        kind = draw(st.sampled_from(["file", "file", "directory", "symlink", "pipe"]))
        if kind == "directory":
            folders.append(path)
            entries.append(directory(path, mode=draw(st.integers(0, 0o7777))))
        elif kind == "file":
            files[path] = file(path, draw(st.text(max_size=5)), uid=draw(st.integers(0, 3)))
            entries.append(files[path])
        elif kind == "symlink":
            entries.append(symlink(path, draw(st.binary(min_size=1, max_size=5))))
        else:
            entries.append(Entry(path, "fifo", 0o600))
    return sorted(entries)
