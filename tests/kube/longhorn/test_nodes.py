"""Longhorn's nodes are read with their conditions and disks, whatever is missing there."""

from kube.longhorn.nodes import node, read_nodes
from kube.longhorn.options import jobs_take_detached, read_option
from tests.kube.longhorn.cluster import Cluster


def test_a_node_is_read_as_longhorn_writes_it() -> None:
    cluster = Cluster()
    cluster.add(
        "nodes", "n1",
        spec={
            "allowScheduling": True,
            "disks": {
                "d1": {"path": "/var/lib/longhorn", "allowScheduling": True, "storageReserved": 5}
            },
        },
        status={
            "conditions": [
                {"type": "Multipathd", "status": "False", "reason": "R", "message": "running"}
            ],
            "diskStatus": {
                "d1": {
                    "storageMaximum": 100, "storageAvailable": 40, "storageScheduled": 10,
                    "conditions": [{"type": "Ready", "status": "True"}],
                }
            },
        },
    )  # fmt: skip
    (found,) = read_nodes(cluster.longhorn().client, "longhorn-system")
    assert (found.name, found.scheduling) == ("n1", True)
    assert [(one.type, one.status, one.message) for one in found.conditions] == [
        ("Multipathd", "False", "running")
    ]
    disk = found.disks["d1"]
    assert (disk.path, disk.maximum, disk.available, disk.reserved) == (
        "/var/lib/longhorn", 100, 40, 5,
    )  # fmt: skip
    assert disk.conditions[0].type == "Ready"


def test_a_node_that_says_nothing_is_read_all_the_same() -> None:
    found = node(
        {"metadata": {"name": "n"}, "spec": {"disks": {"d": None}}, "status": {"diskStatus": None}}
    )
    assert (found.scheduling, found.conditions, found.disks["d"].path) == (False, (), "")


def test_a_setting_that_does_not_exist_is_none_and_counts_as_off() -> None:
    cluster = Cluster()
    client = cluster.longhorn().client
    assert read_option(client, "longhorn-system", "nothing") is None
    assert not jobs_take_detached(client, "longhorn-system")
