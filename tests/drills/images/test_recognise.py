"""What is inside an image, told by magic numbers."""

import struct
from pathlib import Path

import pytest

from drills.images.recognise import Kind, contents, recognise
from drills.images.source import FileSource
from tests.drills.images.images import Memory, made_ext, made_xfs, partition_table, recorded

EMPTY = bytes(1 << 20)


def holding(at: int, magic: bytes, size: int = 1 << 20) -> Memory:
    return Memory(bytes(size), {at: magic})


@pytest.mark.parametrize(
    ("at", "magic", "kind", "detail"),
    [
        (0, b"LUKS\xba\xbe\x00\x01", Kind.LUKS, "LUKS 1"),
        (0, b"LUKS\xba\xbe\x00\x02", Kind.LUKS, "LUKS 2"),
        (512, b"LABELONE\x01\0\0\0\0\0\0\0" + bytes(8) + b"LVM2 001", Kind.LVM, "LVM"),
        (4086, b"SWAPSPACE2", Kind.SWAP, "swap"),
        (65526, b"SWAPSPACE2", Kind.SWAP, "swap"),
        (65600, b"_BHRfS_M", Kind.UNKNOWN, "btrfs"),
        (3, b"NTFS    ", Kind.UNKNOWN, "NTFS"),
        (82, b"FAT32   ", Kind.UNKNOWN, "FAT"),
        (0, b"QFI\xfb\0\0\0\3", Kind.UNKNOWN, "qcow2"),
        (0, b"XFSB", Kind.XFS, "xfs"),
        (1080, b"\x53\xef", Kind.EXT, "ext"),
        (700_000, b"something", Kind.UNKNOWN, "unknown"),
    ],
)
def test_magic_numbers_tell(at: int, magic: bytes, kind: Kind, detail: str) -> None:
    found = contents(holding(at, magic))
    assert found.kind is kind
    assert detail in found.detail


@pytest.mark.parametrize("size", [0, 1, 511, 4096, 5 << 20])
def test_zeros_alone_are_nothing(size: int) -> None:
    assert recognise(Memory(bytes(size))) is Kind.EMPTY


def test_nothing_is_found_fast_in_a_large_hole(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    with FileSource(path) as source:
        assert recognise(source) is Kind.EMPTY


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("ext4-live", Kind.EXT, "ext4"),
        ("ext3-live", Kind.EXT, "ext3"),
        ("xfs-live", Kind.XFS, "xfs"),
    ],
)
def test_real_file_systems_are_told_apart(name: str, kind: Kind, detail: str) -> None:
    found = contents(recorded(name))
    assert (found.kind, found.detail) == (kind, detail)


def test_what_mkfs_made_is_recognised(tmp_path: Path) -> None:
    made_ext(tmp_path / "ext2", "ext2")
    made_xfs(tmp_path / "xfs", "-m", "crc=0")
    found = [contents(FileSource(tmp_path / name)) for name in ("ext2", "xfs")]
    assert [one.detail for one in found] == ["ext2", "xfs"]


def test_partitions_are_named_with_what_is_in_them() -> None:
    inside = recorded("ext4-forms").read(0, 128 << 10)
    table = partition_table((0x82, 8, 16), (0x83, 2048, 4096))
    found = contents(Memory(bytes(8 << 20), {0: table, 2048 * 512: inside}))
    assert (found.kind, found.detail) == (Kind.PARTITIONED, "2 partitions (ext4 in 2)")


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_table_of_the_newer_form_comes_before_the_one_that_protects_it(sector: int) -> None:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 128, 128)
    entry = b"\x01" * 16 + bytes(16) + struct.pack("<QQ", 64, 1000)
    changes = {
        0: partition_table((0xEE, 1, 0xFFFFFFFF)),
        sector: header,
        2 * sector: entry,
        64 * sector: b"XFSB",
    }
    found = contents(Memory(bytes(8 << 20), changes))
    assert (found.kind, found.detail) == (Kind.PARTITIONED, "1 partitions (xfs in 1)")


def test_a_boot_sector_without_a_sound_table_is_no_partitions() -> None:
    strange = b"\x33" * 510 + b"\x55\xaa"
    assert recognise(Memory(EMPTY, {0: strange})) is Kind.UNKNOWN


def test_a_table_that_promises_any_number_is_not_believed() -> None:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 1 << 60, 0xFFFFFFFF, 0xFFFFFFFF)
    assert recognise(Memory(EMPTY, {512: header})) is Kind.UNKNOWN
