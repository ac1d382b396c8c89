"""Takes the files out of an ext2, ext3 or ext4 file system in an image, without mounting it.

The pod may not mount. debugfs reads the file system, and what it says is made again: contents,
holes, modes, owners, times, symbolic and hard links, devices, extended attributes. Its own `rdump`
loses hard links, attributes and special files. Inodes are named by number, so a name may be
anything.
"""

import logging
import os
import re
import stat
import subprocess
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SECONDS = 3600.0
ROOT = 2
PIECE = 64 << 10
# debugfs calls it so where a small file's content lies among its attributes.
INLINE_DATA = "system.data"
# What only a program with rights over the whole system may set.
PRIVILEGED = ("trusted.", "security.selinux", "security.ima", "security.evm")
_NAMED = re.compile(rb"^  ([^\n]+?) \(\d+\)", re.MULTILINE)
_TIME = r" {}: 0x([0-9a-f]{{8}})(?::([0-9a-f]{{8}}))? -- "
_TIMES = tuple(re.compile(_TIME.format(kind).encode()) for kind in ("atime", "mtime"))
_DEVICE = re.compile(rb"Device major/minor number: (\d+):(\d+) ")
_IN_HEX = re.compile(rb"(?:[0-9a-f]{2} )+")
_FAST_LINK = b'Fast link dest: "'

log = logging.getLogger("longhorn-stand-in")


class UnpackError(Exception):
    """The files cannot be taken out; one sentence."""


@dataclass(frozen=True)
class _Listed:
    """An entry of a folder. `mode`: with the bits of the type. `size`: bytes."""

    inode: int
    mode: int
    user: int
    group: int
    name: bytes
    size: int


@dataclass
class _Inode:
    """What an inode is besides. `times`: of access and of change, in nanoseconds."""

    times: tuple[int, int]
    device: int
    link: bytes | None
    attributes: list[str]
    values: dict[str, bytes] = field(default_factory=dict)


def unpack(image: Path, target: Path, work: Path) -> None:
    """Makes `target`, a folder that is not there yet, what the root of the file system is.

    `work`: an empty folder for what is needed meanwhile. A journal that was not finished is
    replayed in the image, as the kernel does when it mounts one. Raises UnpackError, OSError.
    """
    reader = _Reader(image, work)
    reader.replay()
    root, found = reader.tree()
    everything = [(b"", root), *found]
    inodes = reader.inodes(sorted({one.inode for _, one in everything}))
    _Writer(target, inodes).everything(everything, reader)


class _Running:
    """debugfs at work, until it is left. Raises UnpackError for whatever it complains of."""

    def __init__(self, line: Sequence[str], work: Path) -> None:
        self._line, self._work = line, work
        self._said = work / "said"

    def __enter__(self) -> IO[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
            "DEBUGFS_PAGER": "__none__",
            "LC_ALL": "C",
        }
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                self._line, cwd=self._work, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=said,
            )  # fmt: skip
        if self._process.stdout is None:
            raise AssertionError("a pipe was asked for")
        return self._process.stdout

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate(timeout=SECONDS)
        said = self._said.read_text(errors="replace").splitlines()
        # It names its version there, and ends with 0 whatever happened.
        lines = [one for one in said if one and not one.startswith("debugfs 1.")]
        if lines or (kind is None and self._process.returncode != 0):
            what = " ".join(lines)[-300:] or f"exit code {self._process.returncode}"
            raise UnpackError(f"the file system cannot be read: {what}")


