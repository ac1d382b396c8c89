"""The objects of Velero's namespace as the API takes them, but for what they hold: plain data."""

from collections.abc import Mapping
from typing import Any

from kube import marks

# File-system backup needs host paths and root; the label keeps Velero out of its own backups.
NAMESPACE_LABELS = {
    "pod-security.kubernetes.io/enforce": "privileged",
    "pod-security.kubernetes.io/audit": "privileged",
    "pod-security.kubernetes.io/warn": "privileged",
    "velero.io/exclude-from-backup": "true",
}
VELERO_API = "velero.io/v1"
OPAQUE = "Opaque"


def namespace(site: str, name: str) -> dict[str, Any]:
    """The namespace that Velero runs in."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**marks.labels(site), **NAMESPACE_LABELS}},
    }


def core(site: str, kind: str, namespace: str, name: str, data: object) -> dict[str, Any]:
    """A Secret or a ConfigMap with the site's mark."""
    metadata = {"name": name, "namespace": namespace, "labels": marks.labels(site)}
    found = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}
    # The type can never be changed. Left to the API server's default, it would look like a change
    # to a new state that takes the Secret over.
    return {**found, "type": OPAQUE} if kind == "Secret" else found


def velero(site: str, kind: str, namespace: str, name: str, spec: object) -> dict[str, Any]:
    """An object of Velero's own kinds with the site's mark."""
    metadata = {"name": name, "namespace": namespace, "labels": marks.labels(site)}
    return {"apiVersion": VELERO_API, "kind": kind, "metadata": metadata, "spec": spec}


def unnamed_secret(
    site: str, namespace: str, labels: Mapping[str, str], data: object
) -> dict[str, Any]:
    """A Secret whose name the provider makes up: one that no object had before."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "labels": {**marks.labels(site), **labels}},
        "type": OPAQUE,
        "data": data,
    }
