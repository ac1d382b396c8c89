"""Broken on purpose: what runs is whatever the tag means that day."""

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
    "app",
    name="app",
    namespace="app",
    chart="./chart",
    values={"image": {"repository": "registry.example/app", "tag": "latest"}},
    opts=pulumi.ResourceOptions(provider=cluster),
)
