"""The fence around a sandbox: its namespace, closed network, and limits, as plain objects.

Several posts of one fence, for each can fail alone: modifiers hold workloads, the quota refuses
what they let through, the Pod Security level refuses what would reach the host, and the network is
closed where the cluster's network plugin enforces policies (`enforcer`).
"""

from collections.abc import Collection, Iterable
from typing import Any, Literal

from drills.sandbox.marks import Run
from kube.velero.api import EXCLUDE_LABEL, Object, name

Level = Literal["baseline", "privileged", "restricted"]
_PSA = "pod-security.kubernetes.io"
DENY_ALL = "backstop-drill-deny-all"
QUOTA = "backstop-drill-quota"

# DaemonSets of network plugins that enforce NetworkPolicies. Flannel by itself does not.
_ENFORCERS = (
    "antrea-agent",
    "calico-node",
    "canal",
    "cilium",
    "kube-router",
    "ovnkube-node",
    "rke2-canal",
    "weave-net",
)


def namespace(run: Run, called: str, *, level: Level = "baseline") -> dict[str, Any]:
    """A sandbox.

    `level`: what its pods may ask for. Readers and held pods need root within their container, to
    read files of any owner, and nothing of the host, which is `baseline`. Workloads that the user's
    checks start may need more; then their own namespace says so.

    It is kept out of backups: a schedule that takes every namespace would save the copy as well.
    """
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": called,
            "labels": {
                **run.labels(),
                EXCLUDE_LABEL: "true",
                f"{_PSA}/enforce": level,
                f"{_PSA}/enforce-version": "latest",
            },
        },
    }


def deny_all(run: Run, called: str) -> dict[str, Any]:
    """Closes a sandbox in both directions. Reading by `exec` and port forwards are not affected."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": DENY_ALL, "namespace": called, "labels": run.labels()},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def quota(run: Run, called: str, *, pods: int, storage: str | None = None) -> dict[str, Any]:
    """No more pods than the drill makes, no address outside, at most `storage` ("50Gi").

    `pods`: as many as the restore makes, and the drill's own readers; pods that can start nowhere
    count as well. What a rule of the modifiers let through finds no place.
    """
    hard = {"pods": str(pods), "services.loadbalancers": "0", "services.nodeports": "0"}
    if storage is not None:
        hard["requests.storage"] = storage
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": QUOTA, "namespace": called, "labels": run.labels()},
        "spec": {"hard": hard},
    }


def enforcer(daemon_sets: Iterable[Object], versions: Collection[str] = ()) -> str | None:
    """What enforces NetworkPolicies here; None if nothing is known to, which a receipt says.

    `versions`: the nodes' kubelet versions; K3s enforces them by itself unless told not to.
    """
    for one in sorted(name(each) for each in daemon_sets):
        if any(one == known or one.startswith(f"{known}-") for known in _ENFORCERS):
            return one
    return "k3s" if any("+k3s" in version for version in versions) else None
