"""What debugfs tells of a file system is made again, file by file."""

import hashlib
import io
import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from drills.volumes import tree_reader
from drills.volumes.entry import Entry
from drills.volumes.tree import Tree
from standins.longhorn.image import make_image
from standins.longhorn.records import MIB
from standins.longhorn.restoring import Origin, restore_image
from standins.longhorn.unpacking import UnpackError, unpack
from tests.drills.backupstore.samples import FIXTURE, TRUTH
from tests.drills.images.images import RECORDED, made_ext, recorded, recorded_tree, tool
from tests.standins.longhorn.backups import store

SIZE = 64 * MIB
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
pytestmark = [
    pytest.mark.skipif(
        any(shutil.which(tool, path=PATH) is None for tool in ("mke2fs", "debugfs")),
        reason="e2fsprogs is not installed",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="other owners can only be given by root"),
]


def tree_of(root: Path, *, xattrs: bool = True) -> list[Entry]:
    """As the drills read a mounted volume."""
    output = io.BytesIO()
    tree_reader.read_volume("volume", os.fsencode(root), 1, xattrs, output)
    output.seek(0)
    return list(Tree(iter(output)))


def unpacked(image: Path, root: Path) -> Path:
    (root / "work").mkdir()
    unpack(image, root / "out", root / "work")
    return root / "out"


def truth(entries: list[Entry], *, without: bytes = b"lost+found") -> list[Entry]:
    """But for where blocks lie, and for what mke2fs adds."""
    return [one._replace(allocated=0) for one in entries if one.path.partition(b"/")[0] != without]


