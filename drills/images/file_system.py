"""A file system inside an image, whichever it is."""

from collections.abc import Iterator
from typing import NamedTuple

from drills.images.content import Budget, pieces
from drills.images.errors import Fault, ImageError
from drills.images.ext.volume import ExtVolume
from drills.images.recognise import Kind, contents
from drills.images.source import Source
from drills.images.tree import Walk, attributes
from drills.images.volume import Inode, Volume
from drills.images.xfs.volume import XfsVolume
from drills.volumes.entry import DIRECTORY, FILE, SYMLINK, Entry, shown


class Listed(NamedTuple):
    """A name in a directory. `entry` is without digest and without link; `modified` in ns since
    1970; `names`: how many the inode has."""

    name: bytes
    entry: Entry
    inode: int
    names: int
    modified: int


class FileSystem:
    """Reads one file system. Paths are relative to its root, which is b"".

    `version` as in "ext4"; `unfinished`: what a mount would do first, and is read as if done, ""
    of a file system that was unmounted. Every method raises ImageError, and what the source of the
    image raises.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self.kind = volume.kind
        self.version = volume.version
        self.uuid = volume.uuid
        self.label = volume.label
        self.unfinished = volume.unfinished

    def entries(self, *, xattrs: bool = False, times: bool = False) -> Iterator[Entry]:
        """The whole tree with digests, in the order of the paths' bytes: what `tree_reader` tells
        of the same volume when it is mounted.

        What cannot be read is an entry with an error; only a root that cannot be read raises.
        """
        return Walk(self._volume, xattrs=xattrs, times=times).entries()

    def listing(self, path: bytes) -> Iterator[Listed]:
        """What a directory holds, in the order of the names."""
        inode = self._found(path)
        if inode.type != DIRECTORY:
            raise ImageError(Fault.NOT_A_FILE, f"{shown(path)} is a {inode.type}, no directory")
        names = self._volume.directory(inode).names
        for name in sorted(names):
            below = path + b"/" + name if path else name
            yield self._listed(name, below, self._volume.inode(names[name].inode))

    def look(self, path: bytes) -> Listed:
        """One entry. Links on the way are not followed."""
        return self._listed(path.rpartition(b"/")[2], path, self._found(path))

    def read(self, path: bytes) -> Iterator[bytes]:
        """A file's content in pieces of at most 1 MiB; holes as zeros."""
        inode = self._found(path)
        if inode.type != FILE:
            raise ImageError(Fault.NOT_A_FILE, f"{shown(path)} is a {inode.type}, no file")
        for piece in pieces(self._volume, inode, Budget.of(self._volume)):
            yield bytes(piece)

    def _found(self, path: bytes) -> Inode:
        inode = self._volume.inode(self._volume.root)
        for name in path.split(b"/") if path else ():
            names = self._volume.directory(inode).names if inode.type == DIRECTORY else {}
            if name not in names:
                raise ImageError(Fault.MISSING, f"there is no {shown(path)} in the image")
            inode = self._volume.inode(names[name].inode)
        return inode

    def _listed(self, name: bytes, path: bytes, inode: Inode) -> Listed:
        entry = attributes(path, inode)
        if inode.type == SYMLINK:
            entry = entry._replace(target=self._volume.target(inode))
        return Listed(name, entry, inode.number, inode.names, inode.modified)


def open_image(source: Source) -> FileSystem:
    """The file system in an image. Raises ImageError, also for anything that is none."""
    found = contents(source)
    if found.kind is Kind.EXT:
        return FileSystem(ExtVolume(source))
    if found.kind is Kind.XFS:
        return FileSystem(XfsVolume(source))
    raise ImageError(
        Fault.UNSUPPORTED, f"the image holds no file system that is read here, but {found.detail}"
    )
