"""The records in an xfs log that a mount would replay.

Sources: "XFS Algorithms & Data Structures", Journaling Log; libxfs/xfs_log_format.h. Records follow
each other in a ring; each names the oldest one that is still needed. Of those last written, some
may be torn or missing, and then what follows them does not count.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from drills.images.checksums import SEED, crc32c
from drills.images.errors import damaged, unsupported
from drills.images.source import Source
from drills.images.xfs.superblock import SECTOR, Superblock

WHERE = "the log"
_MAGIC = b"\xfe\xed\xba\xbe"
_HEAD = struct.Struct(">4sIIIQQ4sII")
_CYCLES_AT, _CYCLES = 44, 64
_TAIL, _TAIL_AT = struct.Struct(">I16sI"), 300
_CHECKSUM_AT = 32
# The same header on 64 and on 32 bits, where it is not padded; either may have been summed.
_SUMMED_HEADS = (328, 324)
_SUMMED_EXTENSION = 260
_VERSIONS, _SECOND = frozenset({1, 2}), 2
_CYCLE_BYTES, _LONGEST = 32 << 10, 256 << 10
_LITTLE, _BIG = 1, 2
_PIECE_BYTES = 1 << 20
# As many as can be under way at once: so many of the last may be torn.
_UNDER_WAY = 8


class Record(NamedTuple):
    """`at`: in sectors from the log's beginning, as `lsn` and `tail` have it in their lower half,
    with the number of rounds in the upper. `heads`, `length`: sectors, and bytes behind them."""

    at: int
    lsn: int
    tail: int
    heads: int
    length: int
    operations: int
    form: int
    checksum: int

    @property
    def order(self) -> str:
        """Of bytes in what the host wrote as it had it, for `struct`."""
        return "<" if self.form == _LITTLE else ">"


class Log:
    """The log inside an image. Raises ImageError, and what the source raises."""

    def __init__(self, source: Source, superblock: Superblock) -> None:
        if not superblock.log_start:
            raise unsupported("this xfs", "its log lies in another device")
        self._source = source
        self._is = superblock
        self.start = superblock.place(superblock.log_start, superblock.log_blocks, WHERE)
        self.length = superblock.log_blocks << superblock.block_log
        self._sectors = self.length // SECTOR
        self._uuid = superblock.uuid.replace("-", "")

    def active(self) -> list[Record]:
        """The records to be replayed, oldest first; none after an orderly end."""
        found = {record.at: record for record in self._found()}
        if not found:
            return []
        newest = sorted(found.values(), key=lambda record: record.lsn)[::-1]
        for record in newest[: _UNDER_WAY + 1]:
            chain = self._chain(found, record)
            if chain:
                return [] if self._is_end(record) else chain
        raise damaged(WHERE, "its records do not follow each other")

    def content(self, record: Record) -> bytes:
        """What was logged; the first word of each sector is in the header as long as it lies."""
        heads, packed = self._read(record)
        content = bytearray(packed)
        for index in range(-(-record.length // SECTOR)):
            head, place = divmod(index, _CYCLES)
            at = _CYCLES_AT + 4 * place if head == 0 else head * SECTOR + 4 + 4 * place
            content[index * SECTOR : index * SECTOR + 4] = heads[at : at + 4]
        return bytes(content[: record.length])

    def _found(self) -> Iterator[Record]:
        for begin in range(0, self.length, _PIECE_BYTES):
            piece = self._source.read(self.start + begin, min(_PIECE_BYTES, self.length - begin))
            at = piece.find(_MAGIC)
            while at >= 0:
                if at % SECTOR == 0:
                    record = self._parsed((begin + at) // SECTOR, piece[at : at + SECTOR])
                    if record is not None:
                        yield record
                at = piece.find(_MAGIC, at + 1)

    def _parsed(self, at: int, raw: bytes) -> Record | None:
        """None for what only looks like the beginning of a record."""
        if len(raw) < SECTOR:
            return None
        _, cycle, version, length, lsn, tail, _, _, operations = _HEAD.unpack_from(raw)
        form, uuid, size = _TAIL.unpack_from(raw, _TAIL_AT)
        mine = uuid.hex() == self._uuid and lsn == cycle << 32 | at
        if not mine or version not in _VERSIONS or not 0 < length <= _LONGEST:
            return None
        if form not in (_LITTLE, _BIG) or size > _LONGEST:
            return None
        heads = max(1, -(-size // _CYCLE_BYTES)) if version == _SECOND else 1
        if length > heads * _CYCLE_BYTES:
            return None
        checksum = int.from_bytes(raw[_CHECKSUM_AT : _CHECKSUM_AT + 4], "little")
        return Record(at, lsn, tail, heads, length, operations, form, checksum)

    def _chain(self, found: dict[int, Record], last: Record) -> list[Record]:
        """From the tail that a record names to itself; nothing if one of them is not whole."""
        chain: list[Record] = []
        expected = last.tail
        while expected <= last.lsn and len(chain) <= len(found):
            record = found.get(expected & 0xFFFFFFFF)
            if record is None or record.lsn != expected or not self._is_whole(record):
                return []
            chain.append(record)
            if record is last:
                return chain
            following = record.at + record.heads + -(-record.length // SECTOR)
            rounds, at = divmod(following, self._sectors)
            expected = ((record.lsn >> 32) + rounds) << 32 | at
        return []

    def _is_whole(self, record: Record) -> bool:
        heads, content = self._read(record)
        # mkfs.xfs makes no checksum for the record that it begins a log with.
        if self._is.checked and record.checksum:
            return any(_checksum(record, heads, content, size) for size in _SUMMED_HEADS)
        whole = heads + content
        for index in range(0, len(whole), SECTOR):
            cycle = (record.lsn >> 32) + (record.at + index // SECTOR) // self._sectors
            word = whole[index : index + 4]
            if index and int.from_bytes(word) != cycle:
                return False
        return True

    def _is_end(self, record: Record) -> bool:
        """Whether a record says that the file system was unmounted."""
        return record.operations == 1 and bool(self.content(record)[9] & UNMOUNTED)

    def _read(self, record: Record) -> tuple[bytes, bytes]:
        """Headers and whole sectors of content, which may go on at the log's beginning."""
        sectors = record.heads + -(-record.length // SECTOR)
        here = min(sectors, self._sectors - record.at)
        found = self._source.read(self.start + record.at * SECTOR, here * SECTOR)
        if here < sectors:
            found += self._source.read(self.start, (sectors - here) * SECTOR)
        split = record.heads * SECTOR
        return found[:split], found[split:]


UNMOUNTED = 0x20
"""Flag of an operation."""


def _checksum(record: Record, heads: bytes, content: bytes, size: int) -> bool:
    bare = heads[:_CHECKSUM_AT] + bytes(4) + heads[_CHECKSUM_AT + 4 : size]
    state = crc32c(SEED, bare)
    for index in range(1, -(-record.length // _CYCLE_BYTES)):
        state = crc32c(state, heads[index * SECTOR : index * SECTOR + _SUMMED_EXTENSION])
    return crc32c(state, content[: record.length]) ^ SEED == record.checksum
