"""Kubeconfigs that no server has to be there for."""

from typing import Any

import yaml

SECRET = "SENTINEL-token"


def content(**cluster: Any) -> dict[str, Any]:
    """A sound kubeconfig of two contexts; `cluster` changes the first one's cluster."""
    first = {"server": "https://127.0.0.1:1", "certificate-authority-data": "QUFB", **cluster}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [
            {"name": "c1", "cluster": first},
            {"name": "c2", "cluster": {"server": "https://two.example:6443"}},
        ],
        "users": [
            {"name": "u1", "user": {"token": SECRET}},
            {"name": "u2", "user": {"token": "SENTINEL-other"}},
        ],
        "contexts": [
            {"name": "one", "context": {"cluster": "c1", "user": "u1"}},
            {"name": "two", "context": {"cluster": "c2", "user": "u2"}},
        ],
    }


def text(**cluster: Any) -> str:
    return yaml.safe_dump(content(**cluster))
