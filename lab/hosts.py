"""The hosts a lab can have."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class Drive:
    """One drive: an image file of `mib` MiB with a file system, mounted inside the host."""

    name: str
    mount: str
    mib: int


@dataclass(frozen=True)
class HostSpec:
    """One host. `number` is the last part of its address; names are at most 15 characters,
    because the switch's port of the host carries the same name."""

    name: str
    number: int
    drives: tuple[Drive, ...] = ()
    # Which base image it is made from (`lab/image.py`): "plain", or "node" for Kubernetes.
    kind: str = "plain"


def _drives(count: int, mib: int) -> tuple[Drive, ...]:
    return tuple(Drive(f"disk{n}", f"/mnt/disk{n}", mib) for n in range(1, count + 1))


HOSTS: Mapping[str, HostSpec] = {
    spec.name: spec
    for spec in (
        # The object store; its data path is a mount point, as on a host with a data disk. Its image
        # is sparse: the size costs nothing until it is used.
        HostSpec("store1", 10, (Drive("storage", "/storage", 6144),)),
        # The cluster's one control plane node, and a drive that the cluster does not own.
        HostSpec("cp1", 11, (Drive("outside", "/outside", 1024),), kind="node"),
        # A store of four drives, made on demand only: `lab up --host edge1`.
        HostSpec("edge1", 12, _drives(4, 1024)),
        # A store over two hosts with two drives each, on demand only.
        HostSpec("pair1", 13, _drives(2, 512)),
        HostSpec("pair2", 14, _drives(2, 512)),
    )
}
DEFAULT_HOSTS = ("store1", "cp1")


def spec(name: str) -> HostSpec:
    """The host called `name`; raises LabError naming the known ones."""
    if name not in HOSTS:
        raise LabError(f"there is no host called {name!r}: the lab knows {', '.join(HOSTS)}")
    return HOSTS[name]
