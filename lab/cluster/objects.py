"""What the lab itself puts into the cluster: storage classes, volumes, rights of the CSI parts."""

import json
from typing import Any

from lab.cluster import layout

CSI_USER = "lab:csi"
# Volumes of the class `local-static`; their folders are made with the node.
LOCAL_VOLUME_COUNT = 4
LOCAL_VOLUME_SIZE = "1Gi"
READ = ["get", "list", "watch"]

Object = dict[str, Any]


def everything() -> list[Object]:
    """All objects, in the order in which they may be made."""
    return [
        *_rights(),
        _driver(),
        _class("longhorn", layout.CSI_DRIVER, default=True),
        _class("local-static", "kubernetes.io/no-provisioner", default=False),
        *(_local_volume(number) for number in range(1, LOCAL_VOLUME_COUNT + 1)),
    ]


def text() -> str:
    """The objects as one List for `kubectl apply`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": everything()}, indent=1) + "\n"


def local_volume_folders() -> list[str]:
    """The folders of the static volumes, as the node sees them."""
    return [_folder(number) for number in range(1, LOCAL_VOLUME_COUNT + 1)]


def _folder(number: int) -> str:
    return f"{layout.LOCAL_VOLUMES}/{number}"


def _driver() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {
            "name": layout.CSI_DRIVER,
            "annotations": {"lab.backstop.dev/what": "a stand-in: folders of the node cp1"},
        },
        "spec": {
            "attachRequired": False,
            "podInfoOnMount": False,
            "fsGroupPolicy": "File",
            "volumeLifecycleModes": ["Persistent"],
        },
    }


def _class(name: str, provisioner: str, *, default: bool) -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": name,
            "annotations": {"storageclass.kubernetes.io/is-default-class": str(default).lower()},
        },
        "provisioner": provisioner,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate" if default else "WaitForFirstConsumer",
    }


def _local_volume(number: int) -> Object:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [layout.NODE.name]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"local-static-{number}"},
        "spec": {
            "capacity": {"storage": LOCAL_VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local-static",
            "local": {"path": _folder(number)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def _rule(groups: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [groups], "resources": resources, "verbs": verbs}


def _rights() -> list[Object]:
    """What csi-provisioner and csi-snapshotter do in the cluster, and no more."""
    snapshots = "snapshot.storage.k8s.io"
    rules = [
        _rule("", ["persistentvolumes"], [*READ, "create", "patch", "delete"]),
        _rule("", ["persistentvolumeclaims"], [*READ, "update", "patch"]),
        _rule("", ["persistentvolumeclaims/status"], ["update", "patch"]),
        _rule("", ["nodes", "pods"], READ),
        _rule("", ["events"], ["list", "watch", "create", "update", "patch"]),
        _rule("storage.k8s.io", ["storageclasses", "csinodes", "volumeattachments"], READ),
        _rule("storage.k8s.io", ["volumeattributesclasses", "csistoragecapacities"], READ),
        _rule(snapshots, ["volumesnapshots", "volumesnapshotclasses"], READ),
        _rule(snapshots, ["volumesnapshotcontents"], [*READ, "update", "patch"]),
        _rule(snapshots, ["volumesnapshotcontents/status"], ["update", "patch"]),
        _rule("apiextensions.k8s.io", ["customresourcedefinitions"], READ),
    ]
    name = "lab:csi"
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": name,
            },
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": CSI_USER}
            ],
        },
    ]
