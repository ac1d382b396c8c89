"""The digest tree of a file system: what `drills.volumes.tree_reader` says of a mounted one."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from drills.images.content import Budget, digest
from drills.images.errors import ImageError, damaged
from drills.images.volume import UNKNOWN, Directory, Inode, Named, Volume
from drills.volumes.entry import DIRECTORY, FILE, LISTING, SYMLINK, Entry
from drills.volumes.tree_reader import joined


class _First(NamedTuple):
    """The first name of an inode that has several, `left` of which are still to come."""

    entry: Entry
    left: int


_Level = Iterator["Entry | _Level"]


class Walk:
    """One pass over a file system; what cannot be read is an entry with an error.

    Memory: the names of the directories on the way to the current one, and the inodes with several
    names of which not all were seen.
    """

    def __init__(self, volume: Volume, *, xattrs: bool, times: bool) -> None:
        self._volume = volume
        self._xattrs = xattrs
        self._times = times
        self._budget = Budget.of(volume)
        self._first: dict[int, _First] = {}

    def entries(self) -> Iterator[Entry]:
        """In the order of the paths' bytes. Raises ImageError for the root, and what the source
        raises."""
        root = self._volume.inode(self._volume.root)
        yield self._described(b"", root)
        pending = [self._below(b"", root, root.number)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif isinstance(found, Entry):
                yield found
            else:
                pending.append(found)

    def _below(self, path: bytes, inode: Inode, parent: int) -> "_Level":
        """What a directory holds: a directory at its name, what that holds at its name and `/`."""
        try:
            names = self._listed(inode, parent)
        except ImageError as error:
            yield Entry(path + b"/", LISTING, error=str(error))
            return
        directories = [name + b"/" for name, named in names.items() if named.type == DIRECTORY]
        waiting: dict[bytes, Inode] = {}
        for key in sorted([*names, *directories]):
            if key.endswith(b"/"):
                below = waiting.pop(key, None)
                if below is not None:
                    yield self._below(joined(path, key[:-1]), below, inode.number)
                continue
            entry, found = self._named(joined(path, key), names[key])
            yield entry
            if found is not None and found.type == DIRECTORY:
                waiting[key + b"/"] = found

    def _listed(self, inode: Inode, parent: int) -> Mapping[bytes, Named]:
        """Raises ImageError. A directory is met where it says that it lies, and once: else the
        walk would have no end where directories lie in each other."""
        where = f"directory inode {inode.number}"
        found = self._volume.directory(inode)
        if found.parent != parent:
            raise damaged(where, f"it lies in {parent}, and says that it lies in {found.parent}")
        names = typed(self._volume, found)
        below = [named.inode for named in names.values() if named.type == DIRECTORY]
        if self._volume.root in below or len(set(below)) < len(below):
            raise damaged(where, "it holds a directory that lies elsewhere too")
        return names

    def _named(self, path: bytes, named: Named) -> tuple[Entry, Inode | None]:
        try:
            inode = self._volume.inode(named.inode)
            if named.type not in (inode.type, UNKNOWN):
                raise damaged(
                    f"inode {named.inode}", f"it is a {inode.type}, its directory says {named.type}"
                )
        except ImageError as error:
            return Entry(path, "unknown", error=str(error)), None
        if inode.names > 1 and inode.type != DIRECTORY:
            return self._linked(path, inode), inode
        return self._described(path, inode), inode

    def _linked(self, path: bytes, inode: Inode) -> Entry:
        known = self._first.pop(inode.number, None)
        if known is None:
            entry, left = self._described(path, inode), inode.names
            first = entry
        else:
            first, left = known
            entry = first._replace(path=path, link=first.path)
        if left > 1:
            self._first[inode.number] = _First(first, left - 1)
        return entry

    def _described(self, path: bytes, inode: Inode) -> Entry:
        entry = attributes(path, inode)
        if self._times:
            entry = entry._replace(changed_at=inode.changed)
        try:
            if inode.type == FILE:
                entry = entry._replace(sha256=digest(self._volume, inode, self._budget))
            elif inode.type == SYMLINK:
                entry = entry._replace(target=self._volume.target(inode))
            if self._xattrs:
                entry = entry._replace(xattrs=xattr_digest(self._volume.attributes(inode)))
        except ImageError as error:
            return entry._replace(sha256="", target=b"", error=str(error))
        return entry


def attributes(path: bytes, inode: Inode) -> Entry:
    """An entry of what the inode alone says."""
    size, allocated = (inode.size, inode.allocated) if inode.type == FILE else (0, 0)
    return Entry(
        path,
        inode.type,
        inode.mode,
        inode.uid,
        inode.gid,
        size,
        device=inode.device,
        allocated=allocated,
    )


def typed(volume: Volume, directory: Directory) -> Mapping[bytes, Named]:
    """The names with their types, which not every file system keeps in its directories."""
    if all(named.type != UNKNOWN for named in directory.names.values()):
        return directory.names
    return {
        name: Named(named.inode, _type(volume, named)) for name, named in directory.names.items()
    }


def _type(volume: Volume, named: Named) -> str:
    if named.type != UNKNOWN:
        return named.type
    try:
        return volume.inode(named.inode).type
    except ImageError:
        return UNKNOWN


def xattr_digest(found: Mapping[bytes, bytes]) -> str:
    """As `tree_reader` makes it; "" of none."""
    digest = hashlib.sha256()
    for name, value in sorted(found.items()):
        digest.update(b"%d %d " % (len(name), len(value)) + name + value)
    return digest.hexdigest() if found else ""
