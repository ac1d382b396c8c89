"""`ls` within a backup, and `cat`: only the blocks that are asked for are fetched."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from drills.backupstore.by_hand.streams import printable
from drills.backupstore.by_hand.words import moment, table
from drills.images.file_system import FileSystem, Listed
from drills.volumes.entry import DIRECTORY, FILE, SYMLINK

_LETTERS = {DIRECTORY: "d", SYMLINK: "l", FILE: "-", "fifo": "p", "socket": "s", "device": "c"}
_NANOSECONDS = 1_000_000_000
_NUMBERS = (1, 2, 3)


def path_of(text: str) -> bytes:
    """A path as file systems here take it: relative to the root, which is b""."""
    return b"/".join(part for part in os.fsencode(text).split(b"/") if part)


def listing(system: FileSystem, path: bytes) -> Iterator[str]:
    """Lines as `ls -l` prints them; of a file only its own. Raises ImageError."""
    looked = system.look(path)
    found = [*system.listing(path)] if looked.entry.type == DIRECTORY else [looked]
    return table([_row(one) for one in found], _NUMBERS)


def documents(system: FileSystem, path: bytes) -> Iterator[dict[str, object]]:
    """The same for machines. Raises ImageError."""
    looked = system.look(path)
    for one in system.listing(path) if looked.entry.type == DIRECTORY else [looked]:
        entry = one.entry
        yield {
            "name": shown(one.name),
            "type": entry.type,
            "mode": f"{entry.mode:04o}",
            "uid": entry.uid,
            "gid": entry.gid,
            "size": entry.size,
            "modifiedAt": _moment(one).isoformat(),
        }


def print_file(system: FileSystem, path: bytes, out: BinaryIO) -> None:
    """The content of one file, and nothing else. Raises ImageError, OSError."""
    for piece in system.read(path):
        out.write(piece)
    out.flush()


def shown(name: bytes) -> str:
    """A name from a file system, fit for a terminal."""
    return printable(name.decode(errors="backslashreplace"))


def _row(one: Listed) -> tuple[str, ...]:
    entry = one.entry
    letter = _LETTERS.get(entry.type, "?")
    target = f" -> {shown(entry.target)}" if entry.target else ""
    return (
        letter + stat.filemode(entry.mode)[1:],
        str(entry.uid),
        str(entry.gid),
        str(entry.size),
        moment(_moment(one)),
        shown(one.name) + target,
    )


def _moment(one: Listed) -> datetime:
    return datetime.fromtimestamp(one.modified / _NANOSECONDS, UTC)
