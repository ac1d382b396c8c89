"""What the hosts of an instance are doing."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab import machine, rootfs, ssh
from lab.hosts import HOSTS, HostSpec
from lab.instance import Instance


@dataclass(frozen=True)
class HostStatus:
    """One host.

    `uptime` in whole seconds (None when stopped); `ssh` is running, degraded, another systemd
    state, or refused; `drives` maps a mount point to the share of it in use, in per cent.
    """

    name: str
    state: str
    address: str
    uptime: int | None
    ssh: str
    drives: dict[str, int]


def of(lab: Instance) -> list[HostStatus]:
    """The hosts that were made, in the table's order."""
    return [_of(lab, host) for host in HOSTS.values() if rootfs.exists(lab, host)]


def _of(lab: Instance, host: HostSpec) -> HostStatus:
    state = machine.state(lab, host)
    leader = machine.leader(lab, host)
    up = int(machine.uptime(leader)) if leader is not None else None
    answer = "-"
    drives: dict[str, int] = {}
    if state == "running":
        question = ssh.ask(lab, host, ["systemctl", "is-system-running"])
        answer = question.stdout.strip() or "refused"
        drives = _drives(lab, host) if question.stdout.strip() else {}
    return HostStatus(host.name, state, str(lab.address(host)), up, answer, drives)


def _drives(lab: Instance, host: HostSpec) -> dict[str, int]:
    mounts = [drive.mount for drive in host.drives]
    if not mounts:
        return {}
    answer = ssh.ask(lab, host, ["findmnt", "--noheadings", "--raw", "-o", "TARGET,USE%"])
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {row[0]: int(row[1].rstrip("%")) for row in rows if len(row) > 1 and row[0] in mounts}


def table(lab: Instance, hosts: list[HostStatus], cluster: Mapping[str, str] | None = None) -> str:
    """The statuses as aligned text; `cluster` maps each of its parts to what it says."""
    rows = [("host", "state", "address", "uptime", "ssh", "drives")]
    for host in hosts:
        drives = ", ".join(f"{mount} {used} %" for mount, used in host.drives.items()) or "-"
        up = "-" if host.uptime is None else _duration(host.uptime)
        rows.append((host.name, host.state, host.address, up, host.ssh, drives))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([f"lab {lab.name}, {lab.network}", *lines, *_cluster_lines(cluster)])


def _cluster_lines(cluster: Mapping[str, str] | None) -> list[str]:
    if cluster is None:
        return []
    width = max(len(name) for name in cluster)
    return ["cluster", *(f"  {name.ljust(width)}  {said}" for name, said in cluster.items())]


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
