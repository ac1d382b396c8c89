"""Sectors of an image as they will be once its log was replayed, held in memory."""

from collections.abc import Iterator

from drills.images.errors import damaged, unsupported
from drills.images.source import Patched, Source
from drills.images.xfs.log_records import WHERE
from drills.images.xfs.superblock import SECTOR

MOST_BYTES = 256 << 20
"""That is as much as a log of 64 MiB can change, in four times its own length of sectors."""


class Changes:
    """What was changed so far. Raises ImageError, and what the source raises."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sectors: dict[int, bytearray] = {}

    def read(self, offset: int, length: int) -> bytes:
        """As it is now."""
        if offset < 0 or length < 0 or offset + length > self._source.size:
            raise damaged(WHERE, f"it speaks of byte {offset} of an image of {self._source.size}")
        found = bytearray(self._source.read(offset, length))
        for number in range(offset // SECTOR, -(-(offset + length) // SECTOR)):
            sector = self._sectors.get(number)
            if sector is not None:
                start = number * SECTOR
                low, high = max(start, offset), min(start + SECTOR, offset + length)
                found[low - offset : high - offset] = sector[low - start : high - start]
        return bytes(found)

    def write(self, offset: int, content: bytes) -> None:
        end = offset + len(content)
        if offset < 0 or end > self._source.size:
            raise damaged(WHERE, f"it speaks of byte {offset} of an image of {self._source.size}")
        for number in range(offset // SECTOR, -(-end // SECTOR)):
            start = number * SECTOR
            low, high = max(start, offset), min(start + SECTOR, end)
            self._sector(number)[low - start : high - start] = content[low - offset : high - offset]

    def patched(self) -> Source:
        """The image with all changes."""
        numbers = sorted(self._sectors)
        starts = [number * SECTOR for number in numbers]
        return Patched(
            self._source,
            starts,
            lambda _: SECTOR,
            lambda index: bytes(self._sectors[numbers[index]]),
        )

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Offset and content of every sector that was changed."""
        for number, content in sorted(self._sectors.items()):
            yield number * SECTOR, bytes(content)

    def _sector(self, number: int) -> bytearray:
        found = self._sectors.get(number)
        if found is None:
            if len(self._sectors) * SECTOR >= MOST_BYTES:
                raise unsupported(WHERE, f"it holds more changes than {MOST_BYTES >> 20} MiB")
            found = self._sectors[number] = bytearray(self._source.read(number * SECTOR, SECTOR))
        return found
