"""Every fault in the canary's config is a sentence that names its key."""

from typing import Any

import pytest

from canary.contents import Method
from components.canary.reach import ANYWHERE, Reach, reach
from components.settings import Settings, SettingsError, load
from tests.kube import kubeconfigs
from tests.support.recorder import RAW

SECRET = frozenset(
    {"sshPrivateKey", "escrowPassphrase", "storeRootUser", "storeRootPassword", "kubeconfig"}
)
BY_FILE = {"name": "by-file", "method": "file-system", "storageClass": "local-static"}
BY_SNAPSHOT = {"name": "by-snapshot", "method": "snapshot", "storageClass": "longhorn"}
BY_MOVER = {**BY_SNAPSHOT, "name": "by-mover", "method": "data-mover"}
DAILY = {"cron": "0 2 * * *"}
VELERO: dict[str, Any] = {"nodeAgent": "on", "schedules": {"daily": DAILY}}
BASE: dict[str, Any] = {
    **RAW,
    "kubeconfig": kubeconfigs.text(),
    "cluster": {},
    "snapshots": {},
    "velero": VELERO,
    "canary": {"volumes": [BY_FILE, BY_SNAPSHOT]},
}
IN_CLUSTER: dict[str, Any] = {
    "kind": "inCluster",
    "storage": {"class": "local", "size": "10Gi", "location": "outside"},
    "outside": {"address": "10.0.0.1"},
    "network": {"allowFrom": ["10.0.0.1"], "allowNamespaces": ["velero", "backstop-canary"]},
}


def loaded(**changes: Any) -> Settings:
    return load({**BASE, **changes}, secret_keys=SECRET)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in BASE.items() if name != key}


def canary(**changes: Any) -> dict[str, Any]:
    return {**BASE, "canary": {**BASE["canary"], **changes}}


def volume(**changes: Any) -> dict[str, Any]:
    return canary(volumes=[{**BY_FILE, **changes}])


def velero(**changes: Any) -> dict[str, Any]:
    return {**BASE, "velero": {**VELERO, **changes}}


def schedule(**changes: Any) -> dict[str, Any]:
    return velero(schedules={"daily": {**DAILY, **changes}})


def test_there_is_none_unless_it_is_named() -> None:
    assert load(without("canary"), secret_keys=SECRET).canary is None


def test_the_defaults() -> None:
    found = loaded().canary
    assert found is not None
    assert (found.namespace, found.period_seconds, found.keep) == ("backstop-canary", 300, 3)
    assert found.image.reference.startswith("docker.io/library/python:3.")
    assert [(one.method, one.size) for one in found.volumes] == [
        (Method.FILE_SYSTEM, "256Mi"), (Method.SNAPSHOT, "256Mi"),
    ]  # fmt: skip


def test_an_image_needs_not_be_named_whole() -> None:
    found = loaded(canary={**BASE["canary"], "image": {"pullPolicy": "Never"}}).canary
    assert found is not None
    assert found.image.pull_policy == "Never"
    assert found.image.repository == "docker.io/library/python"


