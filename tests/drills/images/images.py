"""Images for the tests: made by mkfs out of a folder, recorded from a kernel, or damaged."""

import io
import lzma
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from drills.images.programs import Ran
from drills.images.source import Metadata, Source
from drills.volumes import tree_reader
from drills.volumes.entry import Entry
from drills.volumes.tree import Tree

FIXTURES = Path(__file__).parent / "fixture"
RECORDED = ("ext4-forms", "ext4-live", "ext3-live", "xfs-forms", "xfs-live", "xfs-live-1k")
# mkfs.xfs makes small images for its own tests alone.
_ENVIRONMENT = {
    **os.environ,
    "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
    "LC_ALL": "C",
    "TEST_DIR": "1",
    "TEST_DEV": "1",
    "QA_CHECK_FS": "1",
}


def tool(*arguments: str | Path) -> str:
    """What a program prints; skips where it is not installed."""
    ran = run([str(one) for one in arguments])
    assert ran.code == 0, f"{arguments}: {ran.output}"
    return ran.output


def run(command: Sequence[str]) -> Ran:
    """The runner that the checks are given; skips where a program is not installed."""
    name = command[0]
    if shutil.which(name, path=_ENVIRONMENT["PATH"]) is None:
        package = "xfsprogs" if "xfs" in name else "e2fsprogs"
        pytest.skip(f"{name} is not installed (Debian's {package})")
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout.decode(errors="replace"))


def made_ext(
    image: Path, kind: str, *options: str, root: Path | None = None, mebibytes: int = 8
) -> Path:
    """An ext2, ext3 or ext4 of what a folder holds."""
    _empty(image, mebibytes)
    filled = ("-d", root) if root is not None else ()
    tool("mke2fs", "-q", "-F", "-t", kind, *options, *filled, image)
    return image


def made_xfs(
    image: Path,
    *options: str,
    root: Path | None = None,
    mebibytes: int = 64,
    log: str = "10m",
) -> Path:
    """An xfs of what a folder holds, as far as its prototype file can say that."""
    _empty(image, mebibytes)
    filled: tuple[str | Path, ...] = ()
    if root is not None:
        prototype = image.with_suffix(".prototype")
        prototype.write_bytes(_prototype(root))
        filled = ("-p", prototype)
    tool("mkfs.xfs", "-q", "-f", "-l", f"size={log}", *options, *filled, image)
    return image


@cache
def _unpacked(name: str) -> bytes:
    return lzma.decompress((FIXTURES / f"{name}.img.xz").read_bytes())


def recorded(name: str) -> "Memory":
    return Memory(_unpacked(name))


def recorded_file(name: str, folder: Path) -> Path:
    path = folder / f"{name}.img"
    path.write_bytes(_unpacked(name))
    return path


def recorded_tree(name: str) -> list[Entry]:
    """What the kernel said of it."""
    lines = io.BytesIO(lzma.decompress((FIXTURES / f"{name}.tree.xz").read_bytes()))
    return list(Tree(iter(lines)))


def tree_of(root: Path) -> list[Entry]:
    """What the kernel says of a folder."""
    output = io.BytesIO()
    tree_reader.read_volume("volume", os.fsencode(root), 1, True, output)
    output.seek(0)
    return list(Tree(iter(output)))


def comparable(entries: Sequence[Entry]) -> dict[bytes, Entry]:
    """Without what mkfs makes otherwise: the root, lost+found, and how files lie on the disk."""
    return {
        entry.path: entry._replace(allocated=0)
        for entry in entries
        if entry.path not in (b"", b"lost+found")
    }


class Memory:
    """An image in memory, some bytes of which are others: offset -> bytes."""

    def __init__(self, content: bytes, changes: Mapping[int, bytes] | None = None) -> None:
        self.size = len(content)
        self._content = content
        self._changes = sorted((changes or {}).items())

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        content = self._content[offset : offset + length]
        end = offset + len(content)
        here = [(at, new) for at, new in self._changes if at < end and at + len(new) > offset]
        if not here:
            return content
        found = bytearray(content)
        for at, new in here:
            low, high = max(at, offset), min(at + len(new), end)
            found[low - offset : high - offset] = new[low - at : high - at]
        return bytes(found)

    def changed(self, changes: Mapping[int, bytes]) -> "Memory":
        return Memory(self._content, {**dict(self._changes), **changes})