@dataclass(frozen=True)
class _Reader:
    """Asks debugfs. Any complaint of it is an error, for what it skips would be missing."""

    image: Path
    work: Path

    def replay(self) -> None:
        features = self._asked(["show_super_stats -h"])
        if b"needs_recovery" in features:
            log.info("the journal in %s is replayed", self.image.name)
            self._asked(["journal_run"], write=True)

    def tree(self) -> tuple[_Listed, list[tuple[bytes, _Listed]]]:
        """The root, and every path below it, folders before what is in them."""
        root: _Listed | None = None
        found: list[tuple[bytes, _Listed]] = []
        level, seen = [(b"", ROOT)], {ROOT}
        while level:
            said = self._asked([f"ls -p <{inode}>" for _, inode in level])
            below = []
            folders = _folders(said)
            if len(folders) != len(level):
                raise UnpackError("debugfs lists other folders than it was asked for")
            for (path, _), entries in zip(level, folders, strict=True):
                for one in entries:
                    if one.name == b"." and not path:
                        root = one
                    if one.name in (b".", b".."):
                        continue
                    inside = path + b"/" + one.name
                    found.append((inside, one))
                    if stat.S_ISDIR(one.mode):
                        if one.inode in seen:
                            raise UnpackError(f"folder <{one.inode}> lies in two places")
                        seen.add(one.inode)
                        below.append((inside, one.inode))
            level = below
        if root is None:
            raise UnpackError("the file system has no root")
        return root, found

    def inodes(self, numbers: Sequence[int]) -> dict[int, _Inode]:
        commands = [f"stat <{number}>" for number in numbers]
        found: dict[int, _Inode] = {}
        for number, text in zip(numbers, _answers(self._asked(commands), commands), strict=True):
            found[number] = _inode(text)
        wanted = [(number, name) for number, one in found.items() for name in one.attributes]
        # Into files with short names, for debugfs takes lines of some length only.
        self._asked(
            [
                f"ea_get -f value-{place} <{number}> {_quoted(name)}"
                for place, (number, name) in enumerate(wanted)
            ]
        )
        for place, (number, name) in enumerate(wanted):
            file = self.work / f"value-{place}"
            found[number].values[name] = file.read_bytes()
            file.unlink()
        return found

    def contents(
        self, wanted: Iterable[_Listed]
    ) -> Generator[tuple[_Listed, IO[bytes]], None, None]:
        """Each inode's content, to be read to its size before the next is asked for."""
        listed = list(wanted)
        with self._started([f"cat <{one.inode}>" for one in listed]) as said:
            for one in listed:
                # A content ends where the next command is told, on the same line.
                told = f"debugfs: cat <{one.inode}>\n".encode()
                if said.read(len(told)) != told:
                    raise UnpackError(f"the content before <{one.inode}> has another size")
                yield one, said
            if said.read(1):
                raise UnpackError("the last content has another size")

    def _asked(self, commands: Sequence[str], *, write: bool = False) -> bytes:
        if not commands:
            return b""
        with self._started(commands, write=write) as said:
            return said.read()

    def _started(self, commands: Sequence[str], *, write: bool = False) -> _Running:
        file = self.work / "commands"
        file.write_bytes(b"".join(os.fsencode(one) + b"\n" for one in commands))
        line = ["debugfs", *(["-w"] if write else []), "-f", file.name, str(self.image.absolute())]
        return _Running(line, self.work)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _folders(said: bytes) -> list[list[_Listed]]:
    """What `ls -p` says of each folder. No name has a slash in it, so slashes part the fields."""
    parts = said.split(b"/")
    found: list[list[_Listed]] = []
    for start in range(0, len(parts) - 6, 7):
        between, inode, mode, user, group, name, size = parts[start : start + 7]
        if b"debugfs: ls" in between:
            found.append([])
        if int(inode):  # 0 is a place that nobody uses
            found[-1].append(
                _Listed(
                    int(inode), int(mode, 8), _unsigned(user), _unsigned(group), name,
                    int(size or 0),
                )
            )  # fmt: skip
    return found


def _unsigned(text: bytes) -> int:
    """debugfs tells the numbers of users as if they could be negative."""
    return int(text) & 0xFFFFFFFF


def _answers(said: bytes, commands: Sequence[str]) -> list[bytes]:
    """What was said to each command, by the lines that tell the commands."""
    found, at = [], 0
    for place, command in enumerate(commands):
        told = f"debugfs: {command}\n".encode()
        if not said.startswith(told, at):
            raise UnpackError(f"debugfs did not answer to {command}")
        at += len(told)
        following = commands[place + 1 : place + 2]
        end = said.find(f"debugfs: {following[0]}\n".encode(), at) if following else len(said)
        if end < 0:
            raise UnpackError(f"debugfs did not answer to {following[0]}")
        found.append(said[at:end])
        at = end
    return found


