"""Whether nodes are ready for Longhorn: pure rules on what was seen of them over SSH.

A finding is one sentence: the host, what was seen, what to do. A refusal is what a volume cannot be
attached or restored without; a warning is what will hurt one day.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.host_facts import MAXIMUM_CLOCK_SKEW_SECONDS
from components.longhorn import multipath
from components.longhorn.node_facts import KUBELET_PATH, NodeFacts

DATA_PATH = "/var/lib/longhorn"
KEY = "config backstop:longhorn.nodes"
FILE_SYSTEMS = ("ext4", "xfs")
# Longhorn puts no replica on a disk with less free (setting storage-minimal-available-percentage).
LEAST_FREE_PERCENT = 25
# Engine binaries, and room for a first small volume.
LEAST_FREE_KIB = 5 * 1024 * 1024
ADVISED_KERNEL = (5, 8)
# Mounts of volumes that several pods share fail on it.
BAD_KERNELS = ("6.5.6",)
_BASIC_TOOLS = ("bash", "curl", "findmnt", "grep", "awk", "blkid", "lsblk")
_THERE = ("loaded", "builtin", "loadable")


@dataclass(frozen=True)
class Needs:
    """What the site's Longhorn asks of its nodes. `hosts`: names of backstop:hosts.

    `encrypted`: volumes are, or are to be. `shared`: several pods write to one volume, or a backup
    target is an NFS share. `runs`: Longhorn is there already, so that no finding stops the program:
    what it changes depends on none, and a site must not be kept from putting its backups right.
    """

    hosts: tuple[str, ...] = ()
    data_path: str = DATA_PATH
    encrypted: bool = False
    shared: bool = False
    runs: bool = False


@dataclass(frozen=True)
class Finding:
    """`refuses`: the program must not begin."""

    text: str
    refuses: bool = True


Rule = Callable[[NodeFacts, Needs], Iterator[Finding]]


def judge(facts: Mapping[str, NodeFacts], needs: Needs, now: float) -> list[Finding]:
    """Every finding on every node, by host. `now`: Unix seconds of this machine."""
    found = []
    for host, one in facts.items():
        for finding in (*_clock(one, now), *(item for rule in RULES for item in rule(one, needs))):
            refuses = finding.refuses and not needs.runs
            found.append(Finding(f"host {host}: {finding.text}", refuses))
    return found


def unchecked(needs: Needs) -> str | None:
    """What to say of nodes that nobody looks at; None if some are looked at."""
    if needs.hosts:
        return None
    return (
        f"{KEY} names no host, so nobody looks whether the nodes are ready for Longhorn (open-iscsi"
        ", multipathd, disk, …); name those of backstop:hosts that are nodes"
    )


def _access(facts: NodeFacts, _needs: Needs) -> Iterator[Finding]:
    if facts.uid != 0:
        yield Finding("the SSH user is not root and has no passwordless sudo; give it either")


def _tools(facts: NodeFacts, _needs: Needs) -> Iterator[Finding]:
    lacking = [tool for tool in _BASIC_TOOLS if tool in facts.missing]
    if lacking:
        yield Finding(
            f"lacks {', '.join(lacking)}, which Longhorn calls on the host; install the packages "
            "that hold them"
        )
    if "dmsetup" in facts.missing:
        yield Finding(f"lacks dmsetup; install {_package(facts, 'dmsetup')}")


def _iscsi(facts: NodeFacts, _needs: Needs) -> Iterator[Finding]:
    if "iscsiadm" in facts.missing:
        yield Finding(
            "has no iscsiadm, so no volume can be attached; install "
            f"{_package(facts, 'iscsiadm')} and enable iscsid"
        )
        return
    masked = [name for name, unit in facts.units.items() if unit.load == "masked"]
    if not (
        facts.active("iscsid.service")
        or facts.active("iscsid.socket")
        or "iscsid" in facts.processes
    ):
        how = "systemctl enable --now iscsid"
        if "iscsid.service" in masked:
            how = f"systemctl unmask iscsid.service iscsid.socket && {how}"
        yield Finding(f"iscsid does not run, so no volume can be attached; `{how}`")
    if not facts.initiator:
        yield Finding(
            "/etc/iscsi/initiatorname.iscsi names no initiator, so iscsid logs in nowhere; `echo "
            "InitiatorName=$(iscsi-iname) > /etc/iscsi/initiatorname.iscsi` and restart iscsid"
        )


def _iscsi_module(facts: NodeFacts, _needs: Needs) -> Iterator[Finding]:
    state = facts.modules.get("iscsi_tcp", "unknown")
    if state == "absent":
        yield Finding(
            f"the kernel {facts.kernel} has no module iscsi_tcp, so no volume can be attached; "
            "install the kernel's full package (SUSE: kernel-default, Ubuntu: linux-modules-extra)"
        )
    elif state == "forbidden":
        yield Finding(
            "module iscsi_tcp is forbidden in /etc/modprobe.d (install … /bin/false), so no volume "
            "can be attached; take that line out"
        )
    elif state in ("loadable", "unknown"):
        yield Finding(
            "module iscsi_tcp is not loaded, and iscsid may start before it after a reboot; `echo "
            "iscsi_tcp > /etc/modules-load.d/longhorn.conf && modprobe iscsi_tcp`",
            refuses=False,
        )


def _encryption(facts: NodeFacts, needs: Needs) -> Iterator[Finding]:
    if "cryptsetup" in facts.missing:
        told = "encrypted volumes cannot be opened" if needs.encrypted else (
            "Longhorn calls the node unready and encrypted volumes could not be opened"
        )  # fmt: skip
        yield Finding(f"lacks cryptsetup, so {told}; install cryptsetup", refuses=needs.encrypted)
    state = facts.modules.get("dm_crypt", "unknown")
    if needs.encrypted and state not in (*_THERE, "unknown"):
        yield Finding(
            f"module dm_crypt is {state}, so encrypted volumes cannot be opened; install the "
            "kernel's full package, and allow it in /etc/modprobe.d"
        )


def _nfs(facts: NodeFacts, needs: Needs) -> Iterator[Finding]:
    """Volumes that several pods share are mounted by NFS 4.1 from a pod, targets on NFS too."""

    def finding(text: str) -> Finding:
        return Finding(f"{text} (for volumes shared by pods, and targets on NFS)", needs.shared)

    if "mount.nfs" in facts.missing:
        yield finding(f"has no NFS client; install {_package(facts, 'mount.nfs')}")
        return
    if facts.kernel_config is not None and not facts.kernel_config:
        yield finding(
            f"the kernel {facts.kernel} is built without NFS 4.1 and 4.2; take one that has them"
        )
    elif facts.modules.get("nfsv4", "unknown") in ("absent", "forbidden"):
        yield finding(
            f"module nfsv4 is {facts.modules['nfsv4']}; install the kernel's full package, and "
            "allow it in /etc/modprobe.d"
        )
    if facts.nfs_default and not re.fullmatch(r"4(\.[0-2])?", facts.nfs_default):
        yield finding(
            f"/etc/nfsmount.conf makes NFS {facts.nfs_default} the default; set Defaultvers=4.2, "
            "or take the line out"
        )


def _multipath(facts: NodeFacts, _needs: Needs) -> Iterator[Finding]:
    runs = (
        facts.active("multipathd.service")
        or facts.active("multipathd.socket")
        or "multipathd" in facts.processes
    )
    if runs and not multipath.leaves_alone(facts.multipath):
        yield Finding(
            "multipathd runs and takes the devices of Longhorn's volumes, which then cannot be "
            "mounted; disable it (systemctl disable --now multipathd.socket multipathd), or where "
            f"real multipath disks need it write `{multipath.WANTED}`, or a blacklist of the "
            f'device with vendor "{multipath.VENDOR}", to /etc/multipath/conf.d/longhorn.conf and '
            "restart it"
        )


def _mounts(facts: NodeFacts, needs: Needs) -> Iterator[Finding]:
    for path in (KUBELET_PATH, needs.data_path):
        seen = facts.propagation.get(path, "")
        if seen and "shared" not in seen.split(","):
            yield Finding(
                f"the mount below {path} has the propagation {seen}, so what Longhorn mounts in a "
                "pod never reaches the host; `mount --make-rshared /`, and for the next boot too"
            )


def _data(facts: NodeFacts, needs: Needs) -> Iterator[Finding]:
    path = needs.data_path
    if facts.data_fs and facts.data_fs not in FILE_SYSTEMS:
        yield Finding(
            f"{path} lies on {facts.data_fs}, and Longhorn needs extents of ext4 or xfs; mount a "
            "disk of such a file system there"
        )
    if "ro" in facts.data_options:
        yield Finding(f"{path} is mounted read-only; look at the disk, and mount it read-write")
    if facts.data_target == "/":
        yield Finding(
            f"{path} lies on the root file system, so full volumes stop the node, and its images "
            "and logs stop the volumes; mount a disk of its own there",
            refuses=False,
        )
    if facts.data_space is None or not facts.data_space[0]:
        return
    size, free = facts.data_space
    if free < LEAST_FREE_KIB:
        yield Finding(
            f"{path} has {free // 1024} MiB free and needs {LEAST_FREE_KIB // 1024} MiB at least; "
            "make room there"
        )
    elif free * 100 < size * LEAST_FREE_PERCENT:
        yield Finding(
            f"{path} has {free * 100 // size} % free, and Longhorn puts no replica on a disk with "
            f"less than {LEAST_FREE_PERCENT} %; make room there, or add a disk",
            refuses=False,
        )


def _kernel(facts: NodeFacts, needs: Needs) -> Iterator[Finding]:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", facts.kernel)
    if found is None:
        return
    if found[0] in BAD_KERNELS:
        yield Finding(
            f"the kernel {facts.kernel} is known to fail on volumes shared by pods; take another",
            needs.shared,
        )
    if (int(found[1]), int(found[2])) < ADVISED_KERNEL:
        yield Finding(
            f"the kernel {facts.kernel} is older than Longhorn's advised "
            f"{ADVISED_KERNEL[0]}.{ADVISED_KERNEL[1]}; upgrade it",
            refuses=False,
        )


def _clock(facts: NodeFacts, now: float) -> Iterator[Finding]:
    skew = facts.clock - now
    if abs(skew) > MAXIMUM_CLOCK_SKEW_SECONDS:
        yield Finding(
            f"its clock is {skew:+.0f} s from this machine's, and the store refuses signatures and "
            "Longhorn's locks in it expire by the clock; synchronise both"
        )
    elif facts.synchronised == "no":
        yield Finding(
            "its clock is not synchronised, and Longhorn's locks in the store expire by the clock; "
            "enable chrony or systemd-timesyncd",
            refuses=False,
        )


def _selinux(facts: NodeFacts, _needs: Needs) -> Iterator[Finding]:
    if facts.selinux:
        yield Finding(
            "SELinux enforces, and some distributions need a policy module for Longhorn's iscsiadm;"
            " look for denials (ausearch -m avc -c iscsiadm) when a volume does not attach",
            refuses=False,
        )


RULES: tuple[Rule, ...] = (
    _access, _tools, _iscsi, _iscsi_module, _encryption, _nfs, _multipath, _mounts, _data, _kernel,
    _selinux,
)  # fmt: skip

_PACKAGES = {
    "iscsiadm": ("open-iscsi", "iscsi-initiator-utils"),
    "mount.nfs": ("nfs-common", "nfs-utils"),
    "dmsetup": ("dmsetup", "device-mapper"),
}
_NAMES_OF_SUSE = {"iscsiadm": "open-iscsi", "mount.nfs": "nfs-client", "dmsetup": "device-mapper"}


def _package(facts: NodeFacts, tool: str) -> str:
    """The package that holds a tool, as the node's distribution calls it."""
    debian, redhat = _PACKAGES[tool]
    if _is_like(facts.os, ("debian", "ubuntu")):
        return debian
    if _is_like(facts.os, ("suse", "opensuse", "sles")):
        return _NAMES_OF_SUSE[tool]
    if _is_like(facts.os, ("fedora", "rhel", "centos")):
        return redhat
    return f"{debian} (or {redhat})"


def _is_like(system: Iterable[str], names: tuple[str, ...]) -> bool:
    return any(one.startswith(names) for one in system)
