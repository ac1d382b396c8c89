"""The changes the program makes in a cluster: create, apply, merge and delete single objects.

Without patience each is sent once. With patience a request is sent again as long as that is safe: a
change that is the same when it is made twice, and a creation that the server surely did not make.
When the answer to a creation was lost, only the caller knows what to do: creating an object of a
given name again says that it exists, and deleting it again that it is gone.
"""

import json
from collections.abc import Mapping
from typing import Any

from kube.client import Clock
from kube.connection import Exchange, open_exchange
from kube.errors import RETRIED, Cause, ClusterError, classify, cluster_error, refused
from kube.kubeconfig import Kubeconfig

MANAGER = "backstop"
_TOO_MANY_REQUESTS = 429
_FORBIDDEN = 403
_CONFLICT = 409


class ExistsError(ClusterError):
    """An object of that name is there already."""


class _UnmadeError(ClusterError):
    """A creation that the server certainly did not make, and may make if it is asked again."""


class Writer:
    """Changes in one cluster. `server`: the address that errors name.

    `patience`: for how many seconds a request is repeated where that is safe.
    """

    def __init__(
        self,
        exchange: Exchange,
        server: str,
        *,
        clock: Clock | None = None,
        patience: float = 0.0,
    ) -> None:
        self.server = server
        self._exchange = exchange
        self._clock = clock or Clock()
        self._patience = patience

    def create(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object in the collection `path`; returns it as the server holds it.

        Raises:
            ExistsError: an object of that name is there already.
            ClusterError: the cluster is not reached, or refuses.
        """
        query = {"fieldManager": MANAGER}
        return self._send("POST", path, query, content, "application/json")

    def apply(
        self, path: str, content: Mapping[str, Any], *, force: bool = False
    ) -> dict[str, Any]:
        """Server-side apply of `content`, whole as it is meant, to the object at `path`.

        `force`: take over fields that another manager holds.

        Raises:
            ClusterError: of cause CONFLICT if another manager holds one of the fields.
        """
        query = {"fieldManager": MANAGER, "force": "true" if force else "false"}
        # The server reads this type as YAML, which JSON is.
        return self._send("PATCH", path, query, content, "application/apply-patch+yaml")

    def merge(self, path: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merges `patch` into the object at `path`.

        A `metadata.resourceVersion` in it must be the object's, else the cause is CONFLICT; so must
        a `metadata.uid`, else it is INVALID. Raises ClusterError.
        """
        query = {"fieldManager": MANAGER}
        return self._send("PATCH", path, query, patch, "application/merge-patch+json")

    def delete(
        self,
        path: str,
        *,
        propagation: str = "Background",
        uid: str = "",
        resource_version: str = "",
        grace_seconds: int | None = None,
    ) -> None:
        """Deletes the object at `path`; one that is gone is deleted.

        `propagation`: Background (dependents after it), Foreground (before it) or Orphan. `uid` and
        `resource_version`: only the object that has these.

        Raises:
            ClusterError: of cause CONFLICT if the object there is another one.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in wanted.items() if value}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            **({"preconditions": preconditions} if preconditions else {}),
            **({} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}),
        }
        try:
            self._send("DELETE", path, {}, options, "application/json")
        except ClusterError as error:
            if error.cause is not Cause.MISSING:
                raise

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        content: Mapping[str, Any],
        content_type: str,
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        body = json.dumps(content).encode()
        deadline = self._clock.now() + self._patience
        wait = 0.5
        while True:
            try:
                return self._once(method, path, query, headers, body)
            except ClusterError as error:
                again = isinstance(error, _UnmadeError) or (
                    method != "POST" and error.cause in RETRIED
                )
                if not again or self._clock.now() + wait > deadline:
                    raise
            self._clock.sleep(wait)
            wait = min(wait * 2, 4.0)

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> dict[str, Any]:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  (slow to import)

        try:
            status, answer = self._exchange(method, path, query, headers, body)
        except (HTTPError, OSError) as error:
            known = classify(error, self.server)
            if known.cause in RETRIED and _never_sent(error):
                raise _UnmadeError(known.cause, str(known)) from error
            raise known from error
        if not 200 <= status < 300:  # noqa: PLR2004  (HTTP's own range)
            raise _refusal(refused(status, answer, self.server), status, method)
        try:
            content = json.loads(answer)
        except ValueError:
            raise cluster_error(Cause.NO_API, self.server, "no JSON") from None
        return content if isinstance(content, dict) else {}


def _refusal(error: ClusterError, status: int, method: str) -> ClusterError:
    if error.cause is Cause.EXISTS:
        return ExistsError(error.cause, str(error))
    # Turned away before it was stored: too many requests, admission that starts, or another request
    # that was counted against the same quota at the same moment.
    unmade = (error.cause is Cause.BUSY and status in (_TOO_MANY_REQUESTS, _FORBIDDEN)) or (
        error.cause is Cause.CONFLICT and status == _CONFLICT and method == "POST"
    )
    return _UnmadeError(error.cause, str(error)) if unmade else error


def _never_sent(error: Exception) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError  # noqa: PLC0415

    return isinstance(error, ConnectTimeoutError | NewConnectionError)


def open_writer(kubeconfig: Kubeconfig, *, patience: float = 0.0) -> Writer:
    """A writer to the cluster of `kubeconfig`. Nothing is sent yet. Raises ClusterError."""
    return Writer(open_exchange(kubeconfig), kubeconfig.server, patience=patience)
