"""What Longhorn itself finds wrong with the nodes that it runs on; each finding a warning.

None of it stops the program: a node that restarts is back in a minute, and what the program changes
depends on no single node.
"""

from collections.abc import Iterable, Iterator

from kube.errors import one_line
from kube.longhorn.nodes import Condition, Disk, Node

_DESCRIBE = "kubectl -n {namespace} describe nodes.longhorn.io {node}"
CURES = {
    "Ready": "replicas and volumes there are down; look at its pods (kubectl get pods -A "
    "--field-selector spec.nodeName={node})",
    "Schedulable": "no replica is put there; uncordon it when its work is done",
    "RequiredPackages": "install them, or volumes do not attach",
    "KernelModulesLoaded": "load them now and at boot (/etc/modules-load.d)",
    "Multipathd": "disable multipathd, or let it leave Longhorn's devices alone",
    "NFSClientInstalled": "volumes shared by pods, and targets on NFS, do not mount",
    "MountPropagation": "what Longhorn mounts in a pod does not reach the host; `mount "
    "--make-rshared /`",
    "HugePagesAvailable": "volumes of the v2 data engine do not start",
}
DISK_CURES = {
    "Ready": "its replicas are down; look at the mount and at the disk",
    "Schedulable": "no replica is put there; make room, or add a disk",
    "Error": "look at the disk",
}


def warnings(nodes: Iterable[Node], namespace: str) -> list[str]:
    """A sentence for each condition that is not met, by node; "Unknown" counts as not met."""
    return [text for node in nodes for text in _of_node(node, namespace)]


def _of_node(node: Node, namespace: str) -> Iterator[str]:
    look = _DESCRIBE.format(namespace=namespace, node=node.name)
    for one in _unmet(node.conditions):
        cure = CURES.get(one.type, look).format(node=node.name)
        yield f"Longhorn's node {node.name} is not {one.type} ({_said(one)}): {cure}"
    usable = [disk for disk in node.disks.values() if disk.scheduling]
    if node.scheduling and not usable:
        yield (
            f"Longhorn's node {node.name} has no disk for replicas: add one (spec.disks), or "
            "switch its scheduling off"
        )
    for disk in usable:
        for one in _unmet(disk.conditions):
            yield _of_disk(node, disk, one, look)


def _of_disk(node: Node, disk: Disk, one: Condition, look: str) -> str:
    cure = DISK_CURES.get(one.type, look)
    where = f" at {disk.path}" if disk.path else ""
    return (
        f"disk {disk.name}{where} of Longhorn's node {node.name} is not {one.type} ({_said(one)}): "
        f"{cure}"
    )


def _unmet(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Of every type True is good, of the type Error too: its message comes with False."""
    return (one for one in conditions if one.status != "True")


def _said(one: Condition) -> str:
    return one_line(one.message) or one.reason or f"{one.type} is {one.status or 'unknown'}"
