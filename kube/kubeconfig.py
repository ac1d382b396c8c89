"""A kubeconfig reduced to the one context that is used, and checked: pure text in, text out.

The reduced text is the same for every order, comment and other context of the file it came from, so
that a stack shows no change when its operator adds a cluster to the same file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from kube.errors import Cause, ClusterError

_FLATTEN = "write it with `kubectl config view --minify --flatten --raw`"
_FILES = {
    "certificate-authority": "cluster",
    "client-certificate": "user",
    "client-key": "user",
    "tokenFile": "user",
}


@dataclass(frozen=True)
class Kubeconfig:
    """`text`: the reduced kubeconfig (secret). `server`: https://host:port."""

    text: str = field(repr=False)
    context: str
    server: str

    @property
    def content(self) -> dict[str, Any]:
        """The kubeconfig as the client's loader takes it."""
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded

    @property
    def user(self) -> dict[str, Any]:
        """The credential of the context."""
        found: dict[str, Any] = self.content["users"][0]["user"]
        return found


def parse(text: str, context: str = "") -> Kubeconfig:
    """The kubeconfig in `text`, reduced to `context` ("": the current one).

    Raises:
        ClusterError: of cause KUBECONFIG, one sentence; no value of the file is repeated.
    """
    content = _mapping(text)
    name = context or str(content.get("current-context") or "")
    if not name:
        raise _fault("it has no current context; set config backstop:cluster.context")
    chosen = _named(content, "contexts", "context", name)
    cluster_name, user_name = str(chosen.get("cluster", "")), str(chosen.get("user", ""))
    cluster = _named(content, "clusters", "cluster", cluster_name)
    user = _named(content, "users", "user", user_name)
    _check(cluster, user)
    reduced = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": cluster_name, "user": user_name}}],
        "users": [{"name": user_name, "user": user}],
    }
    try:
        # A date in an annotation of somebody's plugin is no JSON; it is text to everyone.
        reduced_text = json.dumps(reduced, sort_keys=True, default=str)
    except (TypeError, ValueError):
        raise _fault("it holds what no kubeconfig holds; take the cluster's own") from None
    return Kubeconfig(reduced_text, name, str(cluster["server"]))


def _fault(text: str) -> ClusterError:
    # Names in the file may hold line breaks; a fault is one line.
    return ClusterError(
        Cause.KUBECONFIG, f"the kubeconfig cannot be used: {' '.join(text.split())}"
    )


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # its message would show lines of the file
        raise _fault("it is no YAML; take the cluster's own") from None
    if not isinstance(content, dict) or content.get("kind", "Config") != "Config":
        raise _fault("it is no object of kind Config; take the cluster's own")
    return content


def _named(content: Mapping[str, Any], listing: str, key: str, name: str) -> dict[str, Any]:
    entries = content.get(listing) or []
    entries = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    for entry in entries:
        if entry.get("name") == name and isinstance(entry.get(key), dict):
            return dict(entry[key])
    there = ", ".join(sorted(str(entry.get("name")) for entry in entries)) or "none"
    cure = "correct config backstop:cluster.context" if key == "context" else "correct the file"
    raise _fault(f"it has no {key} named {name or 'at all'} (there: {there}); {cure}")


def _check(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith("https://"):
        raise _fault("its cluster has no https:// server; correct the file")
    if cluster.get("insecure-skip-tls-verify"):
        raise _fault(
            "it turns TLS checking off (insecure-skip-tls-verify); give the cluster's CA in "
            "certificate-authority-data"
        )
    for key, where in _FILES.items():
        if (cluster if where == "cluster" else user).get(key):
            raise _fault(f"it names a file ({key}), which is not on every machine; {_FLATTEN}")
