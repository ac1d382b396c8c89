"""One entry of a digest tree, as `tree_reader` prints it."""

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

from drills.volumes import tree_reader

FILE = "file"
DIRECTORY = "directory"
SYMLINK = "symlink"
LISTING = "listing"
"""Not a thing on the volume: that the content of the directory before it could not be read."""

TYPES = frozenset({FILE, DIRECTORY, SYMLINK, LISTING, "fifo", "socket", "device", "unknown"})
_WITHOUT_ATTRIBUTES = frozenset({LISTING, "unknown"})
_NAMES = frozenset({"path", "path64", "target", "target64", "link", "link64"})
_NUMBERS = frozenset({"mode", "uid", "gid", "size", "allocated", "changedAt"})
_DIGESTS = frozenset({"sha256", "xattrs", "xattrDigest"})
_KEYS = _NAMES | _NUMBERS | _DIGESTS | {"type", "device", "error", "skipped"}
_SHA256_DIGITS = 64
_HIGHEST_MODE = 0o7777
_SHOWN_BYTES = 200


class Entry(NamedTuple):
    """One entry. `path` is relative to the volume's root, which itself is b"".

    `size`, `sha256` (64 hex digits) and `allocated` (bytes on disk) are a file's; `target` a
    symlink's; `device` a device's. `link` is the first path of the same inode, b"" on that first
    one. `xattrs` is a digest of names and values. With `error` (what kept the reader from knowing)
    or `skipped` (why it did not look) a file has no digest. `changed_at`: when content, attributes
    or, of a directory, names in it last changed, in ns since 1970; 0 where nobody asked.
    """

    path: bytes
    type: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    sha256: str = ""
    target: bytes = b""
    device: str = ""
    link: bytes = b""
    xattrs: str = ""
    error: str = ""
    skipped: str = ""
    allocated: int = 0
    changed_at: int = 0

    @property
    def sparse(self) -> bool:
        return self.type == FILE and self.allocated < self.size


def parse(raw: Mapping[str, Any]) -> Entry:
    """The entry of one line's JSON object.

    Raises ValueError, KeyError or TypeError for what no reader prints; `path_fault` is apart.
    """
    if not _KEYS.issuperset(raw):
        raise ValueError("a key that is not known")
    kind, error, skipped = (_text(raw.get(key, "")) for key in ("type", "error", "skipped"))
    if kind not in TYPES:
        raise ValueError("a type that is not known")
    path = _name(raw, "path")
    if path is None:
        raise KeyError("path")
    if kind in _WITHOUT_ATTRIBUTES:
        if not (error or skipped):
            raise ValueError("neither attributes nor a reason")
        return Entry(path, kind, error=error, skipped=skipped)
    is_file = kind == FILE
    return Entry(
        path,
        kind,
        _mode(raw["mode"]),
        _count(raw["uid"]),
        _count(raw["gid"]),
        _count(raw["size"]) if is_file else 0,
        "" if not is_file or error or skipped else _digest(raw["sha256"]),
        _needed(raw, "target") if kind == SYMLINK and not (error or skipped) else b"",
        _text(raw["device"]) if kind == "device" else "",
        _name(raw, "link") or b"",
        _digest(raw["xattrDigest"]) if "xattrDigest" in raw else "",
        error,
        skipped,
        _count(raw.get("allocated", raw["size"])) if is_file else 0,
        _count(raw.get("changedAt", 0)),
    )


def render(entry: Entry) -> dict[str, Any]:
    """The JSON object of an entry: what `parse` reads."""
    raw: dict[str, Any] = {**tree_reader.named("path", entry.path), "type": entry.type}
    if entry.type not in _WITHOUT_ATTRIBUTES:
        raw |= {"mode": f"{entry.mode:04o}", "uid": entry.uid, "gid": entry.gid}
    if entry.type == FILE:
        raw |= {"size": entry.size, "allocated": entry.allocated}
        raw |= {"sha256": entry.sha256} if entry.sha256 else {}
    if entry.type == SYMLINK:
        raw |= tree_reader.named("target", entry.target)
    if entry.link:
        raw |= tree_reader.named("link", entry.link)
    optional = {
        "device": entry.device,
        "xattrDigest": entry.xattrs,
        "error": entry.error,
        "skipped": entry.skipped,
        "changedAt": entry.changed_at,
    }
    return raw | {key: value for key, value in optional.items() if value}


def path_fault(entry: Entry) -> str:
    """What is wrong with the path of an entry, "" if nothing is.

    A path that leads out of the volume, or is written in two ways, is a trick or a fault of the
    reader; either way nothing may be concluded from it.
    """
    path = entry.path
    if entry.type == LISTING:
        if not path.endswith(b"/"):
            return "names no directory"
        path = path[:-1]
    if not path:
        return ""
    framed = b"/" + path + b"/"
    if b"//" in framed:
        return "is absolute or has an empty part"
    if b"/../" in framed or b"/./" in framed:
        return "has a part that is . or .."
    return "holds a zero byte" if b"\0" in path else ""


def shown(path: bytes) -> str:
    """A path for people: one line of printable characters, whatever the bytes are."""
    if not path:
        return "(root of the volume)"
    text = path.decode("utf-8", "backslashreplace")
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return plain if len(plain) <= _SHOWN_BYTES else f"{plain[:_SHOWN_BYTES]}…"


def _name(raw: Mapping[str, Any], key: str) -> bytes | None:
    if key in raw:
        return _text(raw[key]).encode()
    odd = raw.get(key + "64")
    return None if odd is None else base64.b64decode(odd, validate=True)


def _needed(raw: Mapping[str, Any], key: str) -> bytes:
    found = _name(raw, key)
    if found is None:
        raise KeyError(key)
    return found


def _count(value: object) -> int:
    # A bool is an int to Python and not to JSON.
    if type(value) is not int or value < 0:
        raise ValueError("no count")
    return value


def _mode(value: str) -> int:
    mode = int(value, 8)
    if not 0 <= mode <= _HIGHEST_MODE:
        raise ValueError("no mode")
    return mode


def _digest(value: object) -> str:
    text = _text(value)
    if len(text) != _SHA256_DIGITS or text.strip("0123456789abcdef"):
        raise ValueError("no sha256")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
