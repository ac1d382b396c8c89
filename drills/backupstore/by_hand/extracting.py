"""`extract`: the files of a backup, or some of them, in a folder.

Names and links in the image were written by whoever wrote to the volume. So nothing is written but
into folders made here, and no link is followed.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from drills.backupstore import sparse
from drills.backupstore.by_hand.files import shown
from drills.backupstore.part_file import TargetError
from drills.images.errors import Fault, ImageError
from drills.images.file_system import FileSystem, Listed
from drills.volumes.entry import DIRECTORY, FILE, SYMLINK

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What runs with its owner's rights is root's to give away.
_PERMISSIONS, _ALL_BITS = 0o777, 0o7777
_NO_NAMES = frozenset({b"", b".", b".."})


@dataclass
class Extracted:
    """What was written. left_out: devices, sockets and pipes, which were not."""

    files: int = 0
    folders: int = 0
    links: int = 0
    bytes: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass
class Extraction:
    """Writes to the folder `root`, which it makes; until all is there it is ROOT.part.

    owners: whether owners and all permission bits are given, which only root may do. progress:
    called with the bytes written so far.
    """

    system: FileSystem
    root: Path
    owners: bool
    progress: Callable[[int], None]
    done: Extracted = field(default_factory=Extracted)
    _places: dict[int, Path] = field(default_factory=dict)
    _folders: dict[int, tuple[Path, Listed]] = field(default_factory=dict)

    def run(self, path: bytes) -> Extracted:
        """A folder with all that is in it, or one file. Raises ImageError, TargetError."""
        looked = self.system.look(path)
        part = self.root.with_name(f"{self.root.name}.part")
        _check_absent(self.root)
        _check_absent(part)
        try:
            if looked.entry.type == DIRECTORY:
                self._tree(path, part, looked)
            else:
                part.mkdir(0o700)
                self._leaf(path, _below(part, path.rpartition(b"/")[2]), looked)
            part.rename(self.root)
        except OSError as error:
            raise TargetError(
                f"{part} cannot be written ({error.strerror or error}); remove it, and extract to "
                "a disk with room"
            ) from error
        return self.done

    def _tree(self, path: bytes, root: Path, looked: Listed) -> None:
        self._folder(root, looked)
        left = [(path, root)]
        while left:
            above, folder = left.pop()
            for one in self.system.listing(above):
                inside, place = _joined(above, one.name), _below(folder, one.name)
                if one.entry.type == DIRECTORY:
                    self._folder(place, one)
                    left.append((inside, place))
                else:
                    self._leaf(inside, place, one)
        # Not before: what is written into a folder changes its time, and it may be read-only.
        for place, one in reversed(self._folders.values()):
            self._attributes(place, one)

    def _folder(self, place: Path, looked: Listed) -> None:
        if looked.inode in self._folders:
            raise ImageError(
                Fault.DAMAGED, f"the folder {shown(looked.name)} lies in two places of the image"
            )
        place.mkdir(0o700)
        self._folders[looked.inode] = (place, looked)
        self.done.folders += 1

    def _leaf(self, path: bytes, place: Path, looked: Listed) -> None:
        """Anything but a folder."""
        first = self._places.get(looked.inode)
        if first is not None:
            os.link(first, place, follow_symlinks=False)
            self.done.links += 1
            return
        if looked.entry.type == FILE:
            self._file(path, place)
        elif looked.entry.type == SYMLINK:
            place.symlink_to(os.fsdecode(looked.entry.target))
            self.done.links += 1
        else:
            self.done.left_out.append(shown(path))
            return
        self._attributes(place, looked)
        if looked.names > 1:
            self._places[looked.inode] = place

    def _file(self, path: bytes, place: Path) -> None:
        descriptor = os.open(place, _NEW, 0o600)
        try:
            offset = 0
            for piece in self.system.read(path):
                sparse.write(partial(os.pwrite, descriptor), piece, offset, hole=True)
                offset += len(piece)
                self.done.bytes += len(piece)
                self.progress(self.done.bytes)
            os.ftruncate(descriptor, offset)
        finally:
            os.close(descriptor)
        self.done.files += 1

    def _attributes(self, place: Path, looked: Listed) -> None:
        entry = looked.entry
        if self.owners:
            os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
        if entry.type != SYMLINK:
            place.chmod(entry.mode & (_ALL_BITS if self.owners else _PERMISSIONS))
        os.utime(place, ns=(looked.modified, looked.modified), follow_symlinks=False)


def _joined(above: bytes, name: bytes) -> bytes:
    return above + b"/" + name if above else name


def _below(folder: Path, name: bytes) -> Path:
    if name in _NO_NAMES or b"/" in name or b"\0" in name:
        raise ImageError(Fault.DAMAGED, f"the image has a file named {shown(name)!r}")
    return folder / os.fsdecode(name)


def _check_absent(place: Path) -> None:
    if os.path.lexists(place):
        raise TargetError(f"{place} exists and is not overwritten; remove it, or give another one")
