"""Memory of blocks used again instead of given back after each one.

The C library returns freed buffers as large as blocks to the system, and gets them back page by
page, each of which the system clears: for a block in lz4 that takes longer than to decompress and
to check it. One pool for all threads, so that what is kept is what was in use at once.
"""

import ctypes
from functools import cache

# mallopt(3) of the GNU C library, malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 256 << 20
_LARGEST = 32 << 20  # DEFAULT_MMAP_THRESHOLD_MAX; larger values are refused


@cache
def keep() -> None:
    """Sets this for the whole process, once; with another C library it does nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
