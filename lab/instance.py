"""One instance of the lab: its name, its folder and its address range, and the registry of all."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab import durable
from lab.errors import LabError
from lab.hosts import HostSpec
from lab.locks import held

SCHEMA = 1
# The address space of all labs; each takes one /24 of it.
SPACE = IPv4Network("10.77.0.0/16")
# Locks live where a reboot empties them; the instance's own folder goes away under its lock.
LOCKS = Path("/run/lock/backstop-lab")
REMOVING = ".removing-"


@dataclass(frozen=True)
class Instance:
    """A lab on this machine. `folder` holds everything that is its own."""

    name: str
    folder: Path
    network: IPv4Network

    @property
    def gateway(self) -> IPv4Address:
        return self.network[1]

    def address(self, host: HostSpec) -> IPv4Address:
        return self.network[host.number]

    @property
    def link(self) -> str:
        """This machine's one link into the lab; the kernel allows 15 characters."""
        return "bs-" + hashlib.sha256(self.name.encode()).hexdigest()[:8]

    @property
    def switch(self) -> str:
        """The network namespace that holds the bridge."""
        return f"{self.name}-switch"

    def namespace(self, host: HostSpec) -> str:
        return f"{self.name}-{host.name}"

    def host_folder(self, host: HostSpec) -> Path:
        return self.folder / "hosts" / host.name

    @property
    def private_key(self) -> Path:
        return self.folder / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "ssh" / "known_hosts"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.json"


def candidates(name: str, space: IPv4Network = SPACE) -> Iterator[IPv4Network]:
    """Every /24 of `space`, first the one that the name's hash picks, then the ones after it."""
    ranges = list(space.subnets(new_prefix=24))
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(ranges)
    yield from ranges[start:] + ranges[:start]


def choose_network(name: str, taken: Sequence[IPv4Network]) -> IPv4Network:
    """The first candidate that overlaps nothing in `taken` (other labs, this machine's routes).

    Raises LabError when all are taken.
    """
    for network in candidates(name):
        if not any(network.overlaps(other) for other in taken):
            return network
    raise LabError(
        f"no /24 of {SPACE} is free for the lab {name}: take another lab down with "
        "`python3 -m lab down --all`, or remove the routes into that range"
    )


def lock(name: str) -> Path:
    """The lock file that `up` and `down` of the instance hold."""
    return LOCKS / f"{name}.lock"


@contextmanager
def registry() -> Iterator[None]:
    """Alone with the list of instances and with what instances share on this machine."""
    with held(LOCKS / "registry.lock", "another lab is taking its address range"):
        yield


def load(home: Path, name: str) -> Instance | None:
    """The recorded instance, or None; raises LabError when its record cannot be read."""
    record = home / name / "instance.json"
    try:
        document = json.loads(record.read_text(encoding="utf-8"))
        return Instance(name, home / name, IPv4Network(document["network"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{record} cannot be read ({error}): remove the lab with `python3 -m lab down`"
        ) from error


def names(home: Path) -> list[str]:
    """The names of all instances that have a folder."""
    if not home.is_dir():
        return []
    return sorted(p.name for p in home.iterdir() if p.is_dir() and not p.name.startswith("."))


def load_or_create(
    home: Path, name: str, checkout: Path, routes: Sequence[IPv4Network]
) -> Instance:
    """The instance, recorded with an address range that no other lab and no route uses."""
    with registry():
        known = load(home, name)
        if known is not None:
            return known
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = [load(home, other) for other in names(home) if other != name]
        taken = [*routes, *(other.network for other in others if other is not None)]
        network = choose_network(name, taken)
        folder = home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        record = {
            "schema": SCHEMA,
            "instance": name,
            "network": str(network),
            "checkout": str(checkout),
        }
        durable.write(folder / "instance.json", json.dumps(record, indent=2) + "\n", 0o600)
        return Instance(name, folder, network)


def forget(home: Path, name: str, mounted: Sequence[str]) -> None:
    """Removes the instance's folder, and what a killed `down` left of any instance's.

    `mounted` are this machine's mount points: nothing is removed while one lies in the folder.
    """
    folder = home / name
    inside = [point for point in mounted if point.startswith(f"{home}/")]
    if inside:
        raise LabError(f"{inside[0]} is mounted inside the lab's folder: unmount it first")
    with registry():
        if folder.exists():
            folder.rename(home / f"{REMOVING}{name}")
        for leftover in home.glob(f"{REMOVING}*"):
            shutil.rmtree(leftover)
        if home.is_dir() and not any(home.iterdir()):
            home.rmdir()
