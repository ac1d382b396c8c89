"""Real volumes to read, and the reader run as it runs in a pod."""

import os
import subprocess
import sys
from pathlib import Path

from drills.volumes import tree_reader
from drills.volumes.entry import Entry
from drills.volumes.tree import Trailer, Tree

READER = Path(tree_reader.__file__)


def run_reader(
    *arguments: str | Path, expected_code: int = 0, cwd: Path | None = None
) -> list[bytes]:
    """The lines that a reader of its own process prints."""
    # Through stdin, as a pod without the file would get it; nothing of the project is importable.
    done = subprocess.run(
        [sys.executable, "-I", "-", *map(str, arguments)],
        input=READER.read_bytes(),
        capture_output=True,
        check=False,
        timeout=120,
        cwd=cwd,
    )
    assert done.returncode == expected_code, done.stderr.decode()
    return done.stdout.splitlines(keepends=True)


def read(root: Path, *options: str) -> tuple[list[Entry], Trailer]:
    """The tree of a volume, parsed and checked."""
    tree = Tree(iter(run_reader(*options, f"volume={root}")))
    return list(tree), tree.trailer


def by_path(root: Path, *options: str) -> dict[bytes, Entry]:
    return {entry.path: entry for entry in read(root, *options)[0]}


def make_volume(root: Path) -> Path:
    """A volume with one of everything that a tree can tell apart."""

    def odd(name: bytes) -> Path:
        return root / os.fsdecode(name)

    for name in ("", "data", "data/deep", "data-beside", "empty"):
        (root / name).mkdir()
    (root / "data" / "small").write_bytes(b"content")
    (root / "data" / "large").write_bytes(os.urandom(3 << 20))
    (root / "data" / "deep" / "zero").write_bytes(b"")
    (root / "data-beside" / "line\nbreak").write_bytes(b"a name of two lines")
    odd(b"caf\xe9").write_bytes(b"a name that is not UTF-8")
    os.link(root / "data" / "small", root / "other name of small")
    (root / "link to nowhere").symlink_to(os.fsdecode(b"caf\xe9/\xff"))
    (root / "link out").symlink_to("/etc/passwd")
    (root / "link to a directory").symlink_to("data")
    os.mkfifo(root / "pipe")
    os.mknod(root / "null", 0o20600, os.makedev(1, 3))
    (root / "data" / "large").chmod(0o4711)
    os.chown(root / "data" / "deep", 1000, 2000)
    with (root / "sparse").open("wb") as sparse:
        sparse.seek(5 << 20)
        sparse.write(b"an island")
        sparse.truncate(9 << 20)
    return root
