"""Where the bytes of an image come from."""

import errno
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from drills.images.errors import damaged

_CHUNK_BYTES = 64 << 10
_CHUNKS = 256


class Source(Protocol):
    """Read-only random access. What `read` raises of its own passes through every reader here."""

    @property
    def size(self) -> int:
        """Bytes in the whole image."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on: `length` of them, fewer only where the image ends before."""


@runtime_checkable
class Sparse(Protocol):
    """A source that knows where nothing was ever written."""

    def next_data(self, offset: int) -> int:
        """Where the next bytes lie that may not be zero, from `offset` on; `size` if nowhere."""


class FileSource:
    """A raw image in a file. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Not fstat, which says 0 of a block device.
        self.size = os.lseek(self._descriptor, 0, os.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        found = os.pread(self._descriptor, length, offset)
        while len(found) < min(length, self.size - offset):
            more = os.pread(self._descriptor, length - len(found), offset + len(found))
            if not more:
                break
            found += more
        return found

    def next_data(self, offset: int) -> int:
        try:
            return os.lseek(self._descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return self.size
            return offset

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Patched:
    """An image in which some pieces are others than those that lie there.

    `starts` rising, `lengths` beside them; no piece overlaps the next. `piece` gives the bytes of
    one by its number.
    """

    def __init__(
        self,
        source: Source,
        starts: Sequence[int],
        lengths: Callable[[int], int],
        piece: Callable[[int], bytes],
    ) -> None:
        self.size = source.size
        self._source = source
        self._starts = starts
        self._length = lengths
        self._piece = piece

    def read(self, offset: int, length: int) -> bytes:
        found = self._source.read(offset, length)
        end = offset + len(found)
        number = max(0, bisect_right(self._starts, offset) - 1)
        changed: bytearray | None = None
        while number < len(self._starts) and (start := self._starts[number]) < end:
            stop = start + self._length(number)
            if stop > offset:
                changed = bytearray(found) if changed is None else changed
                low, high = max(start, offset), min(stop, end)
                changed[low - offset : high - offset] = self._piece(number)[
                    low - start : high - start
                ]
            number += 1
        return found if changed is None else bytes(changed)


class Metadata:
    """Small reads of a source, of which those that lie near each other cost one.

    Holds 16 MiB at most.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._chunks: OrderedDict[int, bytes] = OrderedDict()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes. Raises ImageError where the image ends before."""
        inside = offset % _CHUNK_BYTES
        if inside + length <= _CHUNK_BYTES:
            found = self._chunk(offset - inside)[inside : inside + length]
        else:
            found = self._source.read(offset, length)
        if len(found) != length:
            raise damaged("the image", f"it ends before byte {offset + length}")
        return found

    def _chunk(self, start: int) -> bytes:
        found = self._chunks.get(start)
        if found is None:
            found = self._chunks[start] = self._source.read(start, _CHUNK_BYTES)
            if len(self._chunks) > _CHUNKS:
                self._chunks.popitem(last=False)
        else:
            self._chunks.move_to_end(start)
        return found
