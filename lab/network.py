"""A lab's network: a switch in a namespace of its own, one namespace per host, one link out.

The bridge lives in its own network namespace, so no firewall rule and no sysctl of this machine
is in the hosts' way and none has to be changed: the machine gets one link with the gateway's
address, and everything else goes away with the namespaces.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from lab import instance as instances
from lab.errors import LabError
from lab.hosts import HostSpec
from lab.instance import Instance
from lab.run import attempt, run

NETNS = Path("/run/netns")
# `ip netns` mounts /run/netns when it makes the machine's first namespace; whoever takes the
# last one away and finds this file knows that the mount was not there before the labs were.
MADE_NETNS = Path("/run/backstop-lab/made-netns")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SWITCH_PORT = "uplink"
BRIDGE = "switch"
HOST_LINK = "host0"
LINK_SECONDS = 10.0


def routes(listing: str, without: str = "") -> list[IPv4Network]:
    """The destinations in `ip -json -4 route show table all`, except through link `without`."""
    found = []
    for route in json.loads(listing or "[]"):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") == without:
            continue
        found.append(IPv4Network(destination, strict=False))
    return found


def machine_routes(without: str = "") -> list[IPv4Network]:
    """Where this machine's routes lead."""
    return routes(run(["ip", "-json", "-4", "route", "show", "table", "all"]), without)


def check_free(lab: Instance) -> None:
    """Raises LabError when the machine routes the lab's range elsewhere by now."""
    for route in machine_routes(without=lab.link):
        # A lab's /24 inside a wider route (10.0.0.0/8 to an office, say) is still its own.
        if route.subnet_of(lab.network):
            raise LabError(
                f"the lab {lab.name} has {lab.network}, which this machine now uses for {route}: "
                "take the lab down (python3 -m lab down) and up again for another range"
            )


def hardware_address(owner: str) -> str:
    """Always the same one for the same owner: the neighbours' tables stay right when a link is
    made anew. Otherwise a host would be out of reach until their entries expire (half a minute).
    """
    digest = hashlib.sha256(owner.encode()).digest()
    # The first byte says: one station, address assigned locally.
    return ":".join(f"{part:02x}" for part in (0x02, *digest[:5]))


def ensure(lab: Instance, hosts: Iterable[HostSpec]) -> None:
    """Brings the switch and the hosts' namespaces to where they should be; changes no more."""
    _namespace(lab.switch)
    ports = _links(lab.switch)
    if BRIDGE not in ports:
        _in(lab.switch, "link", "add", "name", BRIDGE, "type", "bridge")
    _in(lab.switch, "link", "set", BRIDGE, "up")
    if SWITCH_PORT not in ports:
        _uplink(lab)
    _in(lab.switch, "link", "set", SWITCH_PORT, "master", BRIDGE, "up")
    run(["ip", "address", "replace", f"{lab.gateway}/24", "dev", lab.link])
    run(["ip", "link", "set", lab.link, "up"])
    for host in hosts:
        _host(lab, host)


def _uplink(lab: Instance) -> None:
    deadline = time.monotonic() + LINK_SECONDS
    pair = ["ip", "link", "add", "name", lab.link, "address", hardware_address(lab.name)]
    pair += ["type", "veth"]
    pair += ["peer", "name", SWITCH_PORT, "netns", lab.switch]
    # A pair whose other end died with its namespace lingers for a moment.
    attempt(["ip", "link", "delete", lab.link])
    while (answer := attempt(pair)).returncode != 0:
        if time.monotonic() > deadline:
            raise LabError(f"the link {lab.link} cannot be made: {answer.stderr.strip()}")
        time.sleep(0.2)


def _host(lab: Instance, host: HostSpec) -> None:
    inside = lab.namespace(host)
    _namespace(inside)
    if HOST_LINK not in _links(inside):
        if host.name in _links(lab.switch):
            _in(lab.switch, "link", "delete", host.name)
        pair = ["link", "add", "name", host.name, "type", "veth"]
        peer = ["peer", "name", HOST_LINK, "address", hardware_address(f"{lab.name} {host.name}")]
        _in(lab.switch, *pair, *peer, "netns", inside)
    _in(lab.switch, "link", "set", host.name, "master", BRIDGE, "up")
    _in(inside, "address", "replace", f"{lab.address(host)}/24", "dev", HOST_LINK)
    _in(inside, "link", "set", HOST_LINK, "up")
    _in(inside, "link", "set", "lo", "up")
    _in(inside, "route", "replace", "default", "via", str(lab.gateway))


def remove(lab: Instance, hosts: Sequence[HostSpec]) -> None:
    """Takes away every link and namespace of the lab, and /run/netns where labs made it."""
    attempt(["ip", "link", "delete", lab.link])
    for name in [lab.namespace(host) for host in hosts] + [lab.switch]:
        _delete_namespace(name)
    _wait_gone(lab.link)
    with instances.registry():
        _unmake_netns()


def _wait_gone(link: str) -> None:
    deadline = time.monotonic() + LINK_SECONDS
    while attempt(["ip", "link", "show", link]).returncode == 0:
        if time.monotonic() > deadline:
            raise LabError(f"the link {link} is still there: run `ip link delete {link}`")
        time.sleep(0.1)


def _namespace(name: str) -> None:
    if _alive(name):
        return
    with instances.registry():
        _note_netns()
        # After a crash or reboot a plain file may lie where the namespace was mounted.
        (NETNS / name).unlink(missing_ok=True)
        run(["ip", "netns", "add", name])


def _alive(name: str) -> bool:
    return (NETNS / name).exists() and attempt(_command(name, "link", "show", "lo")).returncode == 0


def _delete_namespace(name: str) -> None:
    if (NETNS / name).exists() and attempt(["ip", "netns", "delete", name]).returncode != 0:
        (NETNS / name).unlink(missing_ok=True)


def _note_netns() -> None:
    if not os.path.ismount(NETNS):
        MADE_NETNS.parent.mkdir(parents=True, exist_ok=True)
        existed = "existed" if NETNS.exists() else "absent"
        MADE_NETNS.write_text(f"{BOOT_ID.read_text().strip()} {existed}\n")


def _unmake_netns() -> None:
    if not MADE_NETNS.exists():
        return
    boot, existed = MADE_NETNS.read_text().split()
    if boot == BOOT_ID.read_text().strip() and os.path.ismount(NETNS):
        if any(NETNS.iterdir()):
            return
        run(["umount", str(NETNS)])
        if existed == "absent":
            NETNS.rmdir()
    MADE_NETNS.unlink()
    MADE_NETNS.parent.rmdir()


def _links(namespace: str) -> set[str]:
    listing = json.loads(run(_command(namespace, "-json", "link", "show")) or "[]")
    return {link["ifname"] for link in listing if link}


def _in(namespace: str, *arguments: str) -> None:
    run(_command(namespace, *arguments))


def _command(namespace: str, *arguments: str) -> list[str]:
    return ["ip", "-netns", namespace, *arguments]
