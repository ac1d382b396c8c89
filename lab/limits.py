"""Limits of the machine that all labs on it share."""

import os
from contextlib import suppress
from pathlib import Path

INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
# Measured: what the processes of a node with a few pods hold.
NODE_NEEDS = 30


def inotify_in_use(proc: Path = Path("/proc")) -> int:
    """How many inotify instances this user's processes hold, those of all hosts included."""
    own = os.geteuid()
    return sum(
        _instances(folder / "fd")
        for folder in proc.iterdir()
        if folder.name.isdigit() and _owner(folder) == own
    )


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None


def _instances(folder: Path) -> int:
    found = 0
    # Processes and their files come and go meanwhile.
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208  (names are enough, and this is a hot loop)
            with suppress(OSError):
                found += os.readlink(folder / name) == "anon_inode:inotify"  # noqa: PTH115
    return found


def inotify_warning(used: int, allowed: int) -> str | None:
    """A sentence when there are too few left for one more node, None when there are enough."""
    if allowed - used >= NODE_NEEDS:
        return None
    return (
        f"this machine allows each user {allowed} inotify instances, {used} are in use and a "
        f"node needs about {NODE_NEEDS}: take another lab down, or raise "
        "fs.inotify.max_user_instances"
    )


def node_warning() -> str | None:
    """The sentence for this machine as it is now."""
    return inotify_warning(inotify_in_use(), int(INSTANCES.read_text(encoding="utf-8")))
