"""Bytes inside a gzip stream, unpacked piece by piece, never more than asked for.

What Velero stores is one gzip stream and nothing after it. A stream that has no end, or that goes
on, is said to be so; the checksum at its end covers every byte before.
"""

import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import BinaryIO

CHUNK = 256 * 1024
Source = BinaryIO | Iterable[bytes]
"""A file object, or pieces of a file as they come from the store."""

_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31


class Fault(StrEnum):
    """What is wrong with a gzip stream."""

    NOT_GZIP = "not-gzip"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_LARGE = "too-large"


class GunzipError(Exception):
    """A stream that cannot be unpacked. The text completes "the file …"."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def unpacked(source: Source, total_bytes: int) -> Iterator[bytes]:
    """The content in pieces of at most CHUNK bytes.

    Raises:
        GunzipError: no gzip, cut off, damaged, or more than `total_bytes` inside. What was yielded
            before may be wrong then.
    """
    inflate, total, begun = zlib.decompressobj(wbits=_GZIP_WINDOW), 0, False
    for piece in _pieces(source):
        if not begun and not _MAGIC.startswith(piece[:2]):
            raise GunzipError(Fault.NOT_GZIP, "is no gzip stream")
        begun = True
        if inflate.eof:
            raise GunzipError(Fault.DAMAGED, "goes on after the end of its gzip stream")
        for made in _inflated(inflate, piece, total):
            total += len(made)
            if total > total_bytes:
                raise GunzipError(Fault.TOO_LARGE, f"unpacks to more than {total_bytes} bytes")
            yield made
        if inflate.unused_data:
            raise GunzipError(Fault.DAMAGED, "goes on after the end of its gzip stream")
    if not begun:
        raise GunzipError(Fault.TRUNCATED, "is empty")
    if not inflate.eof:
        raise GunzipError(Fault.TRUNCATED, "is cut off: its gzip stream has no end")


def _inflated(inflate: "zlib._Decompress", piece: bytes, before: int) -> Iterator[bytes]:
    while True:
        try:
            made = inflate.decompress(piece, CHUNK)
        except zlib.error:
            if before == 0:
                raise GunzipError(Fault.NOT_GZIP, "is no gzip stream, or damaged in front") from (
                    None
                )
            raise GunzipError(Fault.DAMAGED, "is damaged: gzip finds wrong bytes in it") from None
        piece = inflate.unconsumed_tail
        before += len(made)
        if made:
            yield made
        # A full piece may leave more behind even when all input is taken.
        if not piece and len(made) < CHUNK:
            return


def _pieces(source: Source) -> Iterator[bytes]:
    read = getattr(source, "read", None)
    given: Iterable[bytes] = source if read is None else iter(lambda: read(CHUNK), b"")
    return (piece for piece in given if piece)
