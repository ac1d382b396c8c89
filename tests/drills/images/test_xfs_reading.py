"""xfs as mkfs makes it out of a prototype, in both of its versions."""

import hashlib
import re
from pathlib import Path

import pytest

from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.volumes.entry import FILE
from tests.drills.images.images import (
    comparable,
    fill,
    made_xfs,
    recorded_file,
    recorded_tree,
    tool,
    tree_of,
)

KINDS = {
    "version 5": (5, ()),
    "version 5 with everything": (
        5, ("-m", "rmapbt=1,reflink=1,bigtime=1,inobtcount=1", "-i", "nrext64=1"),
    ),
    "version 5 of the first days": (
        5, ("-m", "finobt=0,rmapbt=0,reflink=0,bigtime=0,inobtcount=0", "-i", "sparse=0"),
    ),
    "version 4": (4, ("-m", "crc=0")),
    "version 4 without types in directories": (4, ("-m", "crc=0", "-n", "ftype=0")),
    "version 4 with old attributes": (4, ("-m", "crc=0", "-i", "attr=1")),
    "small blocks": (5, ("-b", "size=1024")),
    "large blocks of directories": (5, ("-n", "size=16384")),
    "large inodes": (5, ("-i", "size=2048")),
    "large sectors": (5, ("-s", "size=4096")),
    "several groups": (5, ("-d", "agcount=3")),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("root"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_what_the_folder_held(kind: str, root: Path, tmp_path: Path) -> None:
    version, options = KINDS[kind]
    image = made_xfs(tmp_path / "image", *options, root=root, mebibytes=96, log="20m")
    with FileSource(image) as source:
        system = open_image(source)
        assert (system.version, system.unfinished) == (f"xfs {version}", "")
        found = comparable(list(system.entries()))
    expected = comparable(tree_of(root))
    assert {path: one._replace(xattrs="") for path, one in expected.items()} == found


def test_a_target_that_the_kernel_refuses_is_refused(tmp_path: Path) -> None:
    """mkfs.xfs 6.1 forgets the header of a target that has no room in its inode."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "slow").symlink_to("x" * 700)
    image = made_xfs(tmp_path / "image", root=folder)
    with FileSource(image) as source:
        entry = list(open_image(source).entries())[-1]
    assert entry.path == b"slow"
    assert entry.target == b"x" * 700 or "its target is not whole" in entry.error


def test_an_empty_one_has_a_root_and_nothing_else(tmp_path: Path) -> None:
    image = made_xfs(tmp_path / "image", "-L", "a label")
    with FileSource(image) as source:
        system = open_image(source)
        assert [entry.path for entry in system.entries()] == [b""]
    assert system.label == "a label"


def test_the_tool_of_the_file_system_finds_the_same_extents(tmp_path: Path) -> None:
    """Reads a file by the places that xfs_db names, and has to come to what the reader says."""
    image = recorded_file("xfs-forms", tmp_path)
    expected = {one.path: one for one in recorded_tree("xfs-forms")}[b"fragments"]
    with FileSource(image) as source:
        number = {one.name: one for one in open_image(source).listing(b"")}[b"fragments"].inode
    said = tool("xfs_db", "-r", "-c", f"inode {number}", "-c", "bmap", "-f", image)
    extents = re.findall(r"data offset (\d+) startblock (\d+) \(\d+/\d+\) count (\d+)", said)
    assert len(extents) > 500
    content = bytearray(expected.size)
    raw = image.read_bytes()
    shift = int(tool("xfs_db", "-r", "-c", "sb 0", "-c", "p agblklog", "-f", image).split()[-1])
    each = int(tool("xfs_db", "-r", "-c", "sb 0", "-c", "p agblocks", "-f", image).split()[-1])
    for offset, start, count in (map(int, one) for one in extents):
        at = ((start >> shift) * each + (start & (1 << shift) - 1)) * 1024
        content[offset * 1024 : (offset + count) * 1024] = raw[at : at + count * 1024]
    assert expected.type == FILE
    assert hashlib.sha256(content[: expected.size]).hexdigest() == expected.sha256
