"""Collects the names in one directory, and trusts none of them."""

from drills.images.errors import damaged, unsupported
from drills.images.volume import LISTED, UNKNOWN, Directory, Named

MOST_NAMES = 4_000_000
"""In one directory: they are held in memory to be put in order."""
_HERE, _ABOVE = b".", b".."


class Names:
    """Of the directory with inode `number`. `typed`: its entries say what they name."""

    def __init__(self, number: int, typed: bool) -> None:
        self.where = f"directory inode {number}"
        self.parent: int | None = None
        self.typed = typed
        self._number = number
        self._names: dict[bytes, Named] = {}

    def add(self, name: bytes, inode: int, kind: int) -> None:
        """An entry, `.` and `..` included; `kind` as in `LISTED`. Raises ImageError."""
        if name == _HERE:
            if inode != self._number:
                raise damaged(self.where, "it takes another for itself")
        elif name == _ABOVE:
            self.parent = inode
        elif not name or b"/" in name or b"\0" in name:
            raise damaged(self.where, "it holds a name that cannot be one")
        elif name in self._names:
            raise damaged(self.where, "it holds a name twice")
        elif len(self._names) >= MOST_NAMES:
            raise unsupported(self.where, f"it holds more than {MOST_NAMES} names")
        else:
            listed = LISTED.get(kind, UNKNOWN) if self.typed else UNKNOWN
            self._names[name] = Named(inode, listed)

    def finished(self) -> Directory:
        """Raises ImageError."""
        if self.parent is None:
            raise damaged(self.where, "it does not say which directory it lies in")
        return Directory(self.parent, self._names)
