"""Volumes and claims of a real cluster, as `binding` needs them."""

import json
from collections.abc import Mapping
from typing import Any

from kube.claim.binding import Object
from kube.client import CONNECT_SECONDS, READ_SECONDS, Client, api_client, connect
from kube.errors import Cause, ClusterError, classify, refused
from kube.kubeconfig import Kubeconfig

_VOLUMES = "/api/v1/persistentvolumes"
_CONFLICT = 409


class ClusterVolumes:
    """Reads through the thin client; the one thing written is a patch of a volume."""

    def __init__(self, kubeconfig: Kubeconfig) -> None:
        self._kubeconfig = kubeconfig
        self._client: Client = connect(kubeconfig)

    def _found(self, path: str) -> Object | None:
        try:
            return self._client.get(path)
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return None
            raise

    def volume(self, name: str) -> Object | None:
        return self._found(f"{_VOLUMES}/{name}")

    def volumes(self, labels: Mapping[str, str]) -> list[Object]:
        return [
            found
            for found in self._client.list(_VOLUMES)
            if labels.items() <= (found["metadata"].get("labels") or {}).items()
        ]

    def claim(self, namespace: str, name: str) -> Object | None:
        return self._found(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")

    def patch_volume(self, name: str, patch: Mapping[str, Any]) -> None:
        """Raises ClusterError when the API server refuses or is not reached."""
        import urllib3  # noqa: PLC0415  (slow to import, and only this needs it)

        api = api_client(self._kubeconfig)
        headers = {"Content-Type": "application/merge-patch+json", "Accept": "application/json"}
        api.update_params_for_auth(headers, [], ["BearerToken"])
        try:
            answer = api.rest_client.pool_manager.request(
                "PATCH",
                f"{api.configuration.host}{_VOLUMES}/{name}",
                body=json.dumps(patch),
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise classify(error, self._kubeconfig.server) from error
        # A conflict is the volume controller's own write; whoever waits looks again.
        if answer.status >= 300 and answer.status != _CONFLICT:  # noqa: PLR2004 (HTTP's own range)
            raise refused(int(answer.status), bytes(answer.data), self._kubeconfig.server)
