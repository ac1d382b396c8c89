"""Extended attributes of xfs inodes: "XFS Algorithms & Data Structures", Extended Attributes."""

import struct
from collections.abc import Iterator, Sequence

from drills.images.acl import from_xfs
from drills.images.errors import ImageError, damaged, unsupported
from drills.images.source import Metadata
from drills.images.volume import Inode, Run
from drills.images.xfs.block_map import BlockMap
from drills.images.xfs.blocks import ATTRIBUTES, REMOTE, Layout, check_block
from drills.images.xfs.inodes import LOCAL, Fork, attribute_fork
from drills.images.xfs.superblock import Superblock

_IN_LEAF, _ROOT, _SECURE, _PARENT, _INCOMPLETE = 1, 2, 4, 8, 0x80
_ACLS = {
    b"SGI_ACL_FILE": b"system.posix_acl_access",
    b"SGI_ACL_DEFAULT": b"system.posix_acl_default",
}
_SMALL_HEAD, _SMALL_ENTRY = 4, struct.Struct(">BBB")
_INFO = struct.Struct(">IIH")
_LEAVES, _NODES = (0xFBEE, 0x3BEE), (0xFEBE, 0x3EBE)
_COUNT_AT, _LEAF_HEADS, _NODE_HEADS = (12, 56), (32, 80), (16, 64)
_LEAF_ENTRY = struct.Struct(">IHBB")
_VALUE_HERE, _VALUE_ELSEWHERE = struct.Struct(">HB"), struct.Struct(">IIB")
_REMOTE_HEAD, _REMOTE_MAGIC = struct.Struct(">4sII"), b"XARM"
_REMOTE_HEAD_BYTES = 56
_LARGEST, _MOST_RUNS = 64 << 10, 65536

Found = tuple[int, bytes, bytes]
"""Flags, name without its prefix, value."""


class Attributes:
    """Of every inode of one file system. Raises ImageError."""

    def __init__(self, superblock: Superblock, metadata: Metadata, block_map: BlockMap) -> None:
        self._is = superblock
        self._metadata = metadata
        self._map = block_map

    def told(self, inode: Inode) -> dict[bytes, bytes]:
        """As listxattr and getxattr tell them to root."""
        fork = attribute_fork(inode)
        if fork is None:
            return {}
        found = {}
        for flags, name, value in self._found(inode, fork):
            if flags & (_INCOMPLETE | _PARENT):
                continue
            if flags & _ROOT and name in _ACLS:
                found[_ACLS[name]] = from_xfs(value, _where(inode))
            prefix = b"trusted." if flags & _ROOT else b"security." if flags & _SECURE else b"user."
            found[prefix + name] = value
        return found

    def _found(self, inode: Inode, fork: Fork) -> Iterator[Found]:
        if fork.form == LOCAL:
            yield from _in_inode(inode, fork.area)
        elif fork.extents:
            yield from _Blocks(self._is, self._metadata, inode, self._map.runs(inode, fork)).found()


