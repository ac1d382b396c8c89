"""Reads of a cluster's API: bounded in time, one error each. Nothing here writes."""

import datetime
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kube.connection import (
    Exchange,
    Stream,
    api_client,
    certificate_end,
    exchange_of,
    stream_of,
)
from kube.errors import RETRIED, Cause, ClusterError, classify, cluster_error, expired, refused
from kube.kubeconfig import Kubeconfig

# An API server that restarts is back within this; one that is down is told so after it.
PATIENCE_SECONDS = 20.0
PAGE = 500
# How often a listing that grew too old while it was read is begun again.
RESTARTS = 3
_SUCCESS = range(200, 300)
_LONGEST_REFUSAL = 65536
# Names and labels only: a cluster's CRDs alone are megabytes.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Send = Callable[[str, Mapping[str, str], str], tuple[int, bytes]]
"""(path, query, accept) -> (HTTP status, body). Raises what urllib3 and the TLS library raise."""

Object = Mapping[str, Any]
"""An object as the API server gives it."""


@dataclass(frozen=True)
class Page:
    """A part of a collection, and the state of the cluster it belongs to.

    `anew`: the listing had to begin again with this page; every page before it is void.
    """

    items: list[dict[str, Any]]
    resource_version: str
    anew: bool = False


class SilenceError(ClusterError):
    """An answer that was still coming went silent without an end."""


