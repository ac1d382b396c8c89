"""What one generation of the canary holds, as data of the writer's config (see `writer`)."""

import base64
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

Content = Mapping[str, Any]


class Method(StrEnum):
    """How a volume's data gets into a backup."""

    FILE_SYSTEM = "file-system"
    SNAPSHOT = "snapshot"
    DATA_MOVER = "data-mover"


NOT_UTF8 = b"caf\xe9"

_PLAIN: tuple[Content, ...] = (
    {"name": "empty", "kind": "file", "size": 0},
    {"name": "one-byte", "kind": "file", "size": 1, "mode": "0600"},
    {"name": "folder", "kind": "directory", "mode": "0750"},
    {"name": "folder/page", "kind": "file", "size": 4096, "mode": "0444"},
    {"name": "folder/mebibyte", "kind": "file", "size": 1 << 20},
    {"name": "folder/grün and spaces", "kind": "file", "size": 100},
    {"name": "sparse", "kind": "sparse", "size": 8 << 20},
    {"name": "symlink", "kind": "symlink", "target": "folder/page"},
    {"name": "symlink to nothing", "kind": "symlink", "target": "../no such place"},
)
# Only root may give files to others.
_OWNERS: tuple[Content, ...] = (
    {"name": "of-another-user", "kind": "file", "size": 10, "uid": 1234, "gid": 2345},
    {"name": "set-user-id", "kind": "file", "size": 10, "mode": "4755"},
)
_BEYOND_KOPIA: tuple[Content, ...] = (
    {"name": "hard-link", "kind": "link", "of": "folder/page"},
    {"name64": base64.b64encode(NOT_UTF8).decode(), "kind": "file", "size": 10},
)


def contents(method: Method, as_root: bool) -> tuple[Content, ...]:
    """A generation for a volume that is backed up by `method`.

    What kopia is known not to keep (https://github.com/kopia/kopia/issues/1764, and hard links, of
    which it restores each name as a file of its own) is written to snapshots only: it would make
    every drill red and prove nothing new.
    """
    owners = _OWNERS if as_root else ()
    beyond = _BEYOND_KOPIA if method is Method.SNAPSHOT else ()
    return (*_PLAIN, *owners, *beyond)
