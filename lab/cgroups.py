"""Each host's processes live in a control group named after the host: that is how the lab knows
which processes are its own, whatever was killed or restarted in between.

Groups are named backstop-lab/<instance>/<host> in every mounted hierarchy (version 1 or 2).
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError

TOP = "backstop-lab"
END_SECONDS = 20.0
UNESCAPED_SPACE = "\\040"


def mounts(mountinfo: str) -> list[tuple[str, str]]:
    """(mount point, type) of each line of /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        found.append((before.split()[4].replace(UNESCAPED_SPACE, " "), after.split()[0]))
    return found


def machine_mounts() -> list[tuple[str, str]]:
    return mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))


def hierarchies() -> list[Path]:
    """Where this machine's control group hierarchies are mounted."""
    return [Path(point) for point, kind in machine_mounts() if kind in {"cgroup", "cgroup2"}]


def make(group: str) -> list[Path]:
    """The folders of `group` (such as lab-1a2b3c/store1) in every hierarchy, made if need be."""
    made = []
    for top in hierarchies():
        path = top
        for part in (TOP, *group.split("/")):
            _hand_down(path)
            path = path / part
            path.mkdir(exist_ok=True)
        _inherit_cpuset(path)
        made.append(path)
    return made


def _hand_down(path: Path) -> None:
    """Version 1: a cpuset starts empty. Version 2: children get the controllers we pass on."""
    _inherit_cpuset(path)
    controllers = path / "cgroup.controllers"
    if not controllers.exists():
        return
    for name in controllers.read_text().split():
        # A controller that is in use by a process of this very group cannot be passed on; the
        # host then runs without it, as it does on a machine that lacks it.
        with contextlib.suppress(OSError):
            (path / "cgroup.subtree_control").write_text(f"+{name}")


def _inherit_cpuset(path: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        own, above = path / name, path.parent / name
        if own.exists() and above.exists() and (path / "notify_on_release").exists():
            value = own.read_text().strip()
            if not value:
                own.write_text(above.read_text())


def processes(group: str) -> set[int]:
    """The ids of all processes in `group` and below it, in any hierarchy."""
    found: set[int] = set()
    for top in hierarchies():
        # A group may vanish, or be of a threaded kind, while it is read: os.walk passes over one
        # that has gone, where Path.rglob raises.
        for folder, _, _ in os.walk(top / TOP / group):
            with contextlib.suppress(OSError):
                listing = Path(folder, "cgroup.procs").read_text()
                found.update(int(line) for line in listing.split())
    return found


def end(group: str, seconds: float = END_SECONDS) -> None:
    """Ends every process of `group` with SIGKILL and removes the group.

    Raises LabError when some are still there after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while remaining := processes(group):
        if time.monotonic() > deadline:
            raise LabError(
                f"processes {sorted(remaining)} of {group} did not end in {seconds:.0f} s: "
                "see what they wait for, then run the command again"
            )
        for process in remaining:
            _kill(process, group)
        time.sleep(0.05)
    remove(group)


def _kill(process: int, group: str) -> None:
    """SIGKILL to a process, if it is still the one that is in the group."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        # The handle is taken before the check, so the id cannot have passed to another process.
        memberships = Path(f"/proc/{process}/cgroup").read_text(encoding="utf-8")
        if f"/{TOP}/{group}" in memberships:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        pass  # it ended by itself
    finally:
        os.close(handle)


def remove(group: str, seconds: float = 5.0) -> None:
    """Removes the empty group, and the groups above it that are empty too."""
    deadline = time.monotonic() + seconds
    for top in hierarchies():
        base = top / TOP
        while not _remove_tree(base / group):
            if time.monotonic() > deadline:
                raise LabError(f"the control group {base / group} cannot be removed: it is in use")
            time.sleep(0.05)
        for above in _above(base, group):
            with contextlib.suppress(OSError):  # another host or another lab is in it
                above.rmdir()


def _above(base: Path, group: str) -> Iterable[Path]:
    parts = group.split("/")[:-1]
    return [base.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _remove_tree(path: Path) -> bool:
    if not path.exists():
        return True
    folders = [folder for folder, _, _ in os.walk(path, topdown=False)]
    try:
        for folder in folders:
            Path(folder).rmdir()
    except FileNotFoundError:
        return _remove_tree(path)
    except OSError:
        return False
    return True
