"""One block: asked for once, decoded and checked."""

from typing import NamedTuple

from drills.backupstore import lz4_frame
from drills.backupstore.blocks import decode, limit
from drills.backupstore.layout import block_key, checksum_of
from drills.backupstore.objects import Objects
from drills.backupstore.records import Compression

# A block is held as the store sent it, and as it was decoded.
_COPIES = 2


class Wanted(NamedTuple):
    """A block as a backup lists it. block_size: bytes of volume it covers."""

    checksum: str
    compression: Compression
    block_size: int

    @property
    def cost(self) -> int:
        """Bytes of memory while it is read."""
        return _COPIES * self.block_size


class Block(NamedTuple):
    """A block's content, and how many bytes it takes in the store."""

    content: bytes
    stored: int


def read_once(objects: Objects, volume: str, wanted: Wanted) -> Block:
    """Raises BackupStoreError about the block, StoreError about the store."""
    key = block_key(volume, wanted.checksum)
    return decoded(key, objects.get(key, limit(wanted.block_size)), wanted)


def decoded(key: str, stored: bytes, wanted: Wanted) -> Block:
    """What an object holds. Raises BackupStoreError."""
    content = _usual(stored, wanted)
    if content is None:
        content = decode(key, stored, wanted.checksum, wanted.compression, wanted.block_size)
    return Block(content, len(stored))


def _usual(stored: bytes, wanted: Wanted) -> bytes | None:
    """The content of a block that is stored as nearly all are; None for `decode` to judge."""
    if wanted.compression is Compression.NONE:
        return None
    content = lz4_frame.plain(stored, wanted.block_size)
    if content is None or len(content) != wanted.block_size:
        return None
    return content if checksum_of(content) == wanted.checksum else None
