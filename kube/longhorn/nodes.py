"""Longhorn's own view of the nodes that it runs on: their conditions and their disks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kube.client import Client
from kube.longhorn.api import Object, listed, name, number, spec, status, text


@dataclass(frozen=True)
class Condition:
    """`status`: "True", "False" or "Unknown". For every type that Longhorn has, True is good."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True)
class Disk:
    """A disk of a node. Sizes in bytes; `scheduled`: promised to replicas."""

    name: str
    path: str
    kind: str
    scheduling: bool
    maximum: int
    available: int
    reserved: int
    scheduled: int
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Node:
    """A node as Longhorn sees it. `scheduling`: whether new replicas may be put there."""

    name: str
    scheduling: bool
    conditions: tuple[Condition, ...] = ()
    disks: Mapping[str, Disk] = field(default_factory=dict)


def read_nodes(client: Client, namespace: str) -> tuple[Node, ...]:
    """Longhorn's nodes by name. Raises ClusterError (see `listed`)."""
    return tuple(node(one) for one in listed(client, namespace, "nodes"))


def node(found: Object) -> Node:
    wanted, held = spec(found), status(found)
    disks: Object = wanted.get("disks") or {}
    seen: Object = held.get("diskStatus") or {}
    return Node(
        name=name(found),
        scheduling=bool(wanted.get("allowScheduling")),
        conditions=_conditions(held),
        disks={key: _disk(key, disks[key] or {}, seen.get(key) or {}) for key in sorted(disks)},
    )


def _disk(key: str, wanted: Object, held: Object) -> Disk:
    return Disk(
        name=key,
        path=text(wanted, "path"),
        kind=text(wanted, "diskType") or "filesystem",
        scheduling=bool(wanted.get("allowScheduling")),
        maximum=number(held, "storageMaximum"),
        available=number(held, "storageAvailable"),
        reserved=number(wanted, "storageReserved"),
        scheduled=number(held, "storageScheduled"),
        conditions=_conditions(held),
    )


def _conditions(held: Object) -> tuple[Condition, ...]:
    return tuple(
        Condition(text(one, "type"), text(one, "status"), text(one, "reason"), text(one, "message"))
        for one in held.get("conditions") or ()
    )
