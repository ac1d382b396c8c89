"""The image is an ext4 file system that holds what the folder held, as mke2fs makes it."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from standins.longhorn.image import ImageError, make_image
from standins.longhorn.records import MIB
from standins.longhorn.snapshot_folder import SnapshotFolder

SIZE = 64 * MIB
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool, path=PATH) is None for tool in ("mke2fs", "debugfs", "e2fsck")),
    reason="e2fsprogs is not installed",
)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volumes" / "pvc-a" / "data"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_bytes(b"content" * 1000)
    (root / "link").symlink_to("folder/file")
    os.link(root / "folder" / "file", root / "hard")
    with (root / "sparse").open("wb") as file:
        file.truncate(8 * MIB)
        file.seek(4 * MIB)
        file.write(b"island")
    os.setxattr(root / "folder" / "file", "user.colour", b"blue")
    (root / "folder" / "file").chmod(0o640)
    os.utime(root / "folder" / "file", (1_600_000_000, 1_600_000_000))
    root.chmod(0o2777)
    return root


def asked(image: Path, question: str) -> str:
    done = subprocess.run(
        ["debugfs", "-R", question, str(image)],
        capture_output=True, text=True, check=True, env={"PATH": PATH},
    )  # fmt: skip
    return done.stdout


def is_clean(image: Path) -> bool:
    command = ["e2fsck", "-fn", str(image)]
    return (
        subprocess.run(command, capture_output=True, check=False, env={"PATH": PATH}).returncode
        == 0
    )


def test_the_file_system_is_clean_and_holds_the_folder(volume: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    make_image(volume, image, SIZE, "pvc-a")
    assert image.stat().st_size == SIZE
    assert is_clean(image)
    assert asked(image, "cat /folder/file") == "content" * 1000
    file, hard = asked(image, "stat /folder/file"), asked(image, "stat /hard")
    assert "Mode:  0640" in file
    assert f"User: {os.getuid():5}" in file
    assert "mtime: 0x5f5e1000" in file
    assert file.splitlines()[0] == hard.splitlines()[0], "one inode"
    assert "Links: 2" in file
    assert 'dest: "folder/file"' in asked(image, "stat /link")
    assert "user.colour (4)" in asked(image, "ea_list /folder/file")
    assert "Blockcount: 8\n" in asked(image, "stat /sparse") or "Blockcount: 2\n" in asked(
        image, "stat /sparse"
    )


def test_the_root_is_what_the_folder_was(volume: Path, tmp_path: Path) -> None:
    if os.getuid() == 0:
        os.chown(volume, 70001, 70002)
        volume.chmod(0o2777)
    os.utime(volume, (1_600_000_000, 1_600_000_000))
    make_image(volume, tmp_path / "image", SIZE, "pvc-a")
    root = asked(tmp_path / "image", "stat <2>")
    found = volume.stat()
    assert "Type: directory" in root
    assert "Mode:  02777" in root
    assert f"User: {found.st_uid:5}   Group: {found.st_gid:5}" in root
    assert "mtime: 0x5f5e1000" in root
    assert is_clean(tmp_path / "image")


def test_an_image_of_the_same_folder_is_the_same_but_for_its_times(
    volume: Path, tmp_path: Path
) -> None:
    make_image(volume, tmp_path / "1", SIZE, "pvc-a")
    make_image(volume, tmp_path / "2", SIZE, "pvc-a")
    first, second = (path.read_bytes() for path in (tmp_path / "1", tmp_path / "2"))
    differ = [
        at for at in range(0, SIZE, 2 * MIB) if first[at:][: 2 * MIB] != second[at:][: 2 * MIB]
    ]
    assert differ in ([], [0])


def test_what_does_not_fit_is_one_sentence(volume: Path, tmp_path: Path) -> None:
    (volume / "large").write_bytes(os.urandom(12 * MIB))
    with pytest.raises(ImageError, match="volume pvc-a does not go into an image"):
        make_image(volume, tmp_path / "image", 10 * MIB, "pvc-a")


def test_a_snapshot_appears_whole_and_leftovers_go(volume: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    folder = SnapshotFolder(kept, volume.parents[1], lambda: NOW, lambda _: None)
    (kept / "partial" / "killed").mkdir(parents=True)
    folder.prepare()
    assert list((kept / "partial").iterdir()) == []
    assert folder.make("snap-1", "pvc-a", SIZE) == NOW
    assert folder.names() == {"snap-1"}
    assert folder.has("snap-1")
    assert 0 < folder.size("snap-1") < SIZE
    assert list((kept / "partial").iterdir()) == []
    folder.remove("snap-1")
    folder.remove("snap-1")
    assert folder.names() == set()
