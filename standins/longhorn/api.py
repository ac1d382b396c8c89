"""The API server, asked as a pod asks it: its Service, the account's token, nothing but https."""

import contextlib
import http.client
import json
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from standins.longhorn.kinds import Kind, Object

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MANAGER = "longhorn-manager"
"""Who writes, as the real manager is named among the owners of fields."""

SECONDS = 30.0
# The server ends a watch after so long; what was missed meanwhile is listed anew then.
WATCH_SECONDS = 300
GONE = 410
_MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refuses. `status`: the HTTP status code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Listing(NamedTuple):
    """All objects of a kind, and the version to watch from."""

    items: list[Object]
    version: str


class Event(NamedTuple):
    """ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    object: Object


class Api(Protocol):
    """What the API server does. Raises ApiError when it refuses, OSError when it is not there."""

    def listing(self, kind: Kind, namespace: str) -> Listing: ...
    def watch(self, kind: Kind, namespace: str, version: str) -> Iterator[Event]: ...
    def create(self, kind: Kind, namespace: str, body: Object) -> Object: ...
    def patch(
        self, kind: Kind, namespace: str, name: str, changes: Mapping[str, Any], sub: str = ""
    ) -> Object: ...
    def delete(self, kind: Kind, namespace: str, name: str) -> None: ...


@dataclass(frozen=True)
class HttpApi:
    """The API server at an address. Safe in threads, one connection for each."""

    host: str
    port: int
    context: ssl.SSLContext
    token: Path
    _here: threading.local = field(default_factory=threading.local)

    @classmethod
    def of_pod(cls, environment: Mapping[str, str] = os.environ) -> "HttpApi":
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        port = int(environment["KUBERNETES_SERVICE_PORT"])
        return cls(environment["KUBERNETES_SERVICE_HOST"], port, context, ACCOUNT / "token")

    def listing(self, kind: Kind, namespace: str) -> Listing:
        found = self._ask("GET", kind.path(namespace))
        about = {"apiVersion": kind.version, "kind": kind.name}
        return Listing(
            # Items of a list do not say what they are.
            [{**about, **one} for one in found["items"]],
            str(found["metadata"]["resourceVersion"]),
        )

    def watch(self, kind: Kind, namespace: str, version: str) -> Iterator[Event]:
        """Until the server ends it. Raises ApiError 410 when the version is too old."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        connection = self._connect(WATCH_SECONDS + SECONDS)
        try:
            answer = self._send(connection, "GET", f"{kind.path(namespace)}?{urlencode(query)}")
            while line := answer.readline():
                event = json.loads(line)
                found = event["object"]
                if event["type"] == "ERROR":
                    raise ApiError(int(found.get("code", 500)), str(found.get("message", "")))
                yield Event(event["type"], found)
        finally:
            connection.close()

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        return self._ask("POST", kind.path(namespace), body)

    def patch(
        self, kind: Kind, namespace: str, name: str, changes: Mapping[str, Any], sub: str = ""
    ) -> Object:
        return self._ask("PATCH", kind.path(namespace, name, sub), changes, _MERGE)

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        self._ask("DELETE", kind.path(namespace, name))

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> Object:
        writes = method in ("POST", "PATCH")
        place = f"{path}?fieldManager={MANAGER}" if writes else path
        try:
            answer = self._send(self._held(), method, place, body, content)
            found: Object = json.loads(answer.read())
        except ApiError:
            raise
        except BaseException:
            self._forget()
            raise
        return found

    def _send(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> http.client.HTTPResponse:
        # Read each time, for the kubelet renews it.
        token = self.token.read_text(encoding="utf-8").strip()
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": MANAGER,
        }
        if body is not None:
            headers["Content-Type"] = content
        connection.request(
            method, path, body=None if body is None else json.dumps(body), headers=headers
        )
        answer = connection.getresponse()
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, _message(answer.read()))
        return answer

    def _connect(self, seconds: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=seconds, context=self.context
        )

    def _held(self) -> http.client.HTTPSConnection:
        held: http.client.HTTPSConnection | None = getattr(self._here, "connection", None)
        if held is None:
            held = self._here.connection = self._connect(SECONDS)
        return held

    def _forget(self) -> None:
        held = getattr(self._here, "connection", None)
        self._here.connection = None
        if held is not None:
            with contextlib.suppress(OSError):
                held.close()


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")
