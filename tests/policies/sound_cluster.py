"""The cluster's part of the sound stack: Velero with a location, two schedules, their parts."""

import base64
from collections.abc import Mapping

from policies.plain import Resource

PREFIX = "urn:pulumi:dev::backstop::"
NAMESPACE = "velero"
STORE = "https://10.77.3.10:9091"
KUBECONFIG = """apiVersion: v1
kind: Config
clusters:
- name: dev
  cluster:
    server: https://10.77.3.20:6443
    certificate-authority-data: c2VudGluZWwtYXV0aG9yaXR5
users:
- name: admin
  user:
    client-certificate-data: c2VudGluZWwtY2VydGlmaWNhdGU=
    client-key-data: c2VudGluZWwtY2xpZW50LWtleQ==
"""
CLOUD = """[default]
aws_access_key_id = KVELERO7Q2M4X
aws_secret_access_key = sentinel-cloud-secret
"""
CONTROLLER = "registry.k8s.io/sig-storage/snapshot-controller:v8.7.0"
RESOURCES = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}


def _object(type_: str, name: str, body: Mapping[str, object], **metadata: object) -> Resource:
    api_version, _, kind = type_.removeprefix("kubernetes:").rpartition(":")
    props = {
        "apiVersion": api_version.removeprefix("core/"),
        "kind": kind,
        "metadata": {"name": name, **metadata},
        **body,
    }
    return Resource(type_, name, f"{PREFIX}{type_}::{name}", props)


def _in_velero(type_: str, name: str, body: Mapping[str, object]) -> Resource:
    return _object(type_, name, body, namespace=NAMESPACE)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def velero_values() -> dict[str, object]:
    """What the release passes to the chart, as far as rules look at it."""
    return {
        "image": {"repository": "velero/velero", "tag": "v1.18.1"},
        "initContainers": [
            {
                "name": "velero-plugin-for-aws",
                "image": "velero/velero-plugin-for-aws:v1.14.3",
                "volumeMounts": [{"name": "plugins", "mountPath": "/target"}],
            }
        ],
        "resources": RESOURCES,
        "deployNodeAgent": True,
        "nodeAgent": {"resources": RESOURCES},
        "backupsEnabled": False,
        "snapshotsEnabled": False,
        "cleanUpCRDs": False,
        "configuration": {
            "features": "EnableCSI",
            "defaultSnapshotMoveData": False,
            "defaultVolumesToFsBackup": False,
        },
    }


def template() -> dict[str, object]:
    """The backup that the daily schedule makes."""
    return {
        "ttl": "720h",
        "storageLocation": "default",
        "includedNamespaces": ["*"],
        "excludedNamespaces": [NAMESPACE, "kube-system"],
        "excludedNamespaceScopedResources": ["events"],
        "snapshotMoveData": False,
        "resourcePolicy": {"kind": "configmap", "name": "volume-policy"},
        "metadata": {"labels": {"tier": "daily"}},
    }


def sound_cluster() -> list[Resource]:
    """Everything the stack declares in its cluster."""
    return [
        Resource(
            "pulumi:providers:kubernetes",
            "dev",
            f"{PREFIX}pulumi:providers:kubernetes::dev",
            {
                "kubeconfig": KUBECONFIG,
                "context": "admin@dev",
                "clusterIdentifier": "dev",
                "enableSecretMutable": "true",
            },
        ),
        _object("kubernetes:core/v1:Namespace", NAMESPACE, {}),
        _object(
            "kubernetes:core/v1:PersistentVolume",
            "store",
            {"spec": {"persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "10.77.3.30"}}},
        ),
        _in_velero("kubernetes:core/v1:Secret", "velero-store-1", {"stringData": {"cloud": CLOUD}}),
        _in_velero(
            "kubernetes:core/v1:Secret",
            "velero-repo-credentials",
            {"data": {"repository-password": in_base64("sentinel-repository-password")}},
        ),
        _in_velero(
            "kubernetes:core/v1:ConfigMap",
            "volume-policy",
            {"data": {"policies.yaml": "version: v1"}},
        ),
        Resource(
            "kubernetes:helm.sh/v3:Release",
            "velero",
            f"{PREFIX}kubernetes:helm.sh/v3:Release::velero",
            {
                "name": "velero",
                "namespace": NAMESPACE,
                "chart": "velero",
                "version": "12.1.0",
                "values": velero_values(),
            },
        ),
        _in_velero(
            "kubernetes:velero.io/v1:BackupStorageLocation",
            "default",
            {
                "spec": {
                    "provider": "aws",
                    "default": True,
                    "objectStorage": {
                        "bucket": "dev-velero",
                        "caCertRef": {"name": "velero-store-ca", "key": "ca.crt"},
                    },
                    "credential": {"name": "velero-store-1", "key": "cloud"},
                    "config": {"region": "eu-west-1", "s3Url": STORE, "s3ForcePathStyle": "true"},
                }
            },
        ),
        _in_velero(
            "kubernetes:velero.io/v1:Schedule",
            "daily",
            {
                "spec": {
                    "schedule": "0 2 * * *",
                    "paused": False,
                    "useOwnerReferencesInBackup": False,
                    "template": template(),
                }
            },
        ),
        _in_velero(
            "kubernetes:velero.io/v1:Schedule",
            "hourly",
            {
                "spec": {
                    "schedule": "17 * * * *",
                    "template": {"ttl": "48h0m0s", "includedNamespaces": ["shop", "wiki-*"]},
                }
            },
        ),
        _object(
            "kubernetes:snapshot.storage.k8s.io/v1:VolumeSnapshotClass",
            "longhorn-backup",
            {
                "driver": "driver.longhorn.io",
                "deletionPolicy": "Retain",
                "parameters": {"type": "bak"},
            },
            labels={"velero.io/csi-volumesnapshot-class": "true"},
        ),
        _object(
            "kubernetes:apps/v1:Deployment",
            "snapshot-controller",
            {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "snapshot-controller",
                                    "image": CONTROLLER,
                                }
                            ]
                        }
                    }
                }
            },
            namespace="kube-system",
        ),
    ]
