"""A host as a running machine: systemd in systemd-nspawn, started, found and stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab import cgroups
from lab.errors import LabError
from lab.hosts import HostSpec
from lab.instance import Instance
from lab.network import NETNS
from lab.rootfs import drive_image

STOP_SECONDS = 25.0
# What the kernel features of a Kubernetes node need on top of nspawn's own list.
SYSTEM_CALLS = "@keyring bpf @module mount perf_event_open"
# A Kubernetes node wants them; not every machine has them.
DEVICES = ("/dev/kmsg", "/dev/fuse")

# Arguments: control group folders, "--", pairs of image and mount point, "--", the command.
# Drives are mounted in the machine's private mount namespace, so no mount and no loop device
# outlives it and none is seen outside.
LAUNCH = """
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift
while [ "$1" != -- ]; do mount -o loop,noatime "$1" "$2"; shift 2; done; shift
exec "$@"
"""


def group(lab: Instance, host: HostSpec) -> str:
    """The host's control group, below the lab's top group."""
    return f"{lab.name}/{host.name}"


def machine_name(lab: Instance, host: HostSpec) -> str:
    """The name nspawn knows the host by."""
    return f"{lab.name}-{host.name}"


def nspawn_command(lab: Instance, host: HostSpec, options: Sequence[str] = ()) -> list[str]:
    """The command that boots the host, with further `options` of nspawn."""
    folder = lab.host_folder(host)
    drives = [f"--bind={folder / 'drives' / drive.name}:{drive.mount}" for drive in host.drives]
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={folder / 'root'}",
        f"--machine={machine_name(lab, host)}",
        f"--hostname={host.name}",
        # No systemd-machined and no unit: the machine may not run systemd itself.
        "--register=no",
        "--keep-unit",
        f"--network-namespace-path={NETNS / lab.namespace(host)}",
        "--capability=all",
        f"--system-call-filter={SYSTEM_CALLS}",
        *(f"--bind={device}" for device in DEVICES if Path(device).exists()),
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        *drives,
        *options,
    ]


def start(lab: Instance, host: HostSpec, options: Sequence[str] = ()) -> None:
    """Boots the host; it outlives this process and its terminal."""
    folder = lab.host_folder(host)
    groups = [str(path) for path in cgroups.make(group(lab, host))]
    pairs = [
        part
        for drive in host.drives
        for part in (str(drive_image(folder, drive)), str(folder / "drives" / drive.name))
    ]
    launch = ["/bin/sh", "-euc", LAUNCH, "launch", *groups, "--", *pairs, "--"]
    private = ["unshare", "--mount", "--propagation", "private", "--"]
    with (folder / "console.log").open("wb") as console:
        launched = subprocess.Popen(
            [*private, *launch, *nspawn_command(lab, host, options)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    _wait_started(lab, host, launched)


def _wait_started(
    lab: Instance, host: HostSpec, launched: "subprocess.Popen[bytes]", seconds: float = 15.0
) -> None:
    deadline = time.monotonic() + seconds
    while leader(lab, host) is None:
        if launched.poll() is not None or time.monotonic() > deadline:
            log = lab.host_folder(host) / "console.log"
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = said[-1] if said else "it said nothing"
            raise LabError(f"{host.name} did not start ({reason}): its console is in {log}")
        time.sleep(0.05)


def leader(lab: Instance, host: HostSpec) -> int | None:
    """The id of the systemd-nspawn that runs this host from this folder, or None."""
    wanted = f"--directory={lab.host_folder(host) / 'root'}"
    for process in cgroups.processes(group(lab, host)):
        arguments = _arguments(process)
        if arguments and Path(arguments[0]).name == "systemd-nspawn" and wanted in arguments:
            return process
    return None


def runs_with(lab: Instance, host: HostSpec, options: Sequence[str]) -> bool:
    """Whether the host runs and was started with all of these options of nspawn."""
    process = leader(lab, host)
    return process is not None and set(options) <= set(_arguments(process))


def state(lab: Instance, host: HostSpec) -> str:
    """running, stopped, or broken: processes without their nspawn, or in a dead network."""
    remaining = cgroups.processes(group(lab, host))
    if not remaining:
        return "stopped"
    if leader(lab, host) is None or not _in_its_namespace(lab, host, remaining):
        return "broken"
    return "running"


def _in_its_namespace(lab: Instance, host: HostSpec, processes: set[int]) -> bool:
    """Whether the host's first process is in the network namespace that now has the name."""
    named = NETNS / lab.namespace(host)
    if not named.exists():
        return False
    for process in processes:
        status = _read(f"/proc/{process}/status")
        inner = next((line for line in status.splitlines() if line.startswith("NSpid:")), "")
        # NSpid lists the id in each nested namespace: the machine's first process is 1 inside.
        if inner.split()[1:] == [str(process), "1"]:
            own = Path(f"/proc/{process}/ns/net")
            return own.exists() and own.stat().st_ino == named.stat().st_ino
    return False


def uptime(process: int) -> float:
    """Seconds since the process was started."""
    fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
    ticks = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return float(_read("/proc/uptime").split()[0]) - ticks


def shut_down(lab: Instance, host: HostSpec) -> None:
    """An orderly poweroff, bounded in time; whatever is left then is ended."""
    process = leader(lab, host)
    if process is not None:
        # nspawn passes it on as the poweroff request of the machine's first process.
        os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while cgroups.processes(group(lab, host)) and time.monotonic() < deadline:
            time.sleep(0.1)
    cgroups.end(group(lab, host))


def _arguments(process: int) -> list[str]:
    return _read(f"/proc/{process}/cmdline").split("\0")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
