"""Descriptors of this process, to see that something closes what it opened."""

import gc
import os


def open_files() -> int:
    """How many are open."""
    # What earlier tests left to the collector must not go between two counts.
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (its own descriptor counts each time)
