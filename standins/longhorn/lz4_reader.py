"""Reads LZ4 frames, those of Longhorn's own engine among them.

What a block of a backup holds is known by its SHA-512, so the checksums of content that a frame may
bear are passed over. The header's is looked at: without it anything might be a frame.

Formats: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md.
"""

from standins.longhorn.lz4_frame import MAGIC, xxh32_short

_VERSION_1 = 0b01
_INDEPENDENT, _BLOCK_CHECKSUMS, _SIZED, _CHECKSUM, _DICTIONARY = 1 << 5, 1 << 4, 1 << 3, 1 << 2, 1
_STORED = 1 << 31
_SHORTEST_MATCH = 4
_FULL, _GOES_ON = 15, 255


class FrameError(Exception):
    """This is no whole LZ4 frame; one sentence."""


def content(frame: bytes, most: int) -> bytes:
    """What a frame holds, at most `most` bytes. Raises FrameError."""
    try:
        return _content(frame, most)
    except IndexError:
        raise FrameError("lz4: the frame ends too early") from None


def _content(frame: bytes, most: int) -> bytes:
    if frame[:4] != MAGIC:
        raise FrameError("lz4: bad magic number")
    flags = frame[4]
    if flags >> 6 != _VERSION_1 or flags & _DICTIONARY:
        raise FrameError("lz4: a version or a dictionary that nobody uses")
    end = 6 + (8 if flags & _SIZED else 0)
    if frame[end] != xxh32_short(frame[4:end]) >> 8 & 0xFF:
        raise FrameError("lz4: the header has another checksum")
    out, at = bytearray(), end + 1
    while size := _number(frame, at):
        length = size & ~_STORED
        piece = frame[at + 4 : at + 4 + length]
        if len(piece) < length:
            raise FrameError("lz4: the frame ends too early")
        if size & _STORED:
            _grow(out, piece, most)
        else:
            _unpack(out, piece, len(out) if flags & _INDEPENDENT else 0, most)
        at += 4 + length + (4 if flags & _BLOCK_CHECKSUMS else 0)
    at += 4 + (4 if flags & _CHECKSUM else 0)
    if at != len(frame):
        raise FrameError("lz4: the frame ends too early, or something follows it")
    if flags & _SIZED and int.from_bytes(frame[6:14], "little") != len(out):
        raise FrameError("lz4: the content has another size than its header says")
    return bytes(out)


def _number(frame: bytes, at: int) -> int:
    if at + 4 > len(frame):
        raise FrameError("lz4: the frame ends too early")
    return int.from_bytes(frame[at : at + 4], "little")


def _grow(out: bytearray, piece: bytes | bytearray, most: int) -> None:
    if len(out) + len(piece) > most:
        raise FrameError(f"lz4: the content is longer than {most} bytes")
    out += piece


def _unpack(out: bytearray, piece: bytes, floor: int, most: int) -> None:
    """Adds a block's content. `floor`: before it in `out` no match may reach."""
    at = 0
    while True:
        token = piece[at]
        length, at = _length(piece, at + 1, token >> 4)
        if at + length > len(piece):
            raise FrameError("lz4: the frame ends too early")
        _grow(out, piece[at : at + length], most)
        at += length
        if at == len(piece):
            return
        back = piece[at] | piece[at + 1] << 8
        if not 0 < back <= len(out) - floor:
            raise FrameError("lz4: a match of what is not there")
        length, at = _length(piece, at + 2, token & _FULL)
        length += _SHORTEST_MATCH
        if length > most:  # before it is made
            raise FrameError(f"lz4: the content is longer than {most} bytes")
        start = len(out) - back
        # A match may reach into itself: then it is what it reaches to, again and again.
        seen = out[start : start + length]
        _grow(out, (seen * (length // len(seen) + 1))[:length] if back < length else seen, most)


def _length(piece: bytes, at: int, low: int) -> tuple[int, int]:
    """A length of which the token had the low part, and where to go on."""
    length = low
    if low == _FULL:
        while True:
            more = piece[at]
            length, at = length + more, at + 1
            if more != _GOES_ON:
                break
    return length, at
