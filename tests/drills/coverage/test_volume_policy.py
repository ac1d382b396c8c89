"""Volume policies decide as Velero's do; each condition has a case that fails."""

from decimal import Decimal
from typing import Any

import pytest

from drills.coverage import volume_policy
from drills.coverage.volume_policy import PolicyError
from tests.drills.coverage.clusters import claim

NFS = {"nfs": {"server": "10.0.0.9", "path": "/export"}}
CSI = {"csi": {"driver": "driver.longhorn.io", "volumeAttributes": {"kind": "v1", "x": "y"}}}


def action(conditions: dict[str, Any], source: dict[str, Any], **more: Any) -> str | None:
    size = more.pop("size", "10Gi")
    spec = {"storageClassName": "fast", "capacity": {"storage": size}, **source}
    entry = {"conditions": conditions, "action": {"type": "skip"}}
    return volume_policy.action([entry], claim(**more), {"spec": spec})


@pytest.mark.parametrize(
    ("conditions", "source", "matches"),
    [
        ({}, CSI, True),
        ({"capacity": "0,100Gi"}, CSI, True),
        ({"capacity": "10Gi,10Gi"}, CSI, True),
        ({"capacity": "11Gi,"}, CSI, False),
        ({"capacity": ",9Gi"}, CSI, False),
        ({"capacity": ","}, CSI, True),
        ({"storageClass": ["slow", "fast"]}, CSI, True),
        ({"storageClass": ["slow"]}, CSI, False),
        ({"nfs": {}}, NFS, True),
        ({"nfs": {}}, CSI, False),
        ({"nfs": {"server": "10.0.0.9"}}, NFS, True),
        ({"nfs": {"server": "10.0.0.8"}}, NFS, False),
        ({"nfs": {"path": "/export"}}, NFS, True),
        ({"nfs": {"path": "/other", "server": "10.0.0.9"}}, NFS, False),
        ({"csi": {}}, CSI, True),
        ({"csi": {}}, NFS, False),
        ({"csi": {"driver": "driver.longhorn.io"}}, CSI, True),
        ({"csi": {"driver": "other"}}, CSI, False),
        ({"csi": {"driver": "driver.longhorn.io", "volumeAttributes": {"kind": "v1"}}}, CSI, True),
        ({"csi": {"driver": "driver.longhorn.io", "volumeAttributes": {"kind": "v2"}}}, CSI, False),
        ({"volumeTypes": ["local", "csi"]}, CSI, True),
        ({"volumeTypes": ["local"]}, {"hostPath": {"path": "/x"}}, False),
        ({"volumeTypes": ["hostPath"]}, {"hostPath": {"path": "/x"}}, True),
        ({"pvcPhase": ["Bound"]}, CSI, True),
        ({"pvcPhase": ["Pending", "Lost"]}, CSI, False),
        ({"pvcLabels": {"a": "1"}}, CSI, False),
        ({"storageClass": ["fast"], "volumeTypes": ["nfs"]}, CSI, False),
    ],
)
def test_conditions(conditions: dict[str, Any], source: dict[str, Any], matches: bool) -> None:
    assert action(conditions, source) == ("skip" if matches else None)


def test_labels_of_the_claim_count() -> None:
    assert action({"pvcLabels": {"a": "1"}}, CSI, labels={"a": "1", "b": "2"}) == "skip"


def test_the_first_match_decides() -> None:
    entries = [
        {"conditions": {"storageClass": ["slow"]}, "action": {"type": "skip"}},
        {"conditions": {"csi": {}}, "action": {"type": "snapshot"}},
        {"conditions": {}, "action": {"type": "fs-backup"}},
    ]
    assert volume_policy.action(entries, claim(), {"spec": CSI}) == "snapshot"
    assert volume_policy.action(entries, claim(), None) == "fs-backup"


def config_map(*texts: str) -> dict[str, Any]:
    data = {f"key{number}": text for number, text in enumerate(texts)}
    return {"metadata": {"name": "policy"}, "data": data}


def test_a_policy_is_read_from_its_config_map() -> None:
    text = "version: v1\nvolumePolicies:\n- conditions: {nfs: {}}\n  action: {type: skip}\n"
    (entry,) = volume_policy.from_config_map(config_map(text))
    assert entry["action"]["type"] == "skip"


@pytest.mark.parametrize(
    "texts",
    [(), ("a: 1", "b: 2"), ("[",), ("just text",), ("volumePolicies: [{conditions: {}}]",),
     ("volumePolicies: [{conditions: {capacity: '1'}, action: {type: skip}}]",),
     ("volumePolicies: [{conditions: {capacity: 'a,b'}, action: {type: skip}}]",)],
)  # fmt: skip
def test_an_unreadable_policy_is_one_sentence(texts: tuple[str, ...]) -> None:
    with pytest.raises(PolicyError, match="ConfigMap policy is not as Velero reads it"):
        volume_policy.from_config_map(config_map(*texts))


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("1", 1), ("10Gi", 10 * 2**30), ("1.5Mi", 1.5 * 2**20), ("1e3", 1000), ("2k", 2000),
     ("1E", 10**18), ("500m", 0.5), ("1Ei", 2**60)],
)  # fmt: skip
def test_quantities(text: str, value: float) -> None:
    assert volume_policy.quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1Zi", "1.2.3", "ten"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        volume_policy.quantity(text)
