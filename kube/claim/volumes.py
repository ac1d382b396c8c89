"""Volumes and claims of a real cluster, as `binding` needs them."""

from collections.abc import Mapping
from typing import Any

from kube import places
from kube.claim.binding import Object
from kube.client import connect
from kube.kubeconfig import Kubeconfig
from kube.writer import open_writer

_VOLUMES = "/api/v1/persistentvolumes"


class ClusterVolumes:
    """Reads through the thin client; the one thing written is a patch of a volume."""

    def __init__(self, kubeconfig: Kubeconfig) -> None:
        self._client = connect(kubeconfig)
        self._writer = open_writer(kubeconfig)

    def _found(self, path: str) -> Object | None:
        return places.at(self._client, path)

    def volume(self, name: str) -> Object | None:
        return self._found(f"{_VOLUMES}/{name}")

    def volumes(self, labels: Mapping[str, str]) -> list[Object]:
        return list(self._client.list(_VOLUMES, labels=labels))

    def claim(self, namespace: str, name: str) -> Object | None:
        return self._found(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")

    def patch_volume(self, name: str, patch: Mapping[str, Any]) -> None:
        """Raises ClusterError when the API server refuses or is not reached."""
        self._writer.merge(f"{_VOLUMES}/{name}", patch)
