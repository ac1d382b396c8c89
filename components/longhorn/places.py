"""Where a backup target lies: `s3://BUCKET@REGION/PREFIX/`, the form Longhorn reads.

Longhorn compares the URLs of two targets as they are written, so that `/a` and `/a/` would pass for
two places. Here every URL is brought to one form first: one slash at the end, none doubled.
"""

import re
from dataclasses import dataclass

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_REGION = r"[A-Za-z0-9][A-Za-z0-9-]*"
# Longhorn's webhook refuses $ and a comma; a query's signs would end in the URL of a backup.
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_URL = re.compile(rf"s3://(?P<bucket>{_BUCKET})@(?P<region>{_REGION})(?P<path>/.*)?")
FORM = "s3://BUCKET@REGION/FOLDER/"


@dataclass(frozen=True)
class Place:
    """`prefix`: "" for the whole bucket, else folders with one slash at the end."""

    bucket: str
    region: str
    prefix: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}@{self.region}/{self.prefix}"

    def meets(self, other: "Place") -> bool:
        """Whether one lies in the other: both would list, and delete, what the other one wrote.

        The region is left out: with another spelling of it the bucket is the same. The case is,
        too, as in Longhorn's own comparison.
        """
        if self.bucket != other.bucket:
            return False
        mine, theirs = self.prefix.lower(), other.prefix.lower()
        return mine.startswith(theirs) or theirs.startswith(mine)


def folder(text: str) -> str:
    """A prefix in its one form. "" and "/" are the whole bucket.

    Raises:
        ValueError: one sentence.
    """
    parts = [part for part in text.split("/") if part]
    for part in parts:
        if not _FOLDER.fullmatch(part):
            raise ValueError(
                f"{part!r} is no folder that every part of Longhorn can read; use letters, digits, "
                "hyphens, dots and underscores"
            )
    return "".join(f"{part}/" for part in parts)


def parse(text: str) -> Place:
    """The place that a URL names, however its slashes are written.

    Raises:
        ValueError: one sentence.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no place in an S3 store; write {FORM}, with the store's region, which "
            "Longhorn needs for every signature"
        )
    return Place(found["bucket"], found["region"], folder(found["path"] or ""))


def same(one: str, other: str) -> bool:
    """Whether two URLs are one place. A URL that cannot be read is only the same as itself."""
    try:
        return parse(one) == parse(other)
    except ValueError:
        return one == other