def metadata_places(source: Source, use: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where a reader looks for metadata while `use` reads `source`, in steps of 32 bytes."""
    seen: set[int] = set()
    original = Metadata.read

    def noted(self: Metadata, offset: int, length: int) -> bytes:
        seen.update(range(offset // 32 * 32, offset + length, 32))
        return original(self, offset, length)

    with monkeypatch.context() as patch:
        patch.setattr(Metadata, "read", noted)
        use(source)
    return sorted(at for at in seen if any(source.read(at, 32)))


def _empty(image: Path, mebibytes: int) -> None:
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)


def _prototype(root: Path) -> bytes:
    """mkfs.xfs(8), -p: files, folders, links and pipes, without spaces in their names."""
    lines = ["boot", "0 0", "d--755 0 0"]

    def put(folder: Path, depth: str) -> None:
        for path in sorted(folder.iterdir()):
            found = path.lstat()
            mode = f"{found.st_mode & 0o777:03o} {found.st_uid} {found.st_gid}"
            if path.is_symlink():
                lines.append(f"{depth}{path.name} l--{mode} {path.readlink()}")
            elif path.is_dir():
                lines.append(f"{depth}{path.name} d--{mode}")
                put(path, depth + " ")
                lines.append(f"{depth}$")
            elif path.is_fifo():
                lines.append(f"{depth}{path.name} p--{mode}")
            else:
                lines.append(f"{depth}{path.name} ---{mode} {path}")

    put(root, "")
    return "\n".join([*lines, "$", ""]).encode()


def fill(root: Path, *, xattrs: bool = False) -> Path:
    """A folder that shows most of what a file system must keep; no root needed."""
    for name in ("few", "many", "few/deep"):
        (root / name).mkdir(parents=True)
    for number in range(400):
        (root / "many" / f"a-rather-long-name-{number:04d}").write_bytes(b"%d" % number)
    with (root / "fragments").open("wb") as file:
        for number in range(0, 900, 2):
            file.seek(number * 1024)
            file.write(bytes([number % 250 + 1]) * 1024)
    with (root / "sparse").open("wb") as file:
        file.seek(20_000_000)
        file.write(b"far away")
        file.truncate(20_500_000)
    (root / "plain").write_bytes(b"plain " * 40_000)
    (root / "tiny").write_bytes(b"tiny")
    (root / "almost tiny").with_name("almost-tiny").write_bytes(b"t" * 130)
    (root / "few" / "empty").touch()
    (root / "few" / "deep" / "leaf").write_bytes(b"leaf")
    (root / "fast").symlink_to("plain")
    # Longer ones xfs keeps in blocks, which mkfs.xfs 6.1 makes in a way that no kernel reads.
    (root / "slow").symlink_to("x" * 300)
    os.mkfifo(root / "pipe")
    (root / "tiny").chmod(0o640)
    if xattrs:
        os.setxattr(root / "tiny", "user.small", b"value")
        os.setxattr(root / "plain", "user.larger", b"v" * 600)
    return root


def fill_odd(root: Path) -> Path:
    """What a prototype file cannot say."""
    os.link(root / "plain", root / "few" / "another-name-of-plain")
    Path(os.fsdecode(os.fsencode(root) + b"/not-utf-8-\xff")).write_bytes(b"odd")
    (root / "a name\nof two lines").touch()
    (root / "odd-target").symlink_to(os.fsdecode(b"\xff"))
    return root


def partition_table(*entries: tuple[int, int, int]) -> bytes:
    """A boot sector with partitions of (type, first sector, sectors)."""
    rows = [struct.pack("<B3xB3xII", 0, *entry) for entry in entries]
    return (bytes(446) + b"".join(rows)).ljust(510, b"\0") + b"\x55\xaa"
