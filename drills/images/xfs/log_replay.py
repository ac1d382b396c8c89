"""What a mount would do first with an xfs: its log's changes in place of what lies at home.

A change of metadata goes to the log, and home up to half a minute later or more; a backup of a
mounted volume has the newest state of much of it in the log alone. Nothing is written here: what is
read is patched. What was announced and not done yet is not made up; where that would change what a
file holds, it is an error. Sources: fs/xfs/xfs_log_recover.c and the files `*_recover.c` beside it.
"""

import struct
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from drills.images.errors import unsupported
from drills.images.source import Source
from drills.images.xfs.log_buffers import Buffer
from drills.images.xfs.log_changes import Changes
from drills.images.xfs.log_inodes import CHECKSUM_AT, MAGIC, Logged, new_inodes
from drills.images.xfs.log_records import WHERE, Log
from drills.images.xfs.log_transactions import Item, transactions
from drills.images.xfs.seal import sealed, with_checksum
from drills.images.xfs.superblock import SECTOR, Superblock

_INODE, _BUFFER, _NEW_INODES = 0x123B, 0x123C, 0x123F
# What is announced; the next number says that it was done. The first three concern free space, and
# who has which blocks, alone.
_SPACE = frozenset({0x1236, 0x1240, 0x1242})
_CONTENT = {
    0x1244: "a change of a block map",
    0x1246: "a change of extended attributes",
    0x1248: "an exchange of contents",
}
_INTENTS = _SPACE | _CONTENT.keys()
_ID_AT = 8
_NEXT_UNLINKED = 96


class Replayed(NamedTuple):
    """The image as it will be once it was mounted, and how many transactions make it so.

    `unfinished`: changes of free space that were announced and are left to a mount.
    """

    source: Source
    transactions: int
    changes: Changes
    unfinished: int


def replay(source: Source, superblock: Superblock) -> Replayed:
    """Raises ImageError."""
    log = Log(source, superblock)
    records = log.active()
    changes = Changes(source)
    if not records:
        return Replayed(source, 0, changes, 0)
    replaying = _Replay(superblock, changes, _Cancelled(transactions(log, records)))
    count = 0
    for items in transactions(log, records):
        replaying.commit(items)
        count += 1
    unfinished = replaying.finish()
    return Replayed(changes.patched(), count, changes, unfinished)


class _Cancelled:
    """Buffers whose blocks were freed: what was logged of them before is not to be replayed, for
    the blocks may hold somebody's data since."""

    def __init__(self, found: Iterable[list[Item]]) -> None:
        self._buffers: Counter[tuple[int, int]] = Counter()
        self._places: Counter[int] = Counter()
        for items in found:
            for item in items:
                if item.kind == _BUFFER and (buffer := Buffer(item)).cancelled:
                    self._count(buffer, 1)

    def holds(self, at: int, sectors: int) -> bool:
        """Whether a buffer is still to be freed."""
        return self._buffers.get((at, sectors), 0) > 0

    def holds_any(self, places: Iterable[int]) -> bool:
        return any(self._places.get(at, 0) > 0 for at in places)

    def pass_by(self, buffer: Buffer) -> None:
        """It was freed now; what is logged of it from here on counts."""
        self._count(buffer, -1)

    def _count(self, buffer: Buffer, step: int) -> None:
        self._buffers[buffer.at, buffer.sectors] += step
        self._places[buffer.at] += step


class _Replay:
    """Raises ImageError."""

    def __init__(self, superblock: Superblock, changes: Changes, cancelled: _Cancelled) -> None:
        self._is = superblock
        self._changes = changes
        self._cancelled = cancelled
        self._blocks: dict[int, int] = {}
        self._inodes: set[int] = set()
        self._intents: set[tuple[int, int]] = set()

    def commit(self, items: list[Item]) -> None:
        """One transaction: blocks before the inodes in them, and freed blocks last."""
        buffers = [Buffer(item) for item in items if item.kind == _BUFFER]
        replayed = [
            one
            for one in buffers
            if not one.cancelled and not self._cancelled.holds(one.at, one.sectors)
        ]
        for buffer in replayed:
            if not buffer.of_inodes:
                self._put_buffer(buffer)
        for item in sorted(items, key=lambda item: item.kind == _INODE):
            if item.kind == _NEW_INODES:
                self._put_new_inodes(item)
            elif item.kind == _INODE:
                self._put_inode(Logged(item))
            else:
                self._note_intent(item)
        for buffer in replayed:
            if buffer.of_inodes:
                self._put_unlinked(buffer)
        for buffer in buffers:
            if buffer.cancelled:
                self._cancelled.pass_by(buffer)

    def finish(self) -> int:
        """Makes the checksums, and says how much is left undone. Raises ImageError for what cannot
        be left so."""
        for kind, _ in self._intents:
            if kind in _CONTENT:
                raise unsupported(WHERE, f"{_CONTENT[kind]} is under way")
        if self._is.checked:
            self._make_checksums()
        return len(self._intents)

    def _make_checksums(self) -> None:
        for offset, length in self._blocks.items():
            self._changes.write(offset, sealed(self._changes.read(offset, length)))
        for offset in self._inodes:
            raw = self._changes.read(offset, self._is.inode_size)
            if raw[:2] == MAGIC:
                self._changes.write(offset, with_checksum(raw, CHECKSUM_AT))

    def _put_buffer(self, buffer: Buffer) -> None:
        for at, content in buffer.parts():
            self._changes.write(buffer.offset + at, content)
        self._blocks[buffer.offset] = buffer.length

    def _put_new_inodes(self, item: Item) -> None:
        new = new_inodes(self._is, item)
        places = range(new.offset // SECTOR, (new.offset + new.length) // SECTOR)
        if self._cancelled.holds_any(places):
            return
        for index, inode in enumerate(new.inodes):
            offset = new.offset + index * self._is.inode_size
            self._changes.write(offset, inode)
            self._inodes.add(offset)

    def _put_inode(self, logged: Logged) -> None:
        place = logged.place
        if self._cancelled.holds(place.buffer, place.sectors):
            return
        raw = self._changes.read(place.offset, self._is.inode_size)
        self._changes.write(place.offset, logged.applied(self._is, raw))
        self._inodes.add(place.offset)

    def _put_unlinked(self, buffer: Buffer) -> None:
        """Of such a buffer only which inode is the next in a list of unlinked ones counts."""
        size = self._is.inode_size
        for at, content in buffer.parts():
            first = -(-(at - _NEXT_UNLINKED) // size)
            for index in range(max(0, first), (at + len(content)) // size + 1):
                begin = index * size + _NEXT_UNLINKED - at
                if begin + 4 <= len(content):
                    offset = buffer.offset + index * size
                    self._changes.write(offset + _NEXT_UNLINKED, content[begin : begin + 4])
                    self._inodes.add(offset)

    def _note_intent(self, item: Item) -> None:
        if len(item.regions[0]) < _ID_AT + 8:
            return
        number = int(struct.unpack_from(f"{item.order}Q", item.regions[0], _ID_AT)[0])
        if item.kind in _INTENTS:
            self._intents.add((item.kind, number))
        else:
            self._intents.discard((item.kind - 1, number))
