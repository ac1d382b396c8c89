"""Reads of a cluster's API, from the text of a kubeconfig: bounded in time, one error each.

The official client does credentials and TLS; it is imported when the first client is made, so that
a site without a cluster does not pay for it. Nothing here writes.
"""

import base64
import binascii
import contextlib
import datetime
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cryptography import x509

from kube.errors import RETRIED, Cause, ClusterError, classify, cluster_error, expired, refused
from kube.kubeconfig import Kubeconfig

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# An API server that restarts is back within this; one that is down is told so after it.
PATIENCE_SECONDS = 20.0
PAGE = 500
_SUCCESS = range(200, 300)
# Names and labels only: a cluster's CRDs alone are megabytes.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Send = Callable[[str, Mapping[str, str], str], tuple[int, bytes]]
"""(path, query, accept) -> (HTTP status, body). Raises what urllib3 and the TLS library raise."""

Exchange = Callable[[str, str, Mapping[str, str], Mapping[str, str], bytes], tuple[int, bytes]]
"""(method, path, query, headers, body) -> (HTTP status, body). Raises as `Send` does."""


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
        clock: Clock | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.server = server
        self._send = send
        self._clock = clock or Clock()
        self._patience = patience

    def get(self, path: str) -> dict[str, Any]:
        """One object. Raises ClusterError, of cause MISSING if it does not exist."""
        return self._ask(path, {}, "application/json")

    def list(
        self, path: str, *, metadata_only: bool = False, labels: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Every object of a collection, page by page; empty if the cluster has no such kind.

        `labels`: only objects that carry all of them.
        """
        accept = _METADATA_ONLY if metadata_only else "application/json"
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        found: list[dict[str, Any]] = []
        while True:
            try:
                page = self._ask(path, query, accept)
            except ClusterError as error:
                if error.cause is Cause.MISSING:
                    return []
                raise
            found += page.get("items") or []
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return found
            query = {**query, "continue": str(following)}

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
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  (see the module's text)

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
    return Client(_sender(kubeconfig), kubeconfig.server, patience=patience)


def certificate_end(kubeconfig: Kubeconfig) -> datetime.datetime | None:
    """When the client certificate ends; None if the credential is another or cannot be read."""
    encoded = kubeconfig.user.get("client-certificate-data")
    if not encoded:
        return None
    with contextlib.suppress(ValueError, TypeError, binascii.Error):
        pem = base64.b64decode(encoded)
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    return None


def api_client(kubeconfig: Kubeconfig) -> Any:  # noqa: ANN401  (the official client is untyped)
    """The official client with the kubeconfig's credential and CA. Raises ClusterError."""
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415  (slow to import)
    from kubernetes.config import ConfigException  # noqa: PLC0415
    from kubernetes.config.kube_config import KubeConfigLoader  # noqa: PLC0415

    configuration = Configuration()
    try:
        KubeConfigLoader(kubeconfig.content).load_and_set(configuration)
        # The pool would load them with the first request, and the fault would look like the net's.
        trust = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            trust.load_cert_chain(configuration.cert_file, configuration.key_file)
        return ApiClient(configuration)
    except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
        raise ClusterError(
            Cause.KUBECONFIG,
            "the kubeconfig cannot be used: its credential or CA cannot be loaded "
            f"({type(error).__name__}); take the cluster's own",
        ) from None  # the message may hold what stands there


def _sender(kubeconfig: Kubeconfig) -> Send:
    exchange = open_exchange(kubeconfig)

    def send(path: str, query: Mapping[str, str], accept: str) -> tuple[int, bytes]:
        return exchange("GET", path, query, {"Accept": accept}, b"")

    return send


def open_exchange(kubeconfig: Kubeconfig) -> Exchange:
    """Single requests with the kubeconfig's credential, never repeated here. Nothing is sent yet.

    Raises:
        ClusterError: the credential cannot be loaded.
    """
    import urllib3  # noqa: PLC0415  (slow to import)

    api = api_client(kubeconfig)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)

    def exchange(
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, bytes]:
        signed = dict(headers)
        api.update_params_for_auth(signed, [], ["BearerToken"])
        # The pool below the client: its own call hides a failed handshake in an empty answer.
        answer = api.rest_client.pool_manager.request(
            method,
            api.configuration.host + path + (f"?{urlencode(query)}" if query else ""),
            body=body or None,
            headers=signed,
            timeout=timeout,
            retries=False,  # ours wait in between, and know what is worth it
            redirect=False,
        )
        return int(answer.status), bytes(answer.data)

    return exchange
