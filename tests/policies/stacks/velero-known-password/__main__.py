"""Broken on purpose: without a Secret for it, Velero takes a password that everybody knows."""

import json

import pulumi
import pulumi_kubernetes as kubernetes

# Nothing answers there: what is refused is refused before a cluster is asked.
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "dev",
    "clusters": [{"name": "dev", "cluster": {"server": "https://127.0.0.1:1"}}],
    "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev"}}],
    "users": [{"name": "dev", "user": {"token": "sentinel-cluster-token"}}],
}
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(json.dumps(KUBECONFIG)),
    context="dev",
    cluster_identifier="dev",
)
kubernetes.helm.v3.Release(
    "velero",
    name="velero",
    namespace="velero",
    chart="./charts/velero",
    values={
        "image": {"repository": "velero/velero", "tag": "v1.18.1"},
        "initContainers": [{"name": "aws", "image": "velero/velero-plugin-for-aws:v1.14.3"}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "backupsEnabled": False,
        "snapshotsEnabled": False,
        "cleanUpCRDs": False,
    },
    opts=pulumi.ResourceOptions(provider=cluster),
)
