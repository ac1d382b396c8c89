"""Writing to a disk past the memory that the kernel keeps of files (open(2), O_DIRECT).

An image that nobody reads while it grows gains nothing by being kept there, and may be larger than
the memory. Bringing it to disk from there takes ten times the processor time: a page is found,
copied into, marked and written out for each 4 KiB.
"""

import errno
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

ALIGNED = 4096
"""Offsets, lengths and memory are multiples of it: the largest sector of a disk."""

LEAST_BYTES = 512 << 10
"""Shorter writes the kernel gathers better than a disk that is waited for after each one."""

AT_ONCE = 2
"""Writes under way: the disk has the next one before anybody has seen the end of the last."""

_BUFFER_BYTES = 4 << 20


class DirectWriter:
    """Writes to one file, for one thread. What cannot be written so goes the usual way.

    What a write has taken is on its way; whether it arrived is said by `settle`.
    """

    def __init__(self, descriptor: int) -> None:
        """descriptor: of the file, open until `close` was called."""
        self._usual = descriptor
        self._direct = opened(descriptor)
        self._refused = self._direct is None
        self._threads = ThreadPoolExecutor(AT_ONCE, "write")
        self._under_way: list[Future[None]] = []
        self._buffers: SimpleQueue[mmap.mmap] = SimpleQueue()
        for _ in range(AT_ONCE):
            self._buffers.put(mmap.mmap(-1, _BUFFER_BYTES))
        self.kept = 0
        """Bytes that went the usual way, so that they may not be on the disk yet."""

    def write(self, content: memoryview, offset: int) -> int:
        """How many bytes it took, one at least. Raises OSError, for an earlier write too."""
        length = min(len(content), _BUFFER_BYTES)
        if self._refused or length < LEAST_BYTES or (offset | length) % ALIGNED:
            written = os.pwrite(self._usual, content, offset)
            self.kept += written
            return written
        buffer = self._buffers.get()
        buffer[:length] = content[:length]
        ended = [one for one in self._under_way if one.done()]
        self._under_way = [one for one in self._under_way if one not in ended]
        self._under_way.append(self._threads.submit(self._write, buffer, length, offset))
        for one in ended:
            one.result()
        return length

    def settle(self) -> None:
        """Waits for all that is under way. Raises OSError if any of it failed."""
        under_way, self._under_way = self._under_way, []
        for one in under_way:
            one.result()

    def close(self) -> None:
        """Waits, and closes what was opened here, not the file that was given."""
        self._threads.shutdown()
        if self._direct is not None:
            os.close(self._direct)
            self._direct = None

    def _write(self, buffer: mmap.mmap, length: int, offset: int) -> None:
        """Runs in a thread of its own. Raises OSError."""
        written = 0
        try:
            with memoryview(buffer) as view:
                while written < length:
                    written += self._some(view[written:length], offset + written)
        finally:
            self._buffers.put(buffer)

    def _some(self, content: memoryview, offset: int) -> int:
        # What is left of a write that the disk took in part need not be whole sectors any more.
        if self._direct is not None and not self._refused and not (offset | len(content)) % ALIGNED:
            try:
                return os.pwrite(self._direct, content, offset)
            except OSError as error:
                # A file system that takes the flag and not the write, or larger sectors.
                if error.errno != errno.EINVAL:
                    raise
                self._refused = True
        return os.pwrite(self._usual, content, offset)


def opened(descriptor: int) -> int | None:
    """The same file, whatever its name is by now; None where that cannot be had."""
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return None
