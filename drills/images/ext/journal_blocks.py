"""The transactions in an ext journal, as they lie there.

Sources: Linux Documentation/filesystems/ext4/journal.rst, include/linux/jbd2.h, fs/jbd2/recovery.c.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from drills.images.checksums import SEED, crc32c
from drills.images.errors import damaged, unsupported
from drills.images.source import Metadata
from drills.images.volume import Run

WHERE = "the journal"
MAGIC = 0xC03B3998
FAST_COMMITS = 0x20
_HEAD = struct.Struct(">III")
_DESCRIPTOR, _COMMIT, _SUPER_V1, _SUPER_V2, _REVOKE = 1, 2, 3, 4, 5
_REVOKES, _WIDE, _ASYNC, _CSUM_V2, _CSUM_V3 = 0x1, 0x2, 0x4, 0x8, 0x10
_READ = _REVOKES | _WIDE | _ASYNC | _CSUM_V2 | _CSUM_V3 | FAST_COMMITS
_SAME_UUID, _LAST = 0x2, 0x8
_UUID_BYTES, _TAIL_BYTES = 16, 4
_SUPER = struct.Struct(">IIIII")
_SUPER_BYTES, _SUPER_CHECKSUM = 1024, 0xFC
_TAG, _TAG_V3 = struct.Struct(">IHH"), struct.Struct(">IIII")
_COMMIT_CHECKSUM, _COMMIT_TIME = 16, 48


class Header(NamedTuple):
    """The journal's own superblock; `start` 0 says that there is nothing to be done."""

    last: int
    first: int
    sequence: int
    start: int
    features: int
    seed: int


class Tag(NamedTuple):
    """Says that the block at `at` in the journal is to replace the block `home`."""

    home: int
    at: int
    flags: int
    checksum: int


@dataclass
class Transaction:
    """One that was committed. `revoked`: blocks that no transaction up to this one may replace."""

    sequence: int
    tags: list[Tag] = field(default_factory=list)
    revoked: list[int] = field(default_factory=list)
    suspect: bool = False


