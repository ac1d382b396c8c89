"""Extended attributes of ext inodes: Linux Documentation/filesystems/ext4/attributes.rst."""

import struct
from collections.abc import Callable, Iterator

from drills.images.acl import from_ext
from drills.images.checksums import crc32c
from drills.images.errors import ImageError, damaged
from drills.images.ext.inodes import OLD_SIZE
from drills.images.ext.superblock import Superblock
from drills.images.source import Metadata
from drills.images.volume import Inode

_MAGIC = 0xEA020000
_PREFIXES = {
    1: b"user.",
    2: b"system.posix_acl_access",
    3: b"system.posix_acl_default",
    4: b"trusted.",
    6: b"security.",
    7: b"system.",
    8: b"system.richacl",
}
_ACLS = frozenset({2, 3})
_SYSTEM, _INLINE_NAME = 7, b"data"
_ENTRY = struct.Struct("<BBHIII")
_MAGIC_BYTES, _BLOCK_HEAD = 4, 32
_LARGEST = 64 << 10  # XATTR_SIZE_MAX
_END = bytes(4)

Found = tuple[int, bytes, bytes]
"""Number of the prefix, name without it, value."""


class Attributes:
    """Of every inode of one file system. Raises ImageError.

    `value_of` reads a value that lies in an inode of its own: number, size.
    """

    def __init__(
        self, superblock: Superblock, metadata: Metadata, value_of: Callable[[int, int], bytes]
    ) -> None:
        self._is = superblock
        self._metadata = metadata
        self._value_of = value_of

    def told(self, inode: Inode) -> dict[bytes, bytes]:
        """As listxattr and getxattr tell them to root."""
        found = {}
        for prefix, name, value in [*self._in_inode(inode), *self._in_block(inode)]:
            # The rest of a file that lies in its inode, and the keys of encrypted ones, are hidden.
            if prefix in _PREFIXES and (prefix, name) != (_SYSTEM, _INLINE_NAME):
                told = from_ext(value, _where(inode)) if prefix in _ACLS else value
                found[_PREFIXES[prefix] + name] = told
        return found

    def inline(self, inode: Inode) -> bytes:
        """The rest of a file that lies in its inode."""
        for prefix, name, value in self._in_inode(inode):
            if (prefix, name) == (_SYSTEM, _INLINE_NAME):
                return value
        return b""

    def _in_inode(self, inode: Inode) -> Iterator[Found]:
        if len(inode.raw) <= OLD_SIZE:
            return
        begin = OLD_SIZE + int(struct.unpack_from("<H", inode.raw, OLD_SIZE)[0])
        if begin % 4 or begin + _MAGIC_BYTES > len(inode.raw):
            raise _wrong(inode, "the room for them begins outside the inode")
        if struct.unpack_from("<I", inode.raw, begin)[0] != _MAGIC:
            return
        area = inode.raw[begin + _MAGIC_BYTES :]
        yield from self._entries(inode, area, 0)

    def _in_block(self, inode: Inode) -> Iterator[Found]:
        block = int(struct.unpack_from("<I", inode.raw, 0x68)[0])
        block |= int(struct.unpack_from("<H", inode.raw, 0x76)[0]) << 32
        if not block:
            return
        if not self._is.first_block <= block < self._is.blocks:
            raise _wrong(inode, f"block {block} is none of the file system's")
        content = self._metadata.read(block * self._is.block_size, self._is.block_size)
        if struct.unpack_from("<I", content)[0] != _MAGIC:
            raise _wrong(inode, f"block {block} holds something else")
        if self._is.checked:
            bare = content[:16] + bytes(4) + content[20:]
            found = crc32c(crc32c(self._is.seed, struct.pack("<Q", block)), bare)
            if found != struct.unpack_from("<I", content, 16)[0]:
                raise _wrong(inode, f"the checksum of block {block} is wrong")
        yield from self._entries(inode, content, _BLOCK_HEAD)

    def _entries(self, inode: Inode, area: bytes, at: int) -> Iterator[Found]:
        """`area`: what the values' offsets count from; entries begin at `at` in it."""
        while area[at : at + 4] not in (_END, b""):
            if at + _ENTRY.size > len(area):
                raise _wrong(inode, "an entry is cut off")
            name_length, prefix, offset, holder, size, _ = _ENTRY.unpack_from(area, at)
            name = area[at + _ENTRY.size : at + _ENTRY.size + name_length]
            if size > _LARGEST:
                raise _wrong(inode, f"a value is of {size} bytes")
            value = self._value_of(holder, size) if holder else area[offset : offset + size]
            if len(name) != name_length or len(value) != size:
                raise _wrong(inode, "a value lies outside of the room for them")
            yield prefix, name, value
            at += _ENTRY.size + -(-name_length // 4) * 4


def _wrong(inode: Inode, what: str) -> ImageError:
    return damaged(_where(inode), what)


def _where(inode: Inode) -> str:
    return f"the set of extended attributes of inode {inode.number}"
