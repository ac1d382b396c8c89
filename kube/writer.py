"""The few changes the commands make in a cluster: create, merge and delete single objects.

Each is sent once. What to do when the answer was lost is known only to the caller: creating an
object of a given name again says that it exists, and deleting it again that it is gone.
"""

import json
from collections.abc import Mapping
from typing import Any

from kube.client import Exchange, open_exchange
from kube.errors import Cause, ClusterError, classify, cluster_error, refused
from kube.kubeconfig import Kubeconfig

MANAGER = "backstop"
_CONFLICT = 409


class ExistsError(ClusterError):
    """An object of that name is there already."""


class Writer:
    """Changes in one cluster. `server`: the address that errors name."""

    def __init__(self, exchange: Exchange, server: str) -> None:
        self.server = server
        self._exchange = exchange

    def create(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object in the collection `path`; returns it as the server holds it.

        Raises:
            ExistsError: an object of that name is there already.
            ClusterError: the cluster is not reached, or refuses.
        """
        return self._send("POST", path, content, "application/json")

    def merge(self, path: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merges `patch` into the object at `path`. Raises ClusterError."""
        return self._send("PATCH", path, patch, "application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Deletes the object at `path`, its dependents after it; one that is gone is deleted."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            self._send("DELETE", path, options, "application/json")
        except ClusterError as error:
            if error.cause is not Cause.MISSING:
                raise

    def _send(
        self, method: str, path: str, content: Mapping[str, Any], content_type: str
    ) -> dict[str, Any]:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  (slow to import)

        query = {} if method == "DELETE" else {"fieldManager": MANAGER}
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            status, body = self._exchange(
                method, path, query, headers, json.dumps(content).encode()
            )
        except (HTTPError, OSError) as error:
            raise classify(error, self.server) from error
        if status == _CONFLICT and method == "POST":
            raise ExistsError(Cause.OTHER, str(refused(status, body, self.server)))
        if not 200 <= status < 300:  # noqa: PLR2004  (HTTP's own range)
            raise refused(status, body, self.server)
        try:
            answer = json.loads(body)
        except ValueError:
            raise cluster_error(Cause.NO_API, self.server, "no JSON") from None
        return answer if isinstance(answer, dict) else {}


def open_writer(kubeconfig: Kubeconfig) -> Writer:
    """A writer to the cluster of `kubeconfig`. Nothing is sent yet. Raises ClusterError."""
    return Writer(open_exchange(kubeconfig), kubeconfig.server)