def odd_folder(root: Path) -> Path:
    """One of everything that a folder may hold."""
    (root / "folder" / "deep" / "er").mkdir(parents=True)
    (root / "folder" / "file").write_bytes(b"content" * 1000)
    (root / "empty").touch()
    (root / "fast").symlink_to("folder/file")
    (root / "slow").symlink_to("x" * 200)
    (root / "to nowhere").symlink_to("/etc/passwd")
    os.link(root / "folder" / "file", root / "hard")
    os.mkfifo(root / "pipe", 0o600)
    os.link(root / "pipe", root / "folder" / "same pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(root)  # the address has room for so much only
        listening.bind("socket")
        os.chdir(before)
    with (root / "sparse").open("wb") as file:
        file.truncate(8 * MIB)
        file.seek(4 * MIB)
        file.write(b"island")
    for name in (b"not \xff UTF-8", b"two\nlines", b" blank ", b'quo"te', b"<12>", b"-f", b"\\x41"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    os.setxattr(root / "folder" / "file", "user.colour", b'b"lu\n\0e\xff')
    os.setxattr(root / "folder", "user.with blank", b"")
    os.setxattr(root / "empty", "user.näme", b"value")
    os.setxattr(root / "empty", "user.ä\xff".encode("latin-1"), b"hex")
    os.chown(root / "folder" / "file", 70_000, 3_000_000_000)
    (root / "folder" / "file").chmod(0o4751)
    (root / "folder" / "deep").chmod(0o1777)
    os.chown(root / "slow", 5, 6, follow_symlinks=False)
    for path, when in (("folder/file", 1_600_000_000), ("folder/deep", 1_500_000_000)):
        os.utime(root / path, (when, when))
    os.utime(root / "slow", (1_400_000_000, 1_400_000_000), follow_symlinks=False)
    os.chown(root, 7, 8)
    root.chmod(0o2775)
    os.utime(root, (1_300_000_000, 1_300_000_000))
    return root


def test_everything_comes_back_that_went_into_an_image(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    root = odd_folder(tmp_path / "in")
    make_image(root, tmp_path / "image", SIZE, "pvc-a")
    before = tree_of(root)
    out = unpacked(tmp_path / "image", tmp_path)
    assert truth(tree_of(out)) == truth(before)
    for path in root.rglob("*"):
        found = out / path.relative_to(root)
        assert int(found.lstat().st_mtime) == int(path.lstat().st_mtime), path
        assert stat.S_IFMT(found.lstat().st_mode) == stat.S_IFMT(path.lstat().st_mode)
    assert int(out.stat().st_mtime) == 1_300_000_000
    assert (out / "sparse").stat().st_blocks * 512 < MIB
    assert (out / "hard").samefile(out / "folder" / "file")
    assert (out / "pipe").lstat().st_ino == (out / "folder" / "same pipe").lstat().st_ino
    assert stat.S_IMODE((out / "lost+found").stat().st_mode) == 0o700
    assert list((tmp_path / "work").glob("value-*")) == []


def test_devices_come_back(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    try:
        os.mknod(tmp_path / "in" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(tmp_path / "in" / "disk", stat.S_IFBLK | 0o660, os.makedev(300, 70_000))
    except PermissionError:
        pytest.skip("no right to make devices")
    make_image(tmp_path / "in", tmp_path / "image", SIZE, "pvc-a")
    out = unpacked(tmp_path / "image", tmp_path)
    for name in ("null", "disk"):
        assert (out / name).lstat().st_rdev == (tmp_path / "in" / name).lstat().st_rdev


@pytest.mark.parametrize("name", [one for one in RECORDED if one.startswith("ext")])
def test_a_kernels_file_system_comes_back_its_journal_included(name: str, tmp_path: Path) -> None:
    """But for attributes that only the system itself may set."""
    image = tmp_path / "image"
    image.write_bytes(bytes(recorded(name).read(0, recorded(name).size)))
    out = unpacked(image, tmp_path)
    found, expected = (
        [one._replace(allocated=0) for one in entries]
        for entries in (tree_of(out), recorded_tree(name))
    )
    differ = {one.path for one in set(found) ^ set(expected)}
    assert differ == {b"tiny"}, "it has an attribute trusted.é"
    assert [one._replace(xattrs="") for one in found] == [
        one._replace(xattrs="") for one in expected
    ]
    if name == "ext4-forms":
        assert (out / "tiny").stat().st_mtime_ns == -5_000_000_001


def test_what_only_the_journal_holds_comes_back(tmp_path: Path) -> None:
    """As in a snapshot of a mounted volume: the newest state is not home yet."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"old" * 100)
    image = made_ext(tmp_path / "image", "ext4", "-b", "1024", root=tmp_path / "in", mebibytes=8)
    block = tool("debugfs", "-R", "blocks file", image).split()[-1]
    (tmp_path / "block").write_bytes((b"new" * 100).ljust(1024, b"\0"))
    commands = ["jo", f"jw -b {block} {tmp_path / 'block'}", "jc", ""]
    (tmp_path / "commands").write_text("\n".join(commands))
    tool("debugfs", "-w", "-f", tmp_path / "commands", image)
    assert (unpacked(image, tmp_path) / "file").read_bytes() == b"new" * 100


@pytest.mark.parametrize("name", [one for one in TRUTH if one != "backup-pvc-none-1"])
def test_the_files_of_longhorns_own_backups_come_back(name: str, tmp_path: Path) -> None:
    held = store()
    for path in (FIXTURE / "bucket").rglob("*.*"):
        held.objects[str(path.relative_to(FIXTURE / "bucket"))] = path.read_bytes()
    origin = Origin(name, TRUTH[name]["volume"])
    restore_image(held, origin, tmp_path / "image", workers=2, sleep=lambda _: None)
    out = unpacked(tmp_path / "image", tmp_path)
    paths = [path for path in sorted(out.rglob("*")) if path.is_file()]
    assert paths
    for path in paths:
        inside = path.relative_to(out)
        done = subprocess.run(
            ["debugfs", "-R", f"cat /{inside}", str(tmp_path / "image")],
            capture_output=True, check=True, env={"PATH": PATH},
        )  # fmt: skip
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(done.stdout).digest()
    assert (out / "lost+found").is_dir()


@pytest.mark.parametrize("content", [b"", b"no file system " * 100_000])
def test_what_is_no_file_system_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(content.ljust(4 * MIB, b"\0"))
    with pytest.raises(UnpackError, match="Bad magic number in super-block"):
        unpacked(tmp_path / "image", tmp_path)


def test_xfs_is_told_not_to_be_read(tmp_path: Path) -> None:
    (name, *_) = [one for one in RECORDED if one.startswith("xfs")]
    (tmp_path / "image").write_bytes(bytes(recorded(name).read(0, recorded(name).size)))
    with pytest.raises(UnpackError, match="cannot be read"):
        unpacked(tmp_path / "image", tmp_path)


def inodes_at(image: Path) -> int:
    """Where the first inode lies, in bytes."""
    done = subprocess.run(
        ["debugfs", "-R", "imap <2>", str(image)],
        capture_output=True, text=True, check=True, env={"PATH": PATH},
    )  # fmt: skip
    where = done.stdout.split("located at block ")[1]
    block, offset = where.split(", offset ")
    return int(block) * 4096 + int(offset, 16)


def test_a_damaged_file_system_is_an_error_and_not_a_smaller_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"content" * 10_000)
    make_image(tmp_path / "in", tmp_path / "image", 512 * MIB, "pvc-a")
    at = inodes_at(tmp_path / "image")
    with (tmp_path / "image").open("r+b") as file:
        file.seek(at + 40)
        file.write(bytes(60))
    with pytest.raises(UnpackError):
        unpacked(tmp_path / "image", tmp_path)


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_image(tmp_path / "in", tmp_path / "image", SIZE, "pvc-a")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "of somebody").touch()
    with pytest.raises(FileExistsError):
        unpacked(tmp_path / "image", tmp_path)
    assert (tmp_path / "out" / "of somebody").exists()
