"""Damaged and hostile ext images: named for what they are, and never read for ever."""

import struct
from pathlib import Path

import pytest

from drills.images.errors import Fault, ImageError
from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.volumes.entry import LISTING, Entry
from tests.drills.images.images import Memory, fill, made_ext, recorded, tool

SUPER = 1024


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without checksums, so that a fault is met where it is and not at the door."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "root").mkdir()
    fill(folder / "root")
    return made_ext(
        folder / "image", "ext4", "-b", "1024", "-O", "^metadata_csum", root=folder / "root",
        mebibytes=24,
    )  # fmt: skip


@pytest.fixture
def image(plain: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "image"
    copy.write_bytes(plain.read_bytes())
    return copy


def told(image: Path) -> dict[bytes, Entry]:
    with FileSource(image) as source:
        return {entry.path: entry for entry in open_image(source).entries(xattrs=True)}


def put(image: Path, *commands: str) -> None:
    for command in commands:
        tool("debugfs", "-w", "-R", command, image)


@pytest.mark.parametrize("keep", [0.99, 0.5, 0.01])
@pytest.mark.parametrize("name", ["ext4-forms", "xfs-forms"])
def test_a_cut_off_image_is_named(name: str, keep: float) -> None:
    whole = recorded(name)
    with pytest.raises(ImageError, match="the image of") as caught:
        open_image(Memory(whole.read(0, int(whole.size * keep))))
    assert caught.value.fault is Fault.DAMAGED


@pytest.mark.parametrize(
    ("at", "new", "fault", "what"),
    [
        (0x18, struct.pack("<I", 9), Fault.DAMAGED, "block size"),
        (0x20, bytes(4), Fault.DAMAGED, "blocks a group"),
        (0x28, bytes(4), Fault.DAMAGED, "inodes a group"),
        (0x0, struct.pack("<I", 7), Fault.DAMAGED, "counts 7 inodes"),
        (0x58, struct.pack("<H", 100), Fault.DAMAGED, "inodes are of 100 bytes"),
        (0xFE, struct.pack("<H", 7), Fault.DAMAGED, "group descriptors are of 7 bytes"),
        (0x14, struct.pack("<I", 9), Fault.DAMAGED, "first block"),
        (0x4, struct.pack("<I", 1 << 30), Fault.DAMAGED, "inodes in|the image of"),
        (0x4C, struct.pack("<I", 2), Fault.UNSUPPORTED, "revision is 2"),
        (0x60, struct.pack("<I", 0x80000042), Fault.UNSUPPORTED, "not known here"),
        (0x60, struct.pack("<I", 0x1), Fault.UNSUPPORTED, "not known here"),
    ],
)
def test_a_superblock_that_cannot_be_is_refused(
    plain: Path, at: int, new: bytes, fault: Fault, what: str
) -> None:
    with pytest.raises(ImageError, match=what) as caught:
        open_image(Memory(plain.read_bytes(), {SUPER + at: new}))
    assert caught.value.fault is fault


def test_a_flipped_bit_in_a_summed_superblock_is_noticed() -> None:
    with pytest.raises(ImageError, match="the ext superblock is damaged: its checksum is wrong"):
        open_image(recorded("ext4-forms").changed({SUPER + 0x30: b"\xff"}))


def test_two_directories_that_lie_in_each_other_end_the_walk(image: Path) -> None:
    put(image, "ln many few/many-again", "ln few many/few-again")
    found = told(image)
    for path in (b"few/many-again/", b"many/few-again/"):
        assert found[path].type == LISTING
        assert "says that it lies in 2" in found[path].error


def test_a_directory_with_two_names_in_one_place_is_not_read_twice(image: Path) -> None:
    put(image, "ln few/deep few/deep-again")
    assert "lies elsewhere too" in told(image)[b"few/"].error


def test_the_root_below_itself_is_not_read_again(image: Path) -> None:
    put(image, "ln / few/up")
    assert "lies elsewhere too" in told(image)[b"few/"].error


@pytest.mark.parametrize(
    ("commands", "path", "what"),
    [
        (["sif plain links_count 0"], b"plain", "was deleted"),
        (["sif plain mode 0"], b"plain", "type is none there is"),
        (["sif plain mode 040755"], b"plain", "its directory says file"),
        (["sif plain block[0] 0"], b"plain", "extent tree is not whole"),
        (["sif plain size 0x7fffffffffffff"], b"plain", "more than are read"),
        (["ln <8> few/journal"], b"few/journal", "it is the file system's"),
        (["sif fast size 5000"], b"fast", "its target is of 5000 bytes"),
        (["sif many size 999"], b"many/", "its size is 999"),
        (["sif many size 4194304"], b"many/", "its end is missing"),
        (["sif plain file_acl 99999999"], b"plain", "none of the file system's"),
        (["sif plain file_acl 100"], b"plain", "holds something else"),
    ],
)
def test_one_damaged_inode_is_named_and_the_others_are_read(
    image: Path, commands: list[str], path: bytes, what: str
) -> None:
    before = told(image)
    put(image, *commands)
    after = told(image)
    assert what in after[path].error
    assert [one for one, entry in after.items() if entry.error] == [path]
    untouched = {one: entry for one, entry in after.items() if entry == before.get(one)}
    assert len(untouched) >= len(before) - 402


def test_extents_outside_of_the_image_or_out_of_order_are_refused(image: Path) -> None:
    raw = image.read_bytes()
    at = next(one for one in extent_roots(raw) if struct.unpack_from("<H", raw, one + 2)[0] >= 1)
    outside = struct.pack("<IHHI", 0, 4, 0, 0x7FFFFFFF)
    image.write_bytes(raw[: at + 12] + outside + raw[at + 24 :])
    errors = [entry.error for entry in told(image).values() if entry.error]
    assert errors
    assert all("none of the file system's" in error for error in errors)


def extent_roots(raw: bytes) -> list[int]:
    """Of files, in the image: an extent header of depth 0 with room for four."""
    found, at = [], -1
    while (at := raw.find(b"\x0a\xf3", at + 1)) >= 0:
        if raw[at + 4 : at + 8] == b"\x04\0\0\0":
            found.append(at)
    return found[12:]


def test_lists_of_blocks_that_name_themselves_end(tmp_path: Path) -> None:
    """A list of lists of lists, of which each entry is itself: 2 to the 24 blocks out of one."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"x" * 300_000)
    image = made_ext(tmp_path / "image", "ext2", "-b", "1024", root=root)
    block = int(tool("debugfs", "-R", "blocks file", image).split()[-1])
    put(image, f"sif file block[TIND] {block}", "sif file size 0x3ffffffff")
    content = bytearray(image.read_bytes())
    content[block * 1024 : (block + 1) * 1024] = struct.pack("<I", block) * 256
    image.write_bytes(content)
    assert told(image)[b"file"].error


def test_files_that_claim_the_same_blocks_cannot_be_longer_than_the_image(image: Path) -> None:
    script = image.with_suffix(".commands")
    names = [f"many/a-rather-long-name-{number:04d}" for number in range(130)]
    script.write_text("".join(f"copy_inode plain {name}\n" for name in names))
    tool("debugfs", "-w", "-f", script, image)
    errors = [entry.error for entry in told(image).values() if entry.error]
    assert 0 < len(errors) < len(names)
    assert all("more blocks than there are" in error for error in errors)


def test_a_name_of_an_inode_that_there_is_not_is_named(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    at = raw.index(b"\x04\x01leaf") - 6
    raw[at : at + 4] = struct.pack("<I", 99_999_999)
    image.write_bytes(raw)
    found = told(image)[b"few/deep/leaf"]
    assert (found.type, "the file system has" in found.error) == ("unknown", True)


@pytest.mark.parametrize("name", [b"a/b\0", b"\0\0\0\0", b"////"])
def test_names_that_lead_elsewhere_are_refused(image: Path, name: bytes) -> None:
    raw = image.read_bytes()
    image.write_bytes(raw.replace(b"\x04\x01leaf", b"\x04\x01" + name))
    assert "a name that cannot be one" in told(image)[b"few/deep/"].error


def test_two_equal_names_are_refused(image: Path) -> None:
    raw = image.read_bytes()
    image.write_bytes(raw.replace(b"a-rather-long-name-0007", b"a-rather-long-name-0008"))
    assert "a name twice" in told(image)[b"many/"].error
