"""Buffers out of an xfs log: the parts of blocks of metadata that were changed.

Sources: libxfs/xfs_log_format.h, fs/xfs/xfs_buf_item_recover.c.
"""

import struct
from collections.abc import Iterator

from drills.images.errors import ImageError, damaged
from drills.images.xfs.log_records import WHERE
from drills.images.xfs.log_transactions import Item
from drills.images.xfs.superblock import SECTOR

_OF_INODES, _CANCELLED = 1, 2
_FORMAT, _WORD_BITS, _CHUNK = "HHHHqI", 32, 128
_LONGEST_MAP, _LONGEST = 64, 256 << 10


class Buffer:
    """One buffer item: `at` and `sectors` say which part of the image. Raises ImageError."""

    def __init__(self, item: Item) -> None:
        first, form = item.regions[0], item.order + _FORMAT
        try:
            _, _, flags, sectors, at, words = struct.unpack_from(form, first)
            if words > _LONGEST_MAP:
                raise _odd()
            chunks = struct.unpack_from(f"{item.order}{words}I", first, struct.calcsize(form))
        except struct.error:
            raise _odd() from None
        if at < 0 or sectors * SECTOR > _LONGEST:
            raise _odd()
        self.at = int(at)
        self.sectors = int(sectors)
        self._item = item
        self._chunks = chunks
        self.of_inodes = bool(flags & _OF_INODES)
        self.cancelled = bool(flags & _CANCELLED)

    @property
    def offset(self) -> int:
        return self.at * SECTOR

    @property
    def length(self) -> int:
        return self.sectors * SECTOR

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """Offset in the buffer, content. A stretch of chunks may be several regions."""
        regions = iter(self._item.regions[1:])
        number, end = 0, len(self._chunks) * _WORD_BITS
        while number < end:
            if not self._is_logged(number):
                number += 1
                continue
            region = next(regions, b"")
            count = 0
            while count < len(region) // _CHUNK and self._is_logged(number + count):
                count += 1
            if count == 0 or (number + count) * _CHUNK > self.length:
                raise _odd()
            yield number * _CHUNK, region[: count * _CHUNK]
            number += count

    def _is_logged(self, number: int) -> bool:
        word, bit = divmod(number, _WORD_BITS)
        return word < len(self._chunks) and bool(self._chunks[word] >> bit & 1)


def _odd() -> ImageError:
    return damaged(WHERE, "a buffer in it is not whole")
