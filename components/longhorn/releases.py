"""Versions of Longhorn: which ones make backups that can be relied on, and what goes with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
# Older ones have other objects (v1beta1), other settings and another S3 client.
LEAST = (1, 10, 0)
# The first of each line that has none of the known faults of backups: signatures that stores
# refuse, uploads in parts, a retention that removes the newest system backup.
SOUND = {(1, 11): 3, (1, 12): 1}
NEWEST_KNOWN = max(SOUND)
# The line of the CSI snapshotter that Longhorn brings; CRDs and controller must be of it or newer.
SNAPSHOTTER = {(1, 10): (8, 4), (1, 11): (8, 6), (1, 12): (8, 6)}
KUBERNETES = (1, 25)
# The first chart that can leave its own StorageClass out.
WITHOUT_CLASS = (1, 12)


@dataclass(frozen=True)
class Version:
    """`pre`: "rc1" and its like, "" for a release."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    @property
    def line(self) -> tuple[int, int]:
        return (self.major, self.minor)

    @property
    def number(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-{self.pre}" if self.pre else "")


def parse(text: str) -> Version | None:
    """The version that a tag, a chart or a setting names; None for anything else."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    return Version(int(major), int(minor), int(patch), pre or "")


def install_fault(text: str) -> str | None:
    """Why this chart must not be installed anew, or None."""
    version = parse(text)
    if version is None:
        return f"{text} is no version of the chart; write one such as 1.12.1"
    if version.pre:
        return f"{version} is a pre-release, of which one emptied backup targets; give a release"
    least = SOUND.get(version.line, 0 if version.line > NEWEST_KNOWN else None)
    if least is None or version.patch < least:
        return f"{version} has known faults in its backups; give {_sound()} or later"
    return None


def _sound() -> str:
    return " or ".join(f"{major}.{minor}.{patch}" for (major, minor), patch in SOUND.items())


def seen_fault(text: str) -> str | None:
    """Why nothing can be declared for the Longhorn that runs, or None."""
    version = parse(text)
    if version is None:
        return f"says {text} of its version, which cannot be read; take a release"
    if version.number < LEAST:
        least = ".".join(map(str, LEAST))
        return f"is {version}, which has other objects than those of {least} and later; upgrade it"
    if version.pre:
        return f"is {version}, a pre-release, of which one emptied backup targets; take a release"
    return None


def seen_warning(text: str) -> str | None:
    """What is known to go wrong with backups of the Longhorn that runs, or None."""
    version = parse(text)
    if version is None or version.line > NEWEST_KNOWN:
        return None
    if version.patch >= SOUND.get(version.line, version.patch + 1):
        return None
    return f"is {version}, whose backups have known faults; upgrade to {_sound()} or later"


def upgrade_fault(running: str, wanted: str) -> str | None:
    """Why Longhorn cannot go from the version that runs to the one that is wanted, or None."""
    old, new = parse(running), parse(wanted)
    if old is None or new is None:
        return None
    if new.number < old.number:
        return f"{new} is older than the {old} that runs, and Longhorn goes no way back"
    if new.major == old.major and new.minor - old.minor > 1:
        return (
            f"{new} is {new.minor - old.minor} minor versions after the {old} that runs; go "
            f"through each, {old.major}.{old.minor + 1} first"
        )
    return None


def snapshotter_warning(longhorn: str, controllers: Iterator[str]) -> str | None:
    """A sentence if a snapshot controller is older than what Longhorn brings. `controllers`:
    images.
    """
    version = parse(longhorn)
    needed = None if version is None else SNAPSHOTTER.get(version.line)
    for image in controllers:
        found = parse(image.partition("@")[0].rpartition(":")[2])
        if needed and found and found.line < needed:
            return (
                f"the snapshot controller {image} is older than the snapshotter of Longhorn "
                f"{version}; take v{needed[0]}.{needed[1]} or later"
            )
    return None