def _inode(text: bytes) -> _Inode:
    times = [one.search(text) for one in _TIMES]
    size = re.search(rb"   Size: (\d+)\n", text)
    if size is None or None in times:
        raise UnpackError(f"debugfs says of an inode: {text[:100]!r}")
    device = _DEVICE.search(text)
    start = text.find(_FAST_LINK)
    link = None
    if start >= 0:
        start += len(_FAST_LINK)
        link = text[start : start + int(size[1])]
    listed = text.partition(b"Extended attributes:\n")[2]
    # They end with the first line that is not indented.
    listed = re.split(rb"^(?!  )", listed, maxsplit=1, flags=re.MULTILINE)[0]
    names = [_unescaped(name) for name in _NAMED.findall(listed)]
    accessed, changed = (_moment(one[1], one[2]) for one in times if one is not None)
    return _Inode(
        (accessed, changed),
        os.makedev(int(device[1]), int(device[2])) if device else 0,
        link,
        [name for name in names if name != INLINE_DATA and not _is_privileged(name)],
    )


def _unescaped(name: bytes) -> str:
    """A name as it is: debugfs tells it in hex when little of it is ASCII, else with escapes."""
    if _IN_HEX.fullmatch(name):
        return os.fsdecode(bytes.fromhex(name.decode()))
    return os.fsdecode(name.decode("unicode_escape").encode("latin-1"))


def _is_privileged(name: str) -> bool:
    if name.startswith(PRIVILEGED):
        log.warning("an attribute %r is left out: the pod has no right to set it", name)
        return True
    return False


def _moment(seconds: bytes, extra: bytes | None) -> int:
    """Nanoseconds. The lowest two bits of the second number carry on the first, which is signed."""
    low, more = int(seconds, 16), int(extra or b"0", 16)
    return (low - (low >> 31 << 32) + ((more & 3) << 32)) * 10**9 + (more >> 2)


@dataclass(frozen=True)
class _Writer:
    """Makes the files below a folder. Whatever is there already is an error."""

    target: Path
    inodes: dict[int, _Inode]

    def everything(self, listed: list[tuple[bytes, _Listed]], reader: _Reader) -> None:
        first: dict[int, Path] = {}
        again: list[tuple[Path, _Listed]] = []
        contents: list[_Listed] = []
        for below, one in listed:
            path = self._path(below)
            if one.inode in first:
                again.append((path, one))
                continue
            first[one.inode] = path
            if stat.S_ISREG(one.mode) or self._is_long_link(one):
                contents.append(one)
            else:
                self._made(path, one)
        with closing(reader.contents(contents)) as streams:
            for one, stream in streams:
                self._filled(first[one.inode], one, stream)
        for path, one in again:
            path.hardlink_to(first[one.inode])
        # Last of all, for whatever is made in a folder changes the folder's times.
        for below, one in listed:
            if first[one.inode] == self._path(below):
                self._about(self._path(below), one)

    def _path(self, below: bytes) -> Path:
        return Path(os.fsdecode(os.fsencode(self.target) + below))

    def _is_long_link(self, one: _Listed) -> bool:
        return stat.S_ISLNK(one.mode) and self.inodes[one.inode].link is None

    def _made(self, path: Path, one: _Listed) -> None:
        """What has no content in blocks."""
        if stat.S_ISDIR(one.mode):
            path.mkdir(0o700)
        elif stat.S_ISLNK(one.mode):
            path.symlink_to(os.fsdecode(self.inodes[one.inode].link or b""))
        else:
            os.mknod(path, one.mode, self.inodes[one.inode].device)

    def _filled(self, path: Path, one: _Listed, stream: IO[bytes]) -> None:
        if stat.S_ISLNK(one.mode):
            path.symlink_to(os.fsdecode(_read(stream, one.size)))
            return
        with path.open("xb") as file:
            for start in range(0, one.size, PIECE):
                piece = _read(stream, min(PIECE, one.size - start))
                if piece.count(0) == len(piece):
                    file.seek(len(piece), os.SEEK_CUR)
                else:
                    file.write(piece)
            file.truncate(one.size)

    def _about(self, path: Path, one: _Listed) -> None:
        inode = self.inodes[one.inode]
        os.chown(path, one.user, one.group, follow_symlinks=False)
        if not stat.S_ISLNK(one.mode):
            path.chmod(stat.S_IMODE(one.mode))
        for name, value in inode.values.items():
            os.setxattr(path, name, value, follow_symlinks=False)
        os.utime(path, ns=inode.times, follow_symlinks=False)


def _read(stream: IO[bytes], size: int) -> bytes:
    piece = stream.read(size)
    if len(piece) != size:
        raise UnpackError("a content ends before its size")
    return piece
