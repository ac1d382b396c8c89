"""What one kind of file system has to tell, inode by inode, for a walk that is the same for all."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from drills.images.recognise import Kind
from drills.images.source import Source
from drills.volumes.entry import DIRECTORY, FILE, SYMLINK

UNKNOWN = "unknown"
_TYPES = {
    0o010000: "fifo",
    0o020000: "device",
    0o040000: DIRECTORY,
    0o060000: "device",
    0o100000: FILE,
    0o120000: SYMLINK,
    0o140000: "socket",
}
_TYPE_BITS, _CHARACTER_DEVICE = 0o170000, 0o020000
# Numbers in directory entries, the same in ext (EXT4_FT_*) and in xfs (XFS_DIR3_FT_*).
LISTED = {1: FILE, 2: DIRECTORY, 3: "device", 4: "device", 5: "fifo", 6: "socket", 7: SYMLINK}


class Inode(NamedTuple):
    """`modified` (content) and `changed` (anything) in ns since 1970; `allocated` as `st_blocks`
    has it, in bytes; `raw` as on disk.

    `type` as an entry names it, or "unknown"; `mode` its lower 12 bits.
    """

    number: int
    type: str
    mode: int
    uid: int
    gid: int
    size: int
    names: int
    modified: int
    changed: int
    allocated: int
    device: str
    flags: int
    raw: bytes


class Named(NamedTuple):
    """What a directory says of a name; `type` "unknown" where it does not say."""

    inode: int
    type: str


class Directory(NamedTuple):
    """What a directory holds, without `.` and `..`; the latter is `parent`."""

    parent: int
    names: Mapping[bytes, Named]


class Run(NamedTuple):
    """Bytes of a file that lie together: from `offset` in it, at `at` in the image."""

    offset: int
    length: int
    at: int


class Volume(Protocol):
    """One file system. Every method raises ImageError, and what the source raises."""

    kind: Kind
    version: str
    uuid: str
    label: str
    unfinished: str
    source: Source
    """The image as it would be once it was mounted."""
    root: int
    shares: bool
    """Whether two files may share blocks."""

    def inode(self, number: int) -> Inode: ...

    def directory(self, inode: Inode) -> Directory: ...

    def held(self, inode: Inode) -> bytes | None:
        """A file's content if it lies in the inode itself."""

    def runs(self, inode: Inode) -> Iterator[Run]:
        """Where a file's content lies otherwise: rising, none over another; the rest is holes."""

    def target(self, inode: Inode) -> bytes:
        """Of a symlink."""

    def attributes(self, inode: Inode) -> Mapping[bytes, bytes]:
        """Extended attributes as listxattr and getxattr tell them to root."""


def type_of(mode: int) -> str:
    return _TYPES.get(mode & _TYPE_BITS, UNKNOWN)


def device_of(mode: int, major: int, minor: int) -> str:
    """As an entry names a device."""
    letter = "c" if mode & _TYPE_BITS == _CHARACTER_DEVICE else "b"
    return f"{letter} {major}:{minor}"
