"""The objects of the snapshot controller: an account with what it needs, and the Deployment.

Names and namespace are those that its own manifests use, so that whoever applies them later changes
this controller and does not start a second one.
"""

from typing import Any

from kube import marks
from kube.facts import SNAPSHOT_GROUP

NAMESPACE = "kube-system"
NAME = "snapshot-controller"
_ELECTION = f"{NAME}-leaderelection"
_RUNNER = f"{NAME}-runner"
_BINDING = f"{NAME}-role"
_SELECTOR = {"app.kubernetes.io/name": NAME}
_UNPRIVILEGED_USER = 65532
_READ = ["get", "list", "watch"]
_OWN = [*_READ, "create", "update", "patch", "delete"]
_RBAC = "rbac.authorization.k8s.io"

Manifest = dict[str, Any]


def manifests(site: str, image: str, replicas: int) -> list[Manifest]:
    """Every object, in the order in which they depend on each other."""
    return [*_account(site), _deployment(site, image, replicas)]


def _metadata(site: str, name: str, *, namespaced: bool = True) -> dict[str, Any]:
    placed = {"namespace": NAMESPACE} if namespaced else {}
    return {"name": name, **placed, "labels": {**marks.labels(site), **_SELECTOR}}


def _rule(group: str, resource: str, verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": verbs}


def _cluster_rules() -> list[dict[str, Any]]:
    return [
        _rule("", "persistentvolumes", _READ),
        _rule("", "persistentvolumeclaims", [*_READ, "update"]),
        _rule("", "events", ["create", "list", "patch", "update", "watch"]),
        _rule(SNAPSHOT_GROUP, "volumesnapshotclasses", _READ),
        _rule(SNAPSHOT_GROUP, "volumesnapshots", _OWN),
        _rule(SNAPSHOT_GROUP, "volumesnapshots/status", ["patch", "update"]),
        _rule(SNAPSHOT_GROUP, "volumesnapshotcontents", _OWN),
        _rule(SNAPSHOT_GROUP, "volumesnapshotcontents/status", ["patch"]),
    ]


def _account(site: str) -> list[Manifest]:
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    leases = _rule("coordination.k8s.io", "leases", [*_READ, "create", "update", "delete"])
    version = f"{_RBAC}/v1"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(site, NAME)},
        {
            "apiVersion": version,
            "kind": "ClusterRole",
            "metadata": _metadata(site, _RUNNER, namespaced=False),
            "rules": _cluster_rules(),
        },
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": _metadata(site, _BINDING, namespaced=False),
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _RUNNER},
            "subjects": [subject],
        },
        {
            "apiVersion": version,
            "kind": "Role",
            "metadata": _metadata(site, _ELECTION),
            "rules": [leases],
        },
        {
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": _metadata(site, _ELECTION),
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _ELECTION},
            "subjects": [subject],
        },
    ]


def _container(image: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "--v=2",
            "--leader-election=true",
            # Without its CRDs it would wait half a minute for them at every start.
            "--feature-gates=CSIVolumeGroupSnapshot=false",
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _deployment(site: str, image: str, replicas: int) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(site, NAME),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": _SELECTOR},
            "template": {
                "metadata": {"labels": _SELECTOR},
                "spec": {
                    "serviceAccountName": NAME,
                    "priorityClassName": "system-cluster-critical",
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _UNPRIVILEGED_USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    # A cluster of one node, or of few, has nowhere else to run it.
                    "tolerations": [
                        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
                    ],
                    "containers": [_container(image)],
                },
            },
        },
    }
