"""What a node has of what Longhorn needs: read over SSH, before anything is changed."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from components.command import script
from components.host_facts import HostUnreachableError
from components.settings.hosts import Host

SCRIPTS = Path(__file__).resolve().parent / "scripts"
# Where every kubelet mounts the volumes of its pods; K3s has it there since 0.10.
KUBELET_PATH = "/var/lib/kubelet"
_MOST_AT_ONCE = 16
_PAIRS = ("module", "kernel-config", "propagation", "data")


@dataclass(frozen=True)
class Unit:
    """A unit of systemd. `state`: active, inactive, failed, …; `load`: loaded, masked, …"""

    state: str
    load: str


@dataclass(frozen=True)
class NodeFacts:
    """One node as it was seen.

    `os`: ID and ID_LIKE of its os-release. `modules`: name -> loaded, builtin, loadable, forbidden
    (by a line `install … /bin/false`), absent, unknown (no modprobe to ask). `kernel_config`: those
    of NFS_V4_1 and NFS_V4_2 that are set; None if the kernel does not tell. `multipath`: the lines
    of the sections blacklist and blacklist_exceptions. `propagation`: by path. `data_space`: size
    and free KiB of the file system below the data path, None if it was not told.
    """

    clock: int
    uid: int = 0
    kernel: str = ""
    os: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    units: Mapping[str, Unit] = field(default_factory=dict)
    processes: frozenset[str] = frozenset()
    initiator: bool = False
    modules: Mapping[str, str] = field(default_factory=dict)
    kernel_config: frozenset[str] | None = None
    nfs_default: str = ""
    multipath: tuple[str, ...] = ()
    exists: frozenset[str] = frozenset()
    propagation: Mapping[str, str] = field(default_factory=dict)
    data_fs: str = ""
    data_options: frozenset[str] = frozenset()
    data_target: str = ""
    data_space: tuple[int, int] | None = None
    synchronised: str = "unknown"
    selinux: bool = False

    def active(self, unit: str) -> bool:
        return unit in self.units and self.units[unit].state in ("active", "activating")


def facts_script(data_path: str, kubelet_path: str = KUBELET_PATH) -> str:
    """The read-only script whose output `parse` understands."""
    return script(SCRIPTS, "node_facts.sh", DATA_PATH=data_path, KUBELET_PATH=kubelet_path)


def parse(text: str) -> NodeFacts:
    """Facts from the output of node_facts.sh.

    Raises:
        ValueError: the output is cut, or holds an unknown line.
    """
    lines = text.splitlines()
    if not lines or lines[-1] != "end":
        raise ValueError("the host's answer is cut short")
    single: dict[str, str] = {}
    many: dict[str, list[str]] = {"missing": [], "process": [], "multipath": [], "exists": []}
    pairs: dict[str, dict[str, str]] = {keyword: {} for keyword in _PAIRS}
    units: dict[str, Unit] = {}
    for line in lines[:-1]:
        keyword, _, rest = line.partition(" ")
        first, _, more = rest.partition(" ")
        if keyword in many:
            many[keyword].append(rest)
        elif keyword in pairs:
            pairs[keyword][first] = more.strip()
        elif keyword == "unit":
            state, _, load = more.partition(" ")
            units[first] = Unit(state, load)
        elif keyword in _SINGLE:
            single[keyword] = rest.strip()
        else:
            raise ValueError(f"the host's answer holds an unknown line: {line[:80]}")
    return _facts(single, many, pairs, units)


_SINGLE = frozenset(
    ("clock", "user", "kernel", "os", "initiator", "nfs-default", "synchronised", "selinux")
)


def _facts(
    single: Mapping[str, str],
    many: Mapping[str, list[str]],
    pairs: Mapping[str, Mapping[str, str]],
    units: Mapping[str, Unit],
) -> NodeFacts:
    told, data = dict(pairs["kernel-config"]), pairs["data"]
    read = told.pop("read", None) is not None
    try:
        clock, uid = int(single["clock"]), int(single["user"])
    except (KeyError, ValueError):
        raise ValueError("the host's answer lacks its clock or its user") from None
    return NodeFacts(
        clock=clock,
        uid=uid,
        kernel=single.get("kernel", ""),
        os=tuple(single.get("os", "").split()),
        missing=frozenset(many["missing"]),
        units=units,
        processes=frozenset(many["process"]),
        initiator="initiator" in single,
        modules=pairs["module"],
        kernel_config=frozenset(told) if read else None,
        nfs_default=single.get("nfs-default", ""),
        multipath=tuple(many["multipath"]),
        exists=frozenset(many["exists"]),
        propagation=pairs["propagation"],
        data_fs=data.get("FSTYPE", ""),
        data_options=frozenset(filter(None, data.get("OPTIONS", "").split(","))),
        data_target=data.get("TARGET", ""),
        data_space=_space(data.get("SPACE", "")),
        synchronised=single.get("synchronised", "unknown"),
        selinux=single.get("selinux") == "1",
    )


def _space(text: str) -> tuple[int, int] | None:
    size, _, free = text.partition(" ")
    return (int(size), int(free)) if size.isdecimal() and free.isdecimal() else None


def gather(
    hosts: Mapping[str, Host], run: Callable[[str, Host, str], str], data_path: str
) -> tuple[dict[str, NodeFacts], list[str]]:
    """Facts of every node, asked at the same time, and a sentence for each that gave none.

    `run`: as components.host_facts.ssh_runner makes it.
    """
    text = facts_script(data_path)

    def ask(name: str) -> NodeFacts | str:
        try:
            return parse(run(name, hosts[name], text))
        except HostUnreachableError as error:
            return str(error)
        except ValueError as error:
            return f"host {name}: {error}; run the preview again, and look at its shell profile"

    with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
        answers = dict(zip(hosts, pool.map(ask, hosts), strict=True))
    facts = {name: found for name, found in answers.items() if isinstance(found, NodeFacts)}
    return facts, [found for found in answers.values() if isinstance(found, str)]
