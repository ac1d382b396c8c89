"""How many processes read, and how many blocks each has under way. All sizes are bytes."""

import os

from drills.backupstore.parallel import MEMORY_BYTES

MOST_PROCESSES = 4
THREADS = 5
"""In each process, at most: some wait for the store while the others decompress and check."""

# What each further process takes before it reads, out of the same 300 MiB.
_PROCESS_BYTES = 40 << 20
_FEWEST_THREADS, _MOST_THREADS = 6, 12


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def usual_workers(available: int) -> int:
    """Threads, in all processes together."""
    return max(_FEWEST_THREADS, min(_MOST_THREADS, THREADS * available))


def processes(available: int, workers: int, cost: int) -> int:
    """How many read blocks that take `cost` bytes while they are read, this one included."""
    most = max(1, min(available, workers, MOST_PROCESSES))
    fitting = (count for count in range(most, 1, -1) if memory(count) >= count * cost)
    return next(fitting, 1)


def memory(count: int) -> int:
    """For the blocks under way in this many processes together."""
    return MEMORY_BYTES - max(0, count - 2) * _PROCESS_BYTES


def at_once(count: int, cost: int) -> int:
    """How many blocks that take `cost` bytes one of `count` processes may have under way."""
    return max(1, memory(count) // (count * cost))


def threads(count: int, workers: int) -> int:
    """Of each of the processes beside this one."""
    return -(-workers // count)
