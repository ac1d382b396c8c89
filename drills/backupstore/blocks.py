"""One block: out of what the store holds under its key, checked against its checksum.

Source: longhorn/backupstore util/util.go (CompressData, DecompressAndVerify), util.go
(DecompressAndVerifyWithFallback), deltablock.go (restoreBlockToFile).
"""

import threading
import zlib
from collections.abc import Callable
from typing import Protocol, cast

import lz4.frame

from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import block_key, checksum_of
from drills.backupstore.records import Compression

__all__ = ["block_key", "decode", "limit"]

_CURE = "a full backup of the volume writes it anew"
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
# Longhorn writes one; its readers take any number, and nothing else behind them.
_MOST_MEMBERS = 16


class _Member(Protocol):
    """One gzip member or lz4 frame while it is decompressed."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Kept(threading.local):
    """A thread's lz4 decompressor: a new one for each block would take three times as long, most
    of it for the memory that it starts with."""

    frames: "lz4.frame.LZ4FrameDecompressor | None" = None


_kept = _Kept()


def _frame() -> _Member:
    """The kept one, if it came to the end of a frame: with lz4 1.9.4 a reset does not undo how many
    bytes a frame broken off had still promised."""
    if _kept.frames is None or not _kept.frames.eof:
        _kept.frames = lz4.frame.LZ4FrameDecompressor()
    else:
        _kept.frames.reset()
    return cast(_Member, _kept.frames)


_MEMBERS: dict[Compression, Callable[[], _Member]] = {
    Compression.GZIP: lambda: zlib.decompressobj(_GZIP),
    Compression.LZ4: _frame,
}


def limit(block_size: int) -> int:
    """The most bytes that a block may take in the store: what cannot be compressed grows a little.

    gzip adds 5 bytes for each 16 KiB, an lz4 frame 4 for each 4 MiB, both a header and an end.
    """
    return block_size + block_size // 1024 + 1024


def decode(
    key: str, content: bytes, checksum: str, compression: Compression, block_size: int
) -> bytes:
    """The block_size bytes of volume that a block holds.

    A block in the other of gzip and lz4 than the record names is taken, as Longhorn takes it: a
    volume that changed its compression keeps the blocks it had. Memory: never more than
    block_size + 1 bytes are decompressed.

    Raises BackupStoreError: BLOCK_UNDECODABLE, TOO_LARGE (more than a block), BLOCK_DIFFERS (less
    than a block, or not what the checksum says).
    """
    plain = _decompressed(key, content, _really(content, compression), block_size + 1)
    if len(plain) > block_size:
        raise BackupStoreError(Fault.TOO_LARGE, key, f"the block has more than {block_size} bytes")
    if checksum_of(plain) != checksum:
        raise BackupStoreError(
            Fault.BLOCK_DIFFERS, key, f"the block's content is not what its checksum says; {_CURE}"
        )
    if len(plain) < block_size:
        raise BackupStoreError(
            Fault.BLOCK_DIFFERS, key, f"the block has {len(plain)} of {block_size} bytes"
        )
    return plain


def _really(content: bytes, named: Compression) -> Compression:
    if named is Compression.GZIP and content.startswith(_LZ4_MAGIC):
        return Compression.LZ4
    if named is Compression.LZ4 and content.startswith(_GZIP_MAGIC):
        return Compression.GZIP
    return named


def _decompressed(key: str, content: bytes, compression: Compression, most: int) -> bytes:
    """At most `most` bytes."""
    if compression is Compression.NONE:
        return content
    try:
        return _unpacked(content, most, _MEMBERS[compression])
    except (RuntimeError, zlib.error, EOFError, ValueError):
        raise BackupStoreError(
            Fault.BLOCK_UNDECODABLE, key, f"the block is damaged, or is no {compression}; {_CURE}"
        ) from None


def _unpacked(content: bytes, most: int, open_member: Callable[[], _Member]) -> bytes:
    plain = b""
    for _ in range(_MOST_MEMBERS):
        member = open_member()
        plain += member.decompress(content, most - len(plain))
        if len(plain) == most:
            return plain
        if not member.eof:
            raise EOFError
        content = member.unused_data or b""
        if not content:
            return plain
    raise ValueError
