"""Longhorn's URLs: of a backup target, `s3://BUCKET@REGION/PREFIX/`, and of one backup in it.

Source: longhorn/backupstore s3/s3.go (initFunc), backupstore.go (DecodeBackupURL).
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import is_name

MOST_CHARACTERS = 2048
_OTHER_SCHEMES = frozenset({"nfs", "cifs", "azblob"})
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]*")
# Longhorn's webhook refuses "$" and "," in a path.
_NOT_IN_PREFIX = frozenset("$,\\")
_SHAPE = "give it as s3://BUCKET@REGION/PREFIX/"


@dataclass(frozen=True)
class Target:
    """A backup target on S3. prefix: "", or ends with "/" and starts without one."""

    bucket: str
    region: str
    prefix: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}@{self.region}/{quote(self.prefix)}"

    def backup_url(self, volume: str, backup: str) -> str:
        """The URL by which Longhorn names a backup."""
        return f"{self.url}?backup={backup}&volume={volume}"


def parse_target(text: str) -> Target:
    """The target a URL names. Raises BackupStoreError: URL, or UNSUPPORTED for another scheme."""
    parts = _split(text)
    if parts.query:
        raise _fault(text, f"it names more than a backup target; {_SHAPE}")
    return _target(text, parts)


def parse_backup_url(text: str) -> tuple[Target, str, str]:
    """The target, volume and backup that a backup's URL names.

    Raises BackupStoreError: URL, NAME, or UNSUPPORTED for another scheme.
    """
    # Go's JSON, out of which such URLs are copied, spells "&" so.
    parts = _split(text.replace("\\u0026", "&"))
    try:
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        query = []
    named = dict(query)
    if len(query) != len(named) or set(named) != {"backup", "volume"}:
        raise _fault(
            text, "it names no backup; give it as s3://BUCKET@REGION/PREFIX/?backup=..&volume=.."
        )
    for word, name in named.items():
        if not is_name(name):
            raise BackupStoreError(
                Fault.NAME, text, f"its {word} has no name that Longhorn gives; copy the URL anew"
            )
    return _target(text, parts), named["volume"], named["backup"]


def _split(text: str) -> SplitResult:
    if len(text) > MOST_CHARACTERS or not text.isprintable() or not text.isascii():
        raise _fault(text, f"it is no URL of a backup target; {_SHAPE}")
    try:
        return urlsplit(text)
    except ValueError:
        raise _fault(text, f"it is no URL; {_SHAPE}") from None


def _target(text: str, parts: SplitResult) -> Target:
    if parts.scheme in _OTHER_SCHEMES:
        raise BackupStoreError(
            Fault.UNSUPPORTED, text, f"{parts.scheme} targets are read from where they are mounted"
        )
    bucket, _, region = parts.netloc.partition("@")
    if parts.scheme != "s3" or not _BUCKET.fullmatch(bucket) or parts.fragment:
        raise _fault(text, f"it names no bucket on S3; {_SHAPE}")
    if not _REGION.fullmatch(region):
        raise _fault(text, f"it names no region; {_SHAPE}")
    if not parts.path:
        raise _fault(text, "it has no path, which Longhorn refuses; end it with /")
    return Target(bucket, region, _prefix(text, parts.path))


def _prefix(text: str, path: str) -> str:
    """As Longhorn's filepath.Join leaves it; what leads elsewhere is refused."""
    try:
        plain = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise _fault(text, "its path is not UTF-8; use plain letters") from None
    segments = [segment for segment in plain.split("/") if segment]
    if (
        not plain.isprintable()
        or not _NOT_IN_PREFIX.isdisjoint(plain)
        or not {".", ".."}.isdisjoint(segments)
    ):
        raise _fault(text, "its path holds characters that no prefix has; use plain letters")
    return "".join(f"{segment}/" for segment in segments)


def _fault(text: str, detail: str) -> BackupStoreError:
    return BackupStoreError(Fault.URL, text, detail)
