"""LZ4 frames that hold what they are given, with runs of zeros made short and nothing else.

The standard library has no LZ4, and a compressor in Python would take seconds for each block. Runs
of zeros are most of what a new file system holds, and one regular expression finds them.

Formats: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md.
"""

import re
import struct

MAGIC = struct.pack("<I", 0x184D2204)
# Version 1, independent blocks, size of the content stated, no checksums but the header's.
_FLAGS = 0b01101000
_LARGEST = 4 << 20
_LARGEST_CODE = 7 << 4
_STORED = 1 << 31
_RUN = re.compile(rb"\0{32,}")
# A match begins at least so far from a block's end, and the last bytes are literals.
_LAST_MATCH, _LAST_LITERALS = 12, 5
_SHORTEST_MATCH = 4
_FULL = 15
_MASK = 0xFFFFFFFF
_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393


def frame(content: bytes) -> bytes:
    """The content as one frame."""
    about = struct.pack("<BBQ", _FLAGS, _LARGEST_CODE, len(content))
    parts = [MAGIC, about, bytes([xxh32_short(about) >> 8 & 0xFF])]
    for start in range(0, len(content), _LARGEST):
        parts += _block(content[start : start + _LARGEST])
    return b"".join([*parts, bytes(4)])


def _block(piece: bytes) -> tuple[bytes, bytes]:
    short = shortened(piece)
    if len(short) < len(piece):
        return struct.pack("<I", len(short)), short
    return struct.pack("<I", len(piece) | _STORED), piece


def shortened(piece: bytes) -> bytes:
    """The piece as a block: each run of zeros is one zero and a match of the byte before."""
    out = bytearray()
    done = 0
    for run in _RUN.finditer(piece):
        start, stop = run.start() + 1, min(run.end(), len(piece) - _LAST_LITERALS)
        if start > len(piece) - _LAST_MATCH:
            break
        _sequence(out, piece[done:start], stop - start)
        done = stop
    _literals(out, piece[done:], 0)
    return bytes(out)


def _sequence(out: bytearray, literals: bytes, match: int) -> None:
    longer = match - _SHORTEST_MATCH
    _literals(out, literals, min(longer, _FULL))
    out += b"\x01\x00"  # one byte back
    _length(out, longer)


def _literals(out: bytearray, literals: bytes, low: int) -> None:
    out.append(min(len(literals), _FULL) << 4 | low)
    _length(out, len(literals))
    out += literals


def _length(out: bytearray, length: int) -> None:
    """What of a length did not fit into its four bits of the token."""
    if length >= _FULL:
        more, rest = divmod(length - _FULL, 255)
        out += b"\xff" * more
        out.append(rest)


def xxh32_short(data: bytes) -> int:
    """XXH32 with seed 0 of less than 16 bytes, which a frame's header always is."""
    digest = _P5 + len(data)
    whole = len(data) // 4 * 4
    for (lane,) in struct.iter_unpack("<I", data[:whole]):
        digest = _rotated(digest + lane * _P3, 17) * _P4
    for byte in data[whole:]:
        digest = _rotated(digest + byte * _P5, 11) * _P1
    digest &= _MASK
    digest = (digest ^ digest >> 15) * _P2 & _MASK
    digest = (digest ^ digest >> 13) * _P3 & _MASK
    return digest ^ digest >> 16


def _rotated(value: int, by: int) -> int:
    value &= _MASK
    return (value << by | value >> (32 - by)) & _MASK
