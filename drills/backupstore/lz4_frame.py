"""lz4 frames as Longhorn writes them, decompressed without their own checksum.

What comes out is held against its SHA-512, which leaves the frame's checksum nothing to find, and
reckoning that takes ten times as long as decompressing. Source: lz4's doc/lz4_Frame_format.md.
"""

import lz4.block

_MAGIC = b"\x04\x22\x4d\x18"
_VERSION, _VERSION_1 = 0b1100_0000, 0b0100_0000
_INDEPENDENT, _BLOCK_CHECKSUM, _SIZE, _CHECKSUM = 0b10_0000, 0b1_0000, 0b1000, 0b100
_RESERVED_OR_DICTIONARY = 0b11
_FLAGS, _HEADER, _SIZE_BYTES, _WORD = 4, 7, 8, 4
_STORED_AS_IS = 1 << 31


def plain(frame: bytes, most: int) -> bytes | None:
    """What one frame of independent blocks holds, `most` bytes at most.

    None for anything else: another kind of frame, several, a damaged one, one that holds more. A
    reader of all frames tells which.
    """
    if not frame.startswith(_MAGIC) or len(frame) < _HEADER or not _is_usual(frame[_FLAGS]):
        return None
    flags = frame[_FLAGS]
    at = _HEADER + (_SIZE_BYTES if flags & _SIZE else 0)
    pieces: list[bytes] = []
    while word := int.from_bytes(frame[at : at + _WORD], "little"):
        start = at + _WORD
        at = start + (word & ~_STORED_AS_IS)
        piece = _piece(frame, start, at, most, as_is=bool(word & _STORED_AS_IS))
        if piece is None:
            return None
        pieces.append(piece)
        most -= len(piece)
        at += _WORD if flags & _BLOCK_CHECKSUM else 0
    at += _WORD + (_WORD if flags & _CHECKSUM else 0)
    return b"".join(pieces) if at == len(frame) else None


def _is_usual(flags: int) -> bool:
    return (
        flags & _VERSION == _VERSION_1
        and flags & _INDEPENDENT != 0
        and flags & _RESERVED_OR_DICTIONARY == 0
    )


def _piece(frame: bytes, start: int, end: int, most: int, *, as_is: bool) -> bytes | None:
    if end > len(frame):
        return None
    if as_is:
        return frame[start:end] if end - start <= most else None
    try:
        found: bytes = lz4.block.decompress(memoryview(frame)[start:end], uncompressed_size=most)
    except lz4.block.LZ4BlockError:
        return None
    return found
