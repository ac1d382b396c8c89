"""The fence: kept out of backups, closed, small."""

from typing import Any

import pytest

from drills.sandbox import fence
from drills.sandbox.marks import read
from tests.drills.sandbox.runs import run

NAME = run().name("shop")


def test_everything_bears_the_mark() -> None:
    made = [
        fence.namespace(run(), NAME),
        fence.deny_all(run(), NAME),
        fence.quota(run(), NAME, pods=0),
    ]
    assert [read(one) for one in made] == [run()] * 3
    assert {one["metadata"].get("namespace", NAME) for one in made} == {NAME}


def test_a_sandbox_is_kept_out_of_backups_and_off_the_host() -> None:
    labels = fence.namespace(run(), NAME)["metadata"]["labels"]
    assert labels["velero.io/exclude-from-backup"] == "true"
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    higher = fence.namespace(run(), NAME, level="privileged")["metadata"]["labels"]
    assert higher["pod-security.kubernetes.io/enforce"] == "privileged"


def test_the_network_is_closed_both_ways_for_every_pod() -> None:
    spec = fence.deny_all(run(), NAME)["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_quota_leaves_no_room_outside() -> None:
    hard = fence.quota(run(), NAME, pods=3, storage="50Gi")["spec"]["hard"]
    assert hard == {
        "pods": "3",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "requests.storage": "50Gi",
    }
    assert "requests.storage" not in fence.quota(run(), NAME, pods=0)["spec"]["hard"]


def named(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": one}} for one in names]


@pytest.mark.parametrize(
    ("daemon_sets", "versions", "enforcer"),
    [
        (("kube-proxy", "calico-node"), (), "calico-node"),
        (("cilium",), ("v1.34.3+k3s1",), "cilium"),
        (("cilium-envoy",), (), "cilium-envoy"),
        (("kube-flannel-ds", "kube-proxy"), ("v1.34.3",), None),
        ((), ("v1.34.3+k3s1",), "k3s"),
        (("my-cilium",), (), None),
        ((), (), None),
    ],
)
def test_who_enforces_policies_is_known_or_not(
    daemon_sets: tuple[str, ...], versions: tuple[str, ...], enforcer: str | None
) -> None:
    assert fence.enforcer(named(*daemon_sets), versions) == enforcer