@pytest.mark.parametrize(
    ("raw", "key", "said"),
    [
        (canary(volume=[]), "canary.volume", "correct its spelling"),
        (canary(volumes=[]), "canary.volumes", "is empty"),
        (canary(volumes=[BY_FILE, BY_FILE]), "canary.volumes", "by-file stands there twice"),
        (canary(namespace="kube-canary"), "canary.namespace", "is another's"),
        (canary(namespace="default"), "canary.namespace", "is another's"),
        (canary(periodSeconds=5), "canary.periodSeconds", "greater than or equal to 30"),
        (canary(keep=1), "canary.keep", "greater than or equal to 2"),
        (canary(dnsNetworks=["10.0.0.7/8"]), "canary.dnsNetworks", "no address and no network"),
        (volume(name="state"), "canary.volumes.0.name", "none of code, state, store"),
        (volume(name="Not One"), "canary.volumes.0.name", "names no volume"),
        (volume(method="files"), "canary.volumes.0.method", "'file-system'"),
        (volume(size="1G"), "canary.volumes.0.size", "pattern"),
        (volume(size="64Mi"), "canary", "volumes.0.size: 64Mi is too small for 3 generations"),
        (
            canary(volumes=[BY_FILE], keep=30),
            "canary",
            "too small for 30 generations; give 352Mi or more",
        ),
        ({"site": "dev", **without("cluster"), "kubeconfig": ""}, "snapshots", "add cluster"),
        (
            {**without("velero"), "canary": {"volumes": [BY_SNAPSHOT]}},
            "canary",
            "add velero, or take canary out",
        ),
        (
            {**BASE, "clients": {"truth": {"enabled": False}}},
            "clients.truth.enabled",
            "enable it",
        ),
        (canary(namespace="velero"), "canary.namespace", "is another part's"),
        (schedule(includedNamespaces=["app"]), "canary.namespace", "no running schedule"),
        (schedule(excludedNamespaces=["backstop-*"]), "canary.namespace", "no running schedule"),
        (schedule(paused=True), "canary.namespace", "no running schedule"),
        (velero(excludedNamespaces=["backstop-canary"]), "canary.namespace", "no running schedule"),
        (
            {**schedule(ttl="9624h"), "clients": {"truth": {"truthDays": 400}}},
            "clients.truth.truthDays",
            "after 400 days nobody knows",
        ),
        (
            {**without("snapshots"), "canary": {"volumes": [BY_SNAPSHOT]}},
            "canary.volumes.0.method",
            "snapshot takes CSI snapshots, and there are none",
        ),
        (
            {**velero(csi="off"), "canary": {"volumes": [BY_SNAPSHOT]}},
            "canary.volumes.0.method",
            "snapshot takes CSI snapshots, and there are none",
        ),
        (
            {**velero(snapshotMoveData=True), "snapshots": {"classes": [{"type": "snap"}]}},
            "canary.volumes.1.method",
            "write data-mover",
        ),
        (
            canary(volumes=[BY_MOVER]),
            "canary.volumes.0.method",
            "data-mover is what velero.snapshotMoveData true does",
        ),
        (velero(nodeAgent="auto"), "canary.volumes.0.method", "set velero.nodeAgent on"),
        (
            {**BASE, "objectStore": {**IN_CLUSTER, "network": {"allowFrom": ["10.0.0.1"]}}},
            "objectStore.network.allowNamespaces",
            "backstop-canary is not among them",
        ),
        (
            {**BASE, "objectStore": {**IN_CLUSTER, "namespace": "backstop-canary"}},
            "canary.namespace",
            "is another part's",
        ),
    ],
)  # fmt: skip
def test_each_fault_names_its_key(raw: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(raw, secret_keys=SECRET)
    (fault,) = caught.value.faults
    assert fault.startswith(f"config backstop:{key}")
    assert said in fault
    assert "\n" not in fault


def test_a_canary_without_a_cluster_is_refused() -> None:
    raw = {name: value for name, value in BASE.items()
           if name not in ("cluster", "kubeconfig", "snapshots", "velero")}  # fmt: skip
    with pytest.raises(SettingsError, match="canary: runs in a cluster; add cluster"):
        load(raw, secret_keys=SECRET)


@pytest.mark.parametrize(
    "raw",
    [
        {**schedule(includedNamespaces=["backstop-*"])},
        {**schedule(includedNamespaces=["backstop-canary"], excludedNamespaces=["app"])},
        {
            **velero(snapshotMoveData=True, nodeAgent="auto"),
            "snapshots": {"classes": [{"type": "snap"}]},
            "canary": {"volumes": [BY_MOVER, BY_FILE]},
        },
        # The cluster has snapshot classes of somebody else.
        {**velero(csi="on"), "snapshots": None},
        {**BASE, "objectStore": IN_CLUSTER},
    ],
)
def test_what_backs_it_up_in_its_own_way_is_no_fault(raw: dict[str, Any]) -> None:
    given = {name: value for name, value in raw.items() if value is not None}
    assert load(given, secret_keys=SECRET).canary is not None


def existing(endpoint: str) -> dict[str, Any]:
    return {
        "objectStore": {"kind": "existing", "endpoint": endpoint, "caCertificateFile": "ca.pem"},
        "storeRootUser": "SENTINEL",
        "storeRootPassword": "SENTINEL",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Reach(("10.77.0.10/32",), "", 9091)),
        (
            {"hosts": {"store1": {**RAW["hosts"]["store1"], "address": "store1.lan"}}},
            Reach(ANYWHERE, "", 9091),
        ),
        (
            {"hosts": {"store1": {**RAW["hosts"]["store1"], "address": "fd00::7"}}},
            Reach(("fd00::7/128",), "", 9091),
        ),
        ({"objectStore": IN_CLUSTER}, Reach((), "object-store", 9000)),
        (existing("https://192.0.2.7:9000"), Reach(("192.0.2.7/32",), "", 9000)),
        (existing("https://s3.example:443"), Reach(ANYWHERE, "", 443)),
    ],
)
def test_the_way_to_the_store_is_as_narrow_as_its_address_tells(
    changes: dict[str, Any], expected: Reach
) -> None:
    assert reach(loaded(**changes)) == expected