class JournalBlocks:
    """The blocks of the journal that lies in `runs` of the image. Raises ImageError."""

    def __init__(self, metadata: Metadata, runs: Sequence[Run], block_size: int) -> None:
        self._metadata = metadata
        self._runs = runs
        self._starts = [run.offset for run in runs]
        self.size = block_size
        self.header = self._header()

    @property
    def summed(self) -> bool:
        """Whether every block has a checksum."""
        return bool(self.header.features & (_CSUM_V2 | _CSUM_V3))

    def place(self, block: int) -> int:
        """Where a block of the journal lies in the image."""
        offset = block * self.size
        number = bisect_right(self._starts, offset) - 1
        run = self._runs[number] if number >= 0 else Run(0, 0, 0)
        if offset + self.size > run.offset + run.length:
            raise damaged(WHERE, f"its block {block} lies nowhere")
        return run.at + offset - run.offset

    def read(self, block: int) -> bytes:
        return self._metadata.read(self.place(block), self.size)

    def is_sound(self, tag: Tag, sequence: int) -> bool:
        """Whether the block that a tag is about has the checksum that the tag says."""
        if not self.summed:
            return True
        found = crc32c(crc32c(self.header.seed, sequence.to_bytes(4)), self.read(tag.at))
        return tag.checksum == (found if self.header.features & _CSUM_V3 else found & 0xFFFF)

    def transactions(self) -> Iterator[Transaction]:
        """Those that were committed, oldest first."""
        block, seen, newest = self.header.start, 0, 0
        one = Transaction(self.header.sequence)
        while seen < self.header.last:
            content = self.read(block)
            magic, kind, sequence = _HEAD.unpack_from(content)
            if (magic, sequence) != (MAGIC, one.sequence):
                return
            block, seen = self._next(block), seen + 1
            if kind == _DESCRIPTOR:
                one.suspect |= not self._has_tail(content)
                for home, flags, checksum in self._tags(content):
                    one.tags.append(Tag(home, block, flags, checksum))
                    block, seen = self._next(block), seen + 1
            elif kind == _REVOKE:
                one.suspect |= not self._has_tail(content)
                one.revoked += self._revoked(content)
            elif kind == _COMMIT and self._is_committed(content, one, block, newest):
                newest = int(struct.unpack_from(">Q", content, _COMMIT_TIME)[0])
                yield one
                one = Transaction(sequence + 1 & 0xFFFFFFFF)
            else:
                return

    def _is_committed(self, content: bytes, one: Transaction, following: int, newest: int) -> bool:
        """Whether a transaction ended here, and is no remainder of an earlier round."""
        if self.summed:
            end = _COMMIT_CHECKSUM + 4
            bare = content[:_COMMIT_CHECKSUM] + bytes(4) + content[end:]
            said = struct.unpack_from(">I", content, _COMMIT_CHECKSUM)[0]
            if crc32c(self.header.seed, bare) != said:
                magic, _, sequence = _HEAD.unpack_from(self.read(following))
                if (magic, sequence) == (MAGIC, one.sequence + 1):
                    raise damaged(WHERE, f"the end of transaction {one.sequence} is not whole")
                return False
        if one.suspect:
            if struct.unpack_from(">Q", content, _COMMIT_TIME)[0] < newest:
                return False
            raise damaged(WHERE, f"a block of transaction {one.sequence} has a wrong checksum")
        return True

    def _tags(self, content: bytes) -> Iterator[tuple[int, int, int]]:
        """Block, flags, checksum."""
        wide, third = self.header.features & _WIDE, self.header.features & _CSUM_V3
        at, end = _HEAD.size, len(content) - (_TAIL_BYTES if self.summed else 0)
        # fs/jbd2/journal.c journal_tag_bytes: with checksums of version 2 it is two bytes longer.
        size = 16 if third else 8 + (4 if wide else 0) + (self._has(_CSUM_V2) and 2)
        flags = 0
        while not flags & _LAST and at + size <= end:
            if third:
                home, flags, high, checksum = _TAG_V3.unpack_from(content, at)
            else:
                home, checksum, flags = _TAG.unpack_from(content, at)
                high = int.from_bytes(content[at + _TAG.size : at + size][:4]) if wide else 0
            at += size + (0 if flags & _SAME_UUID else _UUID_BYTES)
            yield home | (high << 32 if wide else 0), flags, checksum

    def _revoked(self, content: bytes) -> list[int]:
        end = int(struct.unpack_from(">I", content, _HEAD.size)[0])
        if not _HEAD.size + 4 <= end <= len(content):
            raise damaged(WHERE, "a list of revoked blocks has no sound length")
        size = 8 if self.header.features & _WIDE else 4
        area = content[_HEAD.size + 4 : end]
        return [int.from_bytes(area[at : at + size]) for at in range(0, len(area) - size + 1, size)]

    def _has_tail(self, content: bytes) -> bool:
        if not self.summed:
            return True
        bare = content[:-_TAIL_BYTES] + bytes(_TAIL_BYTES)
        return crc32c(self.header.seed, bare) == int.from_bytes(content[-_TAIL_BYTES:])

    def _next(self, block: int) -> int:
        return block + 1 if block + 1 < self.header.last else self.header.first

    def _has(self, feature: int) -> bool:
        return bool(self.header.features & feature)

    def _header(self) -> Header:
        raw = self._metadata.read(self.place(0), _SUPER_BYTES)
        magic, kind, _ = _HEAD.unpack_from(raw)
        if magic != MAGIC or kind not in (_SUPER_V1, _SUPER_V2):
            raise damaged(WHERE, "its superblock is missing")
        size, last, first, sequence, start = _SUPER.unpack_from(raw, _HEAD.size)
        features = int(struct.unpack_from(">I", raw, 0x28)[0]) if kind == _SUPER_V2 else 0
        if features & ~_READ:
            raise unsupported(WHERE, f"it has features that are not known here ({features:#x})")
        if features & (_CSUM_V2 | _CSUM_V3):
            end = _SUPER_CHECKSUM + 4
            bare = raw[:_SUPER_CHECKSUM] + bytes(4) + raw[end:]
            if crc32c(SEED, bare) != int.from_bytes(raw[_SUPER_CHECKSUM:end]):
                raise damaged(WHERE, "the checksum of its superblock is wrong")
        if size != self.size or not 0 < first < last or start >= last:
            raise damaged(WHERE, "its superblock contradicts itself")
        return Header(last, first, sequence, start, features, crc32c(SEED, raw[0x30:0x40]))
