"""What may differ between a volume and its restored copy, as data, each with its reason.

What an allowance covers is no finding; the receipt names it with a count as not compared.
"""

from dataclasses import dataclass
from enum import StrEnum

from drills.volumes.entry import Entry


class Kind(StrEnum):
    """How an entry differs."""

    LOST = "lost"
    ADDED = "added"
    CHANGED = "changed"


class Attribute(StrEnum):
    """In what a changed entry differs. `readable`: the reader could not look at the restored one.

    `link` is the hard-link group, named by its first path.
    """

    READABLE = "readable"
    TYPE = "type"
    CONTENT = "content"
    SIZE = "size"
    TARGET = "target"
    DEVICE = "device"
    MODE = "mode"
    OWNER = "owner"
    GROUP = "group"
    LINK = "link"
    XATTRS = "xattrs"


EVERY_KIND = frozenset(Kind)
EVERY_ATTRIBUTE = frozenset(Attribute)


@dataclass(frozen=True)
class Allowance:
    """Differences that prove nothing, and `why` not, in words for the receipt.

    `path` None is every path; with `below`, what lies below the path too. `types` None is every
    type. `attributes` counts for changed entries only.
    """

    what: str
    why: str
    kinds: frozenset[Kind]
    path: bytes | None = None
    below: bool = False
    types: frozenset[str] | None = None
    attributes: frozenset[Attribute] = EVERY_ATTRIBUTE

    def covers(self, kind: Kind, entry: Entry) -> bool:
        """Whether it is about this entry; of a changed one, about its `attributes` only."""
        if kind not in self.kinds or (self.types is not None and entry.type not in self.types):
            return False
        if self.path is None or entry.path == self.path:
            return True
        return self.below and entry.path.startswith(self.path + b"/")


LOST_AND_FOUND = Allowance(
    "lost+found",
    "the directory belongs to a fresh ext4, not to its data",
    EVERY_KIND,
    b"lost+found",
    below=True,
)
FS_GROUP = Allowance(
    "mode and group of the root",
    "the kubelet sets them for a pod's fsGroup when it mounts the volume",
    frozenset({Kind.CHANGED}),
    b"",
    attributes=frozenset({Attribute.MODE, Attribute.GROUP}),
)
VELERO_DONE = Allowance(
    ".velero",
    "Velero notes there that a file-system restore has ended",
    frozenset({Kind.ADDED}),
    b".velero",
    below=True,
)
KOPIA_LINKS = Allowance(
    "hard links",
    "kopia restores every name of a file as a file of its own",
    frozenset({Kind.CHANGED}),
    attributes=frozenset({Attribute.LINK}),
)
KOPIA_SPECIAL_FILES = Allowance(
    "pipes, sockets and devices",
    "kopia leaves them out, and Velero has it say nothing about that",
    frozenset({Kind.LOST}),
    types=frozenset({"fifo", "socket", "device"}),
)

SNAPSHOT = (LOST_AND_FOUND, FS_GROUP)
"""A volume made of a snapshot: the same file system."""
DATA_MOVER = (LOST_AND_FOUND, FS_GROUP, KOPIA_LINKS, KOPIA_SPECIAL_FILES)
FILE_SYSTEM = (*DATA_MOVER, VELERO_DONE)
