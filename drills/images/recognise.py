"""What is inside an image, by its magic numbers.

Sources: util-linux libblkid/src (superblocks, partitions); for ext and xfs the parsers here name
theirs; for GPT the UEFI specification, 5.3; for LUKS its on-disk format documents, 1.2.3 and 2.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from drills.images.errors import ImageError
from drills.images.ext import superblock
from drills.images.source import Source, Sparse


class Kind(StrEnum):
    """What an image holds."""

    EXT = "ext"
    XFS = "xfs"
    LUKS = "luks"
    LVM = "lvm"
    PARTITIONED = "partitioned"
    SWAP = "swap"
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Contents:
    """`detail` in words that fit into "the image holds ...", as "ext4" or "LUKS 2"."""

    kind: Kind
    detail: str


class _Magic(NamedTuple):
    offset: int
    magic: bytes
    kind: Kind
    detail: str


_MAGICS = (
    _Magic(0, b"LUKS\xba\xbe\x00\x01", Kind.LUKS, "LUKS 1"),
    _Magic(0, b"LUKS\xba\xbe\x00\x02", Kind.LUKS, "LUKS 2"),
    _Magic(0, b"XFSB", Kind.XFS, "xfs"),
    _Magic(1080, b"\x53\xef", Kind.EXT, "ext"),
    *(_Magic(at, b"LABELONE", Kind.LVM, "a physical volume of LVM") for at in (0, 512, 1024, 1536)),
    *(_Magic(page - 10, b"SWAPSPACE2", Kind.SWAP, "swap") for page in (4096, 8192, 16384, 65536)),
    _Magic(65600, b"_BHRfS_M", Kind.UNKNOWN, "btrfs"),
    _Magic(1024, b"\x10\x20\xf5\xf2", Kind.UNKNOWN, "f2fs"),
    _Magic(1024, b"\xe2\xe1\xf5\xe0", Kind.UNKNOWN, "erofs"),
    _Magic(0, b"hsqs", Kind.UNKNOWN, "squashfs"),
    _Magic(3, b"NTFS    ", Kind.UNKNOWN, "NTFS"),
    _Magic(3, b"EXFAT   ", Kind.UNKNOWN, "exFAT"),
    _Magic(54, b"FAT1", Kind.UNKNOWN, "FAT"),
    _Magic(82, b"FAT32   ", Kind.UNKNOWN, "FAT"),
    _Magic(32769, b"CD001", Kind.UNKNOWN, "ISO 9660"),
    _Magic(4096, b"\xfc\x4e\x2b\xa9", Kind.UNKNOWN, "a member of a Linux RAID"),
    _Magic(0, b"QFI\xfb", Kind.UNKNOWN, "a qcow2 image"),
)
_HEAD_BYTES = 128 << 10
_PIECE_BYTES = 1 << 20
_SECTORS = (512, 4096)
_BOOT_MARK_AT, _BOOT_MARK = 510, b"\x55\xaa"
_TABLE_AT, _TABLE_ENTRY, _TABLE_ENTRIES = 446, struct.Struct("<B3xB3xII"), 4
_ACTIVE = frozenset({0, 0x80})
_GPT_MAGIC, _GPT_ENTRIES = b"EFI PART", struct.Struct("<72xQII")
_GPT_RANGE, _MOST_PARTITIONS, _GPT_ENTRY_SIZES = struct.Struct("<16s16xQQ"), 128, (128, 4096)


class _Part:
    """A part of an image, as an image of its own."""

    def __init__(self, source: Source, offset: int, size: int) -> None:
        self._source = source
        self._offset = offset
        self.size = max(0, min(size, source.size - offset))

    def read(self, offset: int, length: int) -> bytes:
        return self._source.read(self._offset + offset, min(length, max(0, self.size - offset)))


def recognise(source: Source) -> Kind:
    """What an image holds."""
    return contents(source).kind


def contents(source: Source) -> Contents:
    """What an image holds, in a few words; all of an image without any sign is looked at."""
    head = source.read(0, _HEAD_BYTES)
    known = _known(head)
    if known is not None:
        return known
    partitions = list(_partitions(source, head))
    if partitions:
        inside = {number: _known(part.read(0, _HEAD_BYTES)) for number, part in partitions}
        named = [f"{found.detail} in {number}" for number, found in inside.items() if found]
        detail = f" ({', '.join(named)})" if named else ""
        return Contents(Kind.PARTITIONED, f"{len(partitions)} partitions{detail}")
    if _is_empty(source):
        return Contents(Kind.EMPTY, "nothing but zeros")
    return Contents(Kind.UNKNOWN, "something unknown")


def _known(head: bytes) -> Contents | None:
    for offset, magic, kind, detail in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return Contents(kind, _version(head) if kind is Kind.EXT else detail)
    return None


def _version(head: bytes) -> str:
    """ext2, ext3 or ext4, where the superblock can be read."""
    try:
        return superblock.parse(
            head[superblock.OFFSET : superblock.OFFSET + superblock.SIZE]
        ).version
    except ImageError:
        return "ext"


def _partitions(source: Source, head: bytes) -> Iterator[tuple[int, _Part]]:
    """Number and content of each."""
    for sector in _SECTORS:
        if head[sector : sector + len(_GPT_MAGIC)] == _GPT_MAGIC:
            yield from _of_gpt(source, sector, head[sector : 2 * sector])
            return
    if head[_BOOT_MARK_AT : _BOOT_MARK_AT + 2] != _BOOT_MARK:
        return
    entries = [
        _TABLE_ENTRY.unpack_from(head, _TABLE_AT + number * _TABLE_ENTRY.size)
        for number in range(_TABLE_ENTRIES)
    ]
    # Boot sectors of many kinds have the mark; a table has sane entries too.
    if any(active not in _ACTIVE for active, _, _, _ in entries):
        return
    sector = _SECTORS[0]
    for number, (_, kind, start, length) in enumerate(entries, 1):
        if kind and 0 < start * sector < source.size:
            yield number, _Part(source, start * sector, length * sector)


def _of_gpt(source: Source, sector: int, header: bytes) -> Iterator[tuple[int, _Part]]:
    table, entries, size = _GPT_ENTRIES.unpack_from(header)
    if not _GPT_ENTRY_SIZES[0] <= size <= _GPT_ENTRY_SIZES[1]:
        return
    for number in range(min(entries, _MOST_PARTITIONS)):
        entry = source.read(table * sector + number * size, size)
        if len(entry) < size:
            return
        kind, first, last = _GPT_RANGE.unpack_from(entry)
        if any(kind) and first <= last:
            yield number + 1, _Part(source, first * sector, (last - first + 1) * sector)


def _is_empty(source: Source) -> bool:
    zeros = bytes(_PIECE_BYTES)
    at = 0
    while at < source.size:
        if isinstance(source, Sparse):
            at = source.next_data(at)
        piece = source.read(at, _PIECE_BYTES)
        if piece != zeros[: len(piece)]:
            return False
        at += max(1, len(piece))
    return True
