"""ext2, ext3 and ext4 as mkfs makes them out of a folder: the reader says what the folder held."""

import hashlib
import os
from pathlib import Path

import pytest

from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.volumes.entry import FILE
from tests.drills.images.images import (
    comparable,
    fill,
    fill_odd,
    made_ext,
    recorded,
    tool,
    tree_of,
)

KINDS = {
    "ext2": ("ext2", "-b", "1024"),
    "ext2 with blocks of 4 KiB": ("ext2", "-b", "4096"),
    "ext2 without types in directories": ("ext2", "-b", "1024", "-O", "^filetype"),
    "ext3": ("ext3", "-b", "1024"),
    "ext4": ("ext4", "-b", "1024"),
    "ext4 with blocks of 4 KiB": ("ext4", "-b", "4096"),
    "ext4 without checksums": ("ext4", "-b", "1024", "-O", "^metadata_csum"),
    "ext4 of 32 bits": ("ext4", "-b", "1024", "-O", "^64bit,^metadata_csum"),
    "small inodes": ("ext4", "-b", "1024", "-I", "128"),
    "large inodes": ("ext4", "-b", "4096", "-I", "1024"),
    "data in inodes": ("ext4", "-b", "1024", "-O", "inline_data", "-I", "256"),
    "clusters": ("ext4", "-b", "1024", "-O", "bigalloc", "-C", "8192"),
    "descriptors beside their groups": ("ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"),
    "a seed for checksums": ("ext4", "-b", "1024", "-O", "metadata_csum_seed"),
    "large directories": ("ext4", "-b", "1024", "-O", "large_dir,ea_inode"),
    "few copies of the superblock": ("ext4", "-b", "1024", "-O", "sparse_super2"),
    "names of either case": ("ext4", "-b", "1024", "-O", "casefold"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_odd(fill(tmp_path_factory.mktemp("root"), xattrs=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_what_the_folder_held(kind: str, root: Path, tmp_path: Path) -> None:
    image = made_ext(tmp_path / "image", *KINDS[kind], root=root, mebibytes=24)
    with FileSource(image) as source:
        system = open_image(source)
        assert system.version == KINDS[kind][0]
        found = comparable(list(system.entries(xattrs=True)))
    expected = comparable(tree_of(root))
    if "inline_data" in KINDS[kind]:
        # mke2fs 1.47.0 forgets the hole at such a file's end, as debugfs says too.
        assert found.pop(b"sparse").size < expected.pop(b"sparse").size
    assert found == expected


def test_a_large_directory_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    """Also after it got an index, which only e2fsck -D makes without a mount."""
    folder = tmp_path / "root"
    (folder / "many").mkdir(parents=True)
    names = sorted(f"name-{number}".encode() for number in range(5_000))
    for name in names:
        (folder / "many" / name.decode()).touch()
    image = made_ext(
        tmp_path / "image", "ext4", "-b", "1024", "-N", "6000", root=folder, mebibytes=32
    )
    for _ in range(2):
        with FileSource(image) as source:
            found = [one.name for one in open_image(source).listing(b"many")]
        assert found == names
        # It ends with 1, for it has changed something.
        tool("sh", "-c", f"e2fsck -f -y -D {image}; [ $? -le 1 ]")
    assert "Flags: 0x81000" in tool("debugfs", "-R", "stat /many", image)


def test_holes_are_zeros_beyond_four_gibibytes_too(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    with (folder / "huge").open("wb") as file:
        file.seek((4 << 30) + 1234)
        file.write(b"x")
    for kind in ("ext3", "ext4"):
        image = made_ext(tmp_path / "image", kind, "-b", "4096", root=folder)
        with FileSource(image) as source:
            system = open_image(source)
            entry = system.look(b"huge").entry
            read, last = 0, b""
            for piece in system.read(b"huge"):
                assert read > 4 << 30 or not any(piece[::4096])
                read, last = read + len(piece), piece
        assert (entry.size, read, last[-2:]) == ((4 << 30) + 1235, entry.size, b"\0x")
        assert entry.sparse
        assert entry.allocated <= 32768


def test_the_tool_of_the_file_system_says_the_same_of_every_file(
    root: Path, tmp_path: Path
) -> None:
    image = made_ext(tmp_path / "image", "ext4", "-b", "1024", root=root, mebibytes=24)
    dumped = tmp_path / "dumped"
    dumped.mkdir()
    tool("debugfs", "-R", f"rdump / {dumped}", image)
    with FileSource(image) as source:
        entries = [one for one in open_image(source).entries() if one.type == FILE]
    assert len(entries) > 400
    for entry in entries:
        path = Path(os.fsdecode(os.fsencode(dumped) + b"/" + entry.path))
        if "\n" not in path.name:  # debugfs writes such a name in another way
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256, path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away and makes devices")
def test_owners_and_devices_beyond_16_bits_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    os.mknod(folder / "old", 0o20600, os.makedev(1, 3))
    os.mknod(folder / "new", 0o60600, os.makedev(300, 70_000))
    (folder / "file").touch(0o644)
    os.chown(folder / "file", 70_000, 4_000_000_000)
    image = made_ext(tmp_path / "image", "ext4", "-b", "1024", root=folder)
    with FileSource(image) as source:
        found = {one.path: one for one in open_image(source).entries()}
    assert (found[b"old"].device, found[b"new"].device) == ("c 1:3", "b 300:70000")
    assert (found[b"file"].uid, found[b"file"].gid) == (70_000, 4_000_000_000)


def test_what_the_file_system_encrypted_is_named_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    (folder / "secret").mkdir(parents=True)
    (folder / "plain").write_bytes(b"plain")
    image = made_ext(tmp_path / "image", "ext4", "-b", "1024", "-O", "encrypt", root=folder)
    tool("debugfs", "-w", "-R", "set_inode_field secret flags 0x80800", image)
    with FileSource(image) as source:
        found = [one for one in open_image(source).entries() if one.path != b"lost+found"]
    assert [(one.path, one.type, bool(one.error)) for one in found] == [
        (b"", "directory", False),
        (b"plain", "file", False),
        (b"secret", "directory", False),
        (b"secret/", "listing", True),
    ]
    assert "encrypted" in found[-1].error


def test_labels_and_identities_are_told(tmp_path: Path) -> None:
    uuid = "0f2d5a5e-28ab-4cba-8c25-36cd8f6d4a37"
    image = made_ext(tmp_path / "image", "ext4", "-L", "a label", "-U", uuid)
    with FileSource(image) as source:
        system = open_image(source)
    assert (system.label, system.uuid, system.kind, system.unfinished) == (
        "a label", uuid, "ext", "",
    )  # fmt: skip


def test_one_file_of_a_recorded_image_is_read_in_pieces() -> None:
    pieces = list(open_image(recorded("ext4-forms")).read(b"sparse"))
    assert max(map(len, pieces)) <= 1 << 20
    assert b"".join(pieces)[100_000_000:100_000_008] == b"far away"
