"""The checksum of a block of xfs metadata that was put together anew.

Checksums are made when a block is written home, so the log has none. Offsets: libxfs/xfs_format.h,
libxfs/xfs_da_format.h.
"""

import struct

from drills.images.checksums import SEED, crc32c

# By the first four bytes.
_PLACES = {
    b"XFSB": 224,
    b"XAGF": 216,
    b"XAGI": 312,
    b"XAFL": 32,
    b"BMA3": 64,
    **dict.fromkeys((b"AB3B", b"AB3C", b"IAB3", b"FIB3", b"RMB3", b"R3FC"), 52),
    **dict.fromkeys((b"XDB3", b"XDD3", b"XDF3"), 4),
    **dict.fromkeys((b"XSLM", b"XARM"), 12),
}
# By two bytes further on: blocks of hashed trees.
_TREES_AT, _TREES = 8, frozenset({b"\x3e\xbe", b"\x3b\xee", b"\x3d\xf1", b"\x3d\xff"})
_TREE_PLACE = 12


def sealed(content: bytes) -> bytes:
    """With its checksum; as it is, if it is of a kind that has none or is not known."""
    place = _PLACES.get(content[:4])
    if place is None and content[_TREES_AT : _TREES_AT + 2] in _TREES:
        place = _TREE_PLACE
    return content if place is None else with_checksum(content, place)


def with_checksum(content: bytes, place: int) -> bytes:
    bare = content[:place] + bytes(4) + content[place + 4 :]
    return content[:place] + struct.pack("<I", crc32c(SEED, bare) ^ SEED) + content[place + 4 :]
