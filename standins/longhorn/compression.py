"""Blocks as they are stored, by the three methods that Longhorn has."""

import gzip
import zlib

from standins.longhorn import lz4_frame, lz4_reader
from standins.longhorn.lz4_reader import FrameError

METHODS = ("none", "lz4", "gzip")
_GZIP_MAGIC = b"\x1f\x8b"


class UnknownMethodError(Exception):
    """A method that Longhorn does not have; one sentence."""


class BlockError(Exception):
    """What is stored cannot be read; one sentence."""


def compressed(method: str, content: bytes) -> bytes:
    """Raises UnknownMethodError."""
    if method == "none":
        return content
    if method == "lz4":
        return lz4_frame.frame(content)
    if method == "gzip":
        return gzip.compress(content, compresslevel=6, mtime=0)
    raise UnknownMethodError(f"unsupported compression method: {method}")


def decompressed(method: str, stored: bytes, most: int) -> bytes:
    """What was stored, at most `most` bytes. Raises BlockError, UnknownMethodError.

    What bears the other method's mark is read by that one, as Longhorn does: records of volumes
    whose method was changed name the wrong one.
    """
    if method not in METHODS:
        raise UnknownMethodError(f"unsupported decompression method: {method}")
    if method == "lz4" and stored.startswith(_GZIP_MAGIC):
        method = "gzip"
    elif method == "gzip" and stored.startswith(lz4_frame.MAGIC):
        method = "lz4"
    try:
        if method == "lz4":
            return lz4_reader.content(stored, most)
        return _unzipped(stored, most) if method == "gzip" else stored
    except FrameError as error:
        raise BlockError(str(error)) from None


def _unzipped(stored: bytes, most: int) -> bytes:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = reader.decompress(stored, most + 1)
    except zlib.error as error:
        raise BlockError(f"gzip: {error}") from None
    if len(content) > most or not reader.eof or reader.unused_data:
        raise BlockError("gzip: the content is too long, ends too early, or something follows it")
    return content