@dataclass(frozen=True)
class Clock:
    """Time as the retries see it."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Client:
    """One cluster. `server`: the address that errors name."""

    def __init__(
        self,
        send: Send,
        server: str,
        *,
        stream: Stream | None = None,
        clock: Clock | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.server = server
        self._send = send
        self._stream = stream
        self._clock = clock or Clock()
        self._patience = patience

    def get(self, path: str, *, accept: str = "application/json") -> dict[str, Any]:
        """One object. Raises ClusterError, of cause MISSING if it does not exist."""
        return self._ask(path, {}, accept)

    def list(
        self,
        path: str,
        *,
        metadata_only: bool = False,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Every object of a collection, page by page; empty if the cluster has no such kind.

        `labels`: only objects that carry all of them. `fields`: only objects with these values.
        """
        found: list[dict[str, Any]] = []
        try:
            for page in self.pages(path, metadata_only=metadata_only, labels=labels, fields=fields):
                found = page.items if page.anew else found + page.items
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return []
            raise
        return found

    def pages(
        self,
        path: str,
        *,
        metadata_only: bool = False,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        limit: int = PAGE,
    ) -> Iterator[Page]:
        """A collection in parts of `limit` objects, of which one is held at a time.

        A listing that takes longer than the cluster keeps its history (five minutes by default) is
        begun again up to RESTARTS times; `Page.anew` says so.

        Raises:
            ClusterError: of cause MISSING if the cluster has no such kind.
        """
        first = {"limit": str(limit), **_selection(labels, fields)}
        accept = _METADATA_ONLY if metadata_only else "application/json"
        following, anew, restarts = "", False, RESTARTS
        while True:
            query = {**first, "continue": following} if following else first
            try:
                page = self._ask(path, query, accept)
            except ClusterError as error:
                if error.cause is not Cause.GONE or not following or not restarts:
                    raise
                following, anew, restarts = "", True, restarts - 1
                continue
            metadata = page.get("metadata") or {}
            yield Page(page.get("items") or [], str(metadata.get("resourceVersion") or ""), anew)
            following, anew = str(metadata.get("continue") or ""), False
            if not following:
                return

    def watch(
        self,
        path: str,
        *,
        since: str,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        seconds: float,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Changes of a collection after the state `since`: (ADDED, MODIFIED or DELETED, object).

        Ends after `seconds` of silence or so at the latest, or when the server ends it.

        Raises:
            ClusterError: of cause GONE if the server does not know that state any more; or the
                connection breaks.
        """
        query = {
            "watch": "1",
            "resourceVersion": since,
            "timeoutSeconds": str(max(1, math.ceil(seconds))),
            **_selection(labels, fields),
        }
        try:
            for line in _lines(self.stream(path, query, silence=seconds)):
                yield self._event(line)
        except SilenceError:
            return

    def stream(self, path: str, query: Mapping[str, str], *, silence: float) -> Iterator[bytes]:
        """The body of an answer as it comes, in chunks; close the iterator to break it off.

        Asked once, without patience: only the caller knows what half an answer is worth.

        Raises:
            SilenceError: nothing came for `silence` seconds.
            ClusterError: refused, or cut off; never a short answer that looks whole.
        """
        from urllib3.exceptions import HTTPError, ReadTimeoutError  # noqa: PLC0415  (slow)

        if self._stream is None:
            raise cluster_error(Cause.OTHER, self.server, "this client reads no streams")
        try:
            status, body = self._stream(path, query, silence)
            if status not in _SUCCESS:
                raise refused(status, b"".join(body)[:_LONGEST_REFUSAL], self.server)
            yield from body
        except ReadTimeoutError as error:
            text = str(cluster_error(Cause.UNREACHABLE, self.server))
            raise SilenceError(Cause.UNREACHABLE, text) from error
        except (HTTPError, OSError) as error:
            raise classify(error, self.server) from error

    def _event(self, line: bytes) -> tuple[str, dict[str, Any]]:
        try:
            event = json.loads(line)
            kind, found = str(event["type"]), dict(event["object"])
        except (ValueError, KeyError, TypeError):
            raise cluster_error(Cause.NO_API, self.server, "no watch event") from None
        if kind == "ERROR":
            raise refused(int(found.get("code") or 0), json.dumps(found).encode(), self.server)
        return kind, found

    def _ask(self, path: str, query: Mapping[str, str], accept: str) -> dict[str, Any]:
        deadline = self._clock.now() + self._patience
        wait = 0.5
        while True:
            try:
                return self._once(path, query, accept)
            except ClusterError as error:
                if error.cause not in RETRIED or self._clock.now() + wait > deadline:
                    raise
            self._clock.sleep(wait)
            wait = min(wait * 2, 4.0)

    def _once(self, path: str, query: Mapping[str, str], accept: str) -> dict[str, Any]:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  (slow to import)

        try:
            status, body = self._send(path, query, accept)
        except (HTTPError, OSError) as error:
            raise classify(error, self.server) from error
        if status not in _SUCCESS:
            raise refused(status, body, self.server)
        try:
            content = json.loads(body)
        except ValueError:
            raise cluster_error(Cause.NO_API, self.server, "no JSON") from None
        if not isinstance(content, dict):
            raise cluster_error(Cause.NO_API, self.server, "no object")
        return content


def connect(kubeconfig: Kubeconfig, *, patience: float = PATIENCE_SECONDS) -> Client:
    """A client of the cluster in `kubeconfig`. Nothing is sent yet.

    Raises:
        ClusterError: the client certificate has ended, or the credential cannot be loaded.
    """
    ended = certificate_end(kubeconfig)
    if ended is not None and ended < datetime.datetime.now(datetime.UTC):
        raise expired(ended, kubeconfig.server)
    api = api_client(kubeconfig)
    return Client(
        _sender(exchange_of(api)), kubeconfig.server, stream=stream_of(api), patience=patience
    )


def _sender(exchange: Exchange) -> Send:
    def send(path: str, query: Mapping[str, str], accept: str) -> tuple[int, bytes]:
        return exchange("GET", path, query, {"Accept": accept}, b"")

    return send


def _selection(
    labels: Mapping[str, str] | None, fields: Mapping[str, str] | None
) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {
        key: ",".join(f"{name}={value}" for name, value in held.items())
        for key, held in chosen.items()
        if held
    }


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines of a stream; one that was cut off is none."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
