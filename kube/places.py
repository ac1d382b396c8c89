"""Where the API server keeps an object, as the server itself tells it."""

from typing import Any
from urllib.parse import quote

from kube.client import Client
from kube.errors import Cause, ClusterError


def object_path(
    client: Client, api_version: str, kind: str, namespace: str, name: str
) -> str | None:
    """The path of an object; None if the server has no such kind. Raises ClusterError.

    `namespace` is left out for a kind without namespaces.
    """
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    try:
        served: list[dict[str, Any]] = client.get(root).get("resources") or []
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return None
        raise
    for one in served:
        if one.get("kind") == kind and "/" not in str(one.get("name")):
            inside = f"/namespaces/{quote(namespace, safe='')}" if one.get("namespaced") else ""
            return f"{root}{inside}/{one['name']}/{quote(name, safe='')}"
    return None


def at(client: Client, path: str) -> dict[str, Any] | None:
    """The object at a path, None if there is none. Raises ClusterError."""
    try:
        return client.get(path)
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return None
        raise


def find(
    client: Client, api_version: str, kind: str, namespace: str, name: str
) -> dict[str, Any] | None:
    """The object as the server holds it, None if it does not exist. Raises ClusterError."""
    path = object_path(client, api_version, kind, namespace, name)
    if path is None:
        return None
    return at(client, path)