class _Blocks:
    """The attributes of one inode that has blocks for them."""

    def __init__(
        self, superblock: Superblock, metadata: Metadata, inode: Inode, runs: Iterator[Run]
    ) -> None:
        self._is = superblock
        self._metadata = metadata
        self._inode = inode
        self._runs = _held(inode, runs)
        self._left = sum(run.length for run in self._runs) // superblock.block_size

    def found(self) -> Iterator[Found]:
        """From the first leaf on, which each name the next."""
        number: int = self._first_leaf()
        while True:
            content = self._block(number, _LEAVES)
            yield from self._leaf(content)
            number = int(_INFO.unpack_from(content)[0])
            if not number:
                return

    def _first_leaf(self) -> int:
        number = 0
        while _INFO.unpack_from(self._raw(number)[1])[2] in _NODES:
            content = self._block(number, _NODES)
            head = _NODE_HEADS[self._is.checked]
            number = int(struct.unpack_from(">I", content, head + 4)[0])
        return number

    def _leaf(self, content: bytes) -> Iterator[Found]:
        checked = self._is.checked
        count = int(struct.unpack_from(">H", content, _COUNT_AT[checked])[0])
        if _LEAF_HEADS[checked] + count * _LEAF_ENTRY.size > len(content):
            raise _wrong(self._inode, f"a block holds {count} of them")
        for index in range(count):
            _, at, flags, _ = _LEAF_ENTRY.unpack_from(
                content, _LEAF_HEADS[checked] + index * _LEAF_ENTRY.size
            )
            try:
                yield flags, *self._named(content, at, flags)
            except struct.error:
                raise _wrong(self._inode, "one lies outside of its block") from None

    def _named(self, content: bytes, at: int, flags: int) -> tuple[bytes, bytes]:
        if flags & _IN_LEAF:
            length, name_length = _VALUE_HERE.unpack_from(content, at)
            at += _VALUE_HERE.size
            value = content[at + name_length : at + name_length + length]
        else:
            block, length, name_length = _VALUE_ELSEWHERE.unpack_from(content, at)
            at += _VALUE_ELSEWHERE.size
            # One that is being made has a name, and no value yet.
            value = b"" if flags & _INCOMPLETE else self._value(block, length)
            length = 0 if flags & _INCOMPLETE else length
        name = content[at : at + name_length]
        if len(name) != name_length or len(value) != length:
            raise _wrong(self._inode, "one lies outside of its block")
        return name, value

    def _value(self, number: int, length: int) -> bytes:
        """A value in blocks of its own, each of which has a header since version 5."""
        if length > _LARGEST:
            raise _wrong(self._inode, f"a value is of {length} bytes")
        found = b""
        while len(found) < length:
            at, content = self._raw(number)
            if self._is.checked:
                self._check(REMOTE, content, at)
                magic, offset, size = _REMOTE_HEAD.unpack_from(content)
                if magic != _REMOTE_MAGIC or offset != len(found) or size == 0:
                    raise _wrong(self._inode, "a value is not whole")
                content = content[_REMOTE_HEAD_BYTES : _REMOTE_HEAD_BYTES + size]
            found += content
            number += 1
        return found[:length]

    def _block(self, number: int, magics: tuple[int, int]) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise _wrong(self._inode, "they go in circles")
        at, content = self._raw(number)
        if _INFO.unpack_from(content)[2] != magics[self._is.checked]:
            raise _wrong(self._inode, f"block {number} of them holds something else")
        self._check(ATTRIBUTES, content, at)
        return content

    def _check(self, layout: Layout, content: bytes, at: int) -> None:
        number, where = self._inode.number, _where(self._inode)
        check_block(self._is, layout, content, at=at, owner=number, where=where)

    def _raw(self, number: int) -> tuple[int, bytes]:
        """Place and content of a block, by its number in the fork."""
        offset = number * self._is.block_size
        for run in self._runs:
            if run.offset <= offset < run.offset + run.length:
                at = run.at + offset - run.offset
                return at, self._metadata.read(at, self._is.block_size)
        raise _wrong(self._inode, f"block {number} of them lies nowhere")


def _in_inode(inode: Inode, area: bytes) -> Iterator[Found]:
    if len(area) < _SMALL_HEAD:
        raise _wrong(inode, "they have no room")
    size, count = struct.unpack_from(">HB", area)
    at = _SMALL_HEAD
    for _ in range(count):
        if at + _SMALL_ENTRY.size > min(size, len(area)):
            raise _wrong(inode, "one is cut off")
        name_length, length, flags = _SMALL_ENTRY.unpack_from(area, at)
        at += _SMALL_ENTRY.size
        name, value = area[at : at + name_length], area[at + name_length :][:length]
        if len(name) + len(value) != name_length + length:
            raise _wrong(inode, "one is cut off")
        yield flags, name, value
        at += name_length + length


def _held(inode: Inode, runs: Iterator[Run]) -> Sequence[Run]:
    found = []
    for run in runs:
        found.append(run)
        if len(found) > _MOST_RUNS:
            raise unsupported(_where(inode), f"they lie in more than {_MOST_RUNS} places")
    return found


def _wrong(inode: Inode, what: str) -> ImageError:
    return damaged(_where(inode), what)


def _where(inode: Inode) -> str:
    return f"the set of extended attributes of inode {inode.number}"
