"""What Longhorn says of its nodes becomes warnings, each with what to do."""

import pytest

from components.longhorn.conditions import warnings
from kube.longhorn.nodes import Condition, Disk, Node

NAMESPACE = "longhorn-system"
MET = tuple(
    Condition(name, "True", "", "")
    for name in ("Ready", "MountPropagation", "Multipathd", "KernelModulesLoaded",
                 "RequiredPackages", "NFSClientInstalled", "Schedulable")
)  # fmt: skip


def disk(*conditions: Condition, scheduling: bool = True) -> Disk:
    return Disk("d1", "/var/lib/longhorn", "filesystem", scheduling, 100, 50, 10, 0, conditions)


def node(*conditions: Condition, **disks: Disk) -> Node:
    return Node("n1", scheduling=True, conditions=conditions, disks=disks or {"d1": disk()})


def unmet(name: str, message: str = "why", status: str = "False") -> Condition:
    return Condition(name, status, "Reason", message)


def test_a_node_that_meets_all_is_silent() -> None:
    met = Condition("Ready", "True", "", "")
    assert warnings([node(*MET, d1=disk(met))], NAMESPACE) == []


@pytest.mark.parametrize("name", [one.type for one in MET])
def test_every_condition_that_is_not_met_is_told(name: str) -> None:
    (text,) = warnings([node(unmet(name))], NAMESPACE)
    assert text.startswith(f"Longhorn's node n1 is not {name} (why): ")
    assert "{" not in text


def test_an_unknown_type_or_state_is_told_with_where_to_look() -> None:
    (text,) = warnings([node(unmet("NewThing", "", "Unknown"))], NAMESPACE)
    assert "is not NewThing (Reason): kubectl -n longhorn-system describe nodes.longhorn.io n1" in (
        text
    )


def test_a_disk_that_is_not_ready_or_full_or_broken_is_told() -> None:
    for name, told in (("Ready", "its replicas are down"), ("Schedulable", "make room"),
                       ("Error", "look at the disk")):  # fmt: skip
        (text,) = warnings([node(*MET, d1=disk(unmet(name)))], NAMESPACE)
        assert text.startswith(f"disk d1 at /var/lib/longhorn of Longhorn's node n1 is not {name}")
        assert told in text


def test_a_node_without_a_disk_for_replicas_is_told_unless_it_takes_none() -> None:
    off = disk(unmet("Ready"), scheduling=False)
    (text,) = warnings([node(d1=off)], NAMESPACE)
    assert "has no disk for replicas" in text
    assert warnings([Node("n1", scheduling=False, disks={"d1": off})], NAMESPACE) == []
