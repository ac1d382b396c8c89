"""The transactions in an xfs log's records.

A record holds operations of any number of transactions; a region that finds no room is continued in
the next. Sources: "XFS Algorithms & Data Structures", Journaling Log; fs/xfs/xfs_log_recover.c.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from drills.images.errors import ImageError, damaged
from drills.images.xfs.log_records import UNMOUNTED, WHERE, Log, Record

_OPERATION = struct.Struct(">IIBBH")
_START, _COMMIT, _CONTINUED = 1, 2, 8
_HEADER_MAGIC, _HEADER_BYTES, _LEAST_REGION = b"TRAN", 16, 4


@dataclass
class Item:
    """One thing that was logged; the first region says what, and of how many regions."""

    kind: int
    total: int
    order: str
    regions: list[bytes] = field(default_factory=list)


@dataclass
class _Open:
    """A transaction whose end has not come yet."""

    order: str
    header: bytes = b""
    items: list[Item] = field(default_factory=list)

    def begin(self, data: bytes) -> None:
        """A new region."""
        if not data:
            return
        if not self.header:
            magic = data[:4] if self.order == ">" else data[:4][::-1]
            if len(data) > _HEADER_BYTES or not _HEADER_MAGIC.startswith(magic):
                raise _odd("a transaction begins with something else")
            self.header = data
            return
        if not self.items or len(self.items[-1].regions) >= self.items[-1].total:
            if len(data) < _LEAST_REGION:
                raise _odd("an item is cut off")
            kind, total = struct.unpack_from(f"{self.order}HH", data)
            if total == 0:
                raise _odd("an item has no regions")
            self.items.append(Item(kind, total, self.order))
        self.items[-1].regions.append(data)

    def go_on(self, data: bytes) -> None:
        """The rest of a region that was begun in an earlier record."""
        if not self.items:
            self.header += data
            return
        self.items[-1].regions[-1] += data


def transactions(log: Log, records: Sequence[Record]) -> Iterator[list[Item]]:
    """Those that were committed, in the order in which they were. Raises ImageError."""
    under_way: dict[int, _Open] = {}
    for record in records:
        for number, flags, data in _operations(log.content(record), record):
            if flags & _START:
                under_way[number] = _Open(record.order)
                continue
            # What was begun before the oldest record is home already.
            one = under_way.get(number)
            if one is None:
                continue
            if flags & (_COMMIT | UNMOUNTED):
                del under_way[number]
                if flags & _COMMIT:
                    yield _whole(one.items)
            elif flags & _CONTINUED:
                one.go_on(data)
            else:
                one.begin(data)


def _whole(items: list[Item]) -> list[Item]:
    for item in items:
        if len(item.regions) != item.total:
            raise _odd("an item lacks a region")
    return items


def _operations(content: bytes, record: Record) -> Iterator[tuple[int, int, bytes]]:
    """Transaction, flags, data."""
    at = 0
    for _ in range(record.operations):
        if at + _OPERATION.size > len(content):
            raise _odd("an operation is cut off")
        number, length, _, flags, _ = _OPERATION.unpack_from(content, at)
        at += _OPERATION.size
        if at + length > len(content):
            raise _odd("an operation is cut off")
        yield number, flags, content[at : at + length]
        at += length


def _odd(what: str) -> ImageError:
    return damaged(WHERE, what)
