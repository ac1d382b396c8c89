"""The lists of blocks by which ext2 and ext3 say where a file lies.

Source: Linux Documentation/filesystems/ext4/blockmap.rst.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from drills.images.errors import damaged

_DIRECT = 12


class Extent(NamedTuple):
    """`blocks` blocks from block `first` of a file, at block `at`."""

    first: int
    blocks: int
    at: int


class BlockList:
    """The blocks of one file.

    `where` names it, `wanted` is how many blocks its size takes, `most` how many lists there can
    be. `read` gives a block, and may raise.
    """

    def __init__(
        self, where: str, read: Callable[[int], bytes], block_size: int, wanted: int, most: int
    ) -> None:
        self._where = where
        self._read = read
        self._each = block_size // 4
        self._empty = bytes(block_size)
        self._wanted = wanted
        self._left = most

    def extents(self, area: bytes) -> Iterator[Extent]:
        """Neighbours put together; `area` is what the inode holds. Raises ImageError."""
        first = count = at = 0
        for number, block in self._blocks(struct.unpack("<15I", area)):
            if count and number == first + count and block == at + count:
                count += 1
                continue
            if count:
                yield Extent(first, count, at)
            first, count, at = number, 1, block
        if count:
            yield Extent(first, count, at)

    def _blocks(self, numbers: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """Block of the file, block of the image; without holes."""
        for number, block in enumerate(numbers[: min(_DIRECT, self._wanted)]):
            if block:
                yield number, block
        begin = _DIRECT
        for level, block in enumerate(numbers[_DIRECT:], 1):
            if block and begin < self._wanted:
                yield from self._listed(block, level, begin)
            begin += self._each**level

    def _listed(self, block: int, level: int, begin: int) -> Iterator[tuple[int, int]]:
        # Lists that name each other would go on for longer than anybody waits.
        self._left -= 1
        if self._left < 0:
            raise damaged(self._where, "its lists of blocks go in circles")
        content = self._read(block)
        if content == self._empty:
            return
        span = self._each ** (level - 1)
        for index, below in enumerate(struct.unpack(f"<{self._each}I", content)):
            number = begin + index * span
            if number >= self._wanted:
                return
            if below and level == 1:
                yield number, below
            elif below:
                yield from self._listed(below, level - 1, number)
