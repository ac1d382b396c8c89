"""What a lab could leave on the machine, read straight from the kernel."""

import os
import shutil
import subprocess
from pathlib import Path

from lab import cgroups

# Values that move by themselves on an idle machine.
RESTLESS = ("nf_conntrack_count", "random", "dev_weight", "tcp_fastopen_key")


def snapshot(instance: str) -> dict[str, set[str]]:
    """Links, namespaces, mounts, loops, processes, groups, firewall rules and network sysctls.

    What belongs to another lab is left out: others may come and go while this one is looked at.
    """
    mine = _link_of(instance)
    return {
        "links": {name for name in _names("/sys/class/net") if not _foreign(name, mine)},
        "namespaces": {name for name in _names("/run/netns") if name.startswith(instance)},
        "mounts": {point for point in _mount_points() if not point.startswith("/run/netns")},
        "loops": {
            line for line in _out("losetup", "--list", "-n", "-O", "BACK-FILE") if instance in line
        },
        "processes": _processes(instance),
        "groups": {
            str(top / cgroups.TOP / name)
            for top in cgroups.hierarchies()
            for name in _names(str(top / cgroups.TOP))
            if name.startswith(instance)
        },
        "nspawn": {name for name in _names("/run/systemd/nspawn/propagate") if instance in name},
        "firewall": set(_firewall()),
        "sysctls": _sysctls(mine),
    }


def _link_of(instance: str) -> str:
    from lab.instance import SPACE, Instance  # noqa: PLC0415  (only the name is wanted)

    return Instance(instance, Path("/"), SPACE).link


def _foreign(link: str, mine: str) -> bool:
    return link.startswith("bs-") and link != mine


def _names(folder: str) -> list[str]:
    return [path.name for path in Path(folder).iterdir()] if Path(folder).is_dir() else []


def _mount_points() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line.split()[4] for line in lines]


def _out(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def _firewall() -> list[str]:
    # Counters move with any traffic, so rules are listed without their state.
    return [*_out("nft", "--stateless", "list", "ruleset"), *_out("iptables-save")]


def _processes(instance: str) -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                groups = (entry / "cgroup").read_text(encoding="utf-8")
                line = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            except OSError:
                continue
            # What has ended waits for the machine's first process to collect it.
            if state == "Z":
                continue
            if f"backstop-lab/{instance}/" in groups or f"/{instance}/hosts/".encode() in line:
                found.add(f"{entry.name} {line!r}")
    return found


def _sysctls(mine: str) -> set[str]:
    found = set()
    # Links of other labs come and go meanwhile: os.walk passes over what has gone.
    files = [Path(folder, name) for folder, _, names in os.walk("/proc/sys/net") for name in names]
    for path in files:
        parts = path.relative_to("/proc/sys/net").parts
        if any(_foreign(part, mine) for part in parts) or any(w in path.name for w in RESTLESS):
            continue
        try:
            found.add(f"{path} {path.read_text(encoding='utf-8').strip()}")
        except OSError:
            continue  # one that can only be written, or of a link that has gone
    return found
