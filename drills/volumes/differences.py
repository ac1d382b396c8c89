"""In what two entries of the same path differ."""

from typing import NamedTuple

from drills.volumes.allowances import Attribute
from drills.volumes.entry import FILE, LISTING, SYMLINK, Entry, shown

_SHOWN_DIGITS = 12


class Difference(NamedTuple):
    """One attribute, with both values in a few words; of content 12 digits of its sha256."""

    attribute: Attribute
    expected: str
    observed: str


def differences(expected: Entry, observed: Entry, xattrs: bool = False) -> list[Difference]:
    """Every attribute that differs, as far as both sides know it; gravest first.

    What the truth's reader could not see is compared with nothing; what the restored volume's
    reader could not see, and the truth holds, is a difference.
    """
    unseen = observed.error or observed.skipped
    found = []
    if unseen and not (expected.error or expected.skipped):
        found.append(Difference(Attribute.READABLE, "read", unseen))
    if _unknown(expected) or _unknown(observed):
        return found
    if expected.type != observed.type:
        return [*found, Difference(Attribute.TYPE, expected.type, observed.type)]
    return [*found, *_content(expected, observed), *_metadata(expected, observed, xattrs)]


def _unknown(entry: Entry) -> bool:
    return entry.type in ("unknown", LISTING)


def _content(expected: Entry, observed: Entry) -> list[Difference]:
    found = []
    if expected.type == FILE:
        if expected.sha256 and observed.sha256 and expected.sha256 != observed.sha256:
            digests = (one.sha256[:_SHOWN_DIGITS] for one in (expected, observed))
            found.append(Difference(Attribute.CONTENT, *digests))
        if expected.size != observed.size:
            found.append(
                Difference(Attribute.SIZE, f"{expected.size} bytes", f"{observed.size} bytes")
            )
    elif expected.type == SYMLINK and b"" not in (expected.target, observed.target):
        if expected.target != observed.target:
            targets = (shown(one.target) for one in (expected, observed))
            found.append(Difference(Attribute.TARGET, *targets))
    elif expected.device != observed.device:
        found.append(Difference(Attribute.DEVICE, expected.device, observed.device))
    return found


def _metadata(expected: Entry, observed: Entry, xattrs: bool) -> list[Difference]:
    pairs = [
        (Attribute.OWNER, str(expected.uid), str(observed.uid)),
        (Attribute.GROUP, str(expected.gid), str(observed.gid)),
        (Attribute.LINK, _group(expected), _group(observed)),
    ]
    # The mode of a link itself is 0777 on Linux and nothing else elsewhere that counts.
    if expected.type != SYMLINK:
        pairs.insert(0, (Attribute.MODE, f"{expected.mode:04o}", f"{observed.mode:04o}"))
    if xattrs:
        digests = [one.xattrs[:_SHOWN_DIGITS] or "none" for one in (expected, observed)]
        pairs.append((Attribute.XATTRS, digests[0], digests[1]))
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def _group(entry: Entry) -> str:
    return shown(entry.link) if entry.link else "first or only name"
