"""CRC32C as file systems use it: with a seed, and without the final complement."""

import google_crc32c

_ONES = 0xFFFFFFFF
SEED = _ONES


def crc32c(seed: int, data: bytes) -> int:
    """Linux's crc32c(): the state after `data` when it was `seed` before."""
    return int(google_crc32c.extend(seed ^ _ONES, data)) ^ _ONES
