"""Files with holes: what is zero takes no room."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from drills.backupstore.parallel import StoppedError

PIECE = 64 << 10
"""Zeros are left out in pieces of this size. Smaller ones would scatter the file on its disk."""

_READ = 1 << 20
_ZERO_PIECE = bytes(PIECE)
_ZEROS = bytes(_READ)


Write = Callable[[memoryview, int], int]
"""Writes to a file at an offset; how many bytes it wrote, one at least."""


def write(put: Write, content: bytes, offset: int, *, hole: bool) -> None:
    """Writes all of `content`; where the file has a `hole`, its zeros are left out.

    Raises what `put` raises.
    """
    view = memoryview(content)
    for start, end in data_spans(content) if hole else [(0, len(content))]:
        written = start
        while written < end:
            written += put(view[written:end], offset + written)


def write_behind(descriptor: int) -> None:
    """Has the disk begin with what is not on it, and the memory let go of what is.

    Nobody reads an image while it is written, and it may be larger than the memory.
    """
    # A file system that does not know this writes when it likes.
    with suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def data_spans(content: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of what is not zeros, in whole pieces."""
    begun = -1
    for start in range(0, len(content), PIECE):
        if _is_zeros(content, start):
            if begun >= 0:
                yield begun, start
            begun = -1
        elif begun < 0:
            begun = start
    if begun >= 0:
        yield begun, len(content)


def has_data(content: bytes) -> bool:
    """Whether it is anything but zeros."""
    return next(data_spans(content), None) is not None


def read(descriptor: int, length: int, offset: int) -> bytes:
    """As many bytes as the file has there, `length` at most. Raises OSError."""
    found = os.pread(descriptor, length, offset)
    while len(found) < length:
        more = os.pread(descriptor, length - len(found), offset + len(found))
        if not more:
            break
        found += more
    return found


def is_empty(descriptor: int, ranges: Iterable[tuple[int, int]]) -> bool:
    """Whether nothing but zeros lies in any range of start and end. Raises OSError."""
    return all(
        read(descriptor, length, offset) == _ZEROS[:length]
        for start, end in ranges
        for offset, length in _pieces(_extents(descriptor, start, end))
    )


def sha256(descriptor: int, size: int, stop: threading.Event) -> str:
    """Of the first `size` bytes; holes are not read. Raises OSError, StoppedError."""
    digest = hashlib.sha256()
    at = 0
    for offset, length in _pieces(_extents(descriptor, 0, size)):
        _add_zeros(digest, offset - at, stop)
        digest.update(read(descriptor, length, offset))
        at = offset + length
    _add_zeros(digest, size - at, stop)
    return digest.hexdigest()


def _add_zeros(digest: "hashlib._Hash", count: int, stop: threading.Event) -> None:
    if stop.is_set():
        raise StoppedError("stopped before the end")
    while count > 0:
        digest.update(_ZEROS[:count])
        count -= _READ


def _is_zeros(content: bytes, start: int) -> bool:
    left = len(content) - start
    return content.startswith(_ZERO_PIECE if left >= PIECE else bytes(left), start)


def _pieces(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Offset and length of the parts in which ranges of start and end are read."""
    for start, end in ranges:
        for offset in range(start, end, _READ):
            yield offset, min(_READ, end - offset)


def _extents(descriptor: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of what may not be zeros between two offsets.

    A file system without holes says that all of it is data. Raises OSError.
    """
    while start < end:
        try:
            data = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if data >= end:
            return
        start = min(end, os.lseek(descriptor, data, os.SEEK_HOLE))
        yield data, start
