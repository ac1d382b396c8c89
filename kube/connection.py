"""The way to the API server, from the text of a kubeconfig: single requests, bounded in time.

The official client does credentials and TLS; it is imported when the first connection is made, so
that a site without a cluster does not pay for it.
"""

import base64
import binascii
import contextlib
import datetime
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from cryptography import x509

from kube.errors import Cause, ClusterError
from kube.kubeconfig import Kubeconfig

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
_CHUNK = 65536

Exchange = Callable[[str, str, Mapping[str, str], Mapping[str, str], bytes], tuple[int, bytes]]
"""(method, path, query, headers, body) -> (HTTP status, body). Raises what urllib3 and the TLS
library raise."""

Stream = Callable[[str, Mapping[str, str], float], tuple[int, Iterator[bytes]]]
"""(path, query, seconds of silence) -> (HTTP status, body as it comes). Raises as `Exchange` does,
the body too: a read timeout when nothing came for that long, another error when it was cut off."""


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
        tls_context(configuration)
        return ApiClient(configuration)
    except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
        raise ClusterError(
            Cause.KUBECONFIG,
            "the kubeconfig cannot be used: its credential or CA cannot be loaded "
            f"({type(error).__name__}); take the cluster's own",
        ) from None  # the message may hold what stands there


def tls_context(configuration: Any) -> ssl.SSLContext:  # noqa: ANN401
    """CA and client certificate of the official client's configuration.

    The pool would load them with the first request, and a fault would look like the net's.
    """
    trust = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        trust.load_cert_chain(configuration.cert_file, configuration.key_file)
    return trust


def open_exchange(kubeconfig: Kubeconfig) -> Exchange:
    """Single requests with the kubeconfig's credential, never repeated here. Nothing is sent yet.

    Raises:
        ClusterError: the credential cannot be loaded.
    """
    return exchange_of(api_client(kubeconfig))


def exchange_of(api: Any) -> Exchange:  # noqa: ANN401
    """Single requests through the official client's pool."""

    def exchange(
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, bytes]:
        answer = _request(
            api, method, path, query, headers=headers, body=body, silence=READ_SECONDS
        )
        return int(answer.status), bytes(answer.data)

    return exchange


def stream_of(api: Any) -> Stream:  # noqa: ANN401
    """Answers that are read as they come, through the official client's pool."""

    def stream(path: str, query: Mapping[str, str], silence: float) -> tuple[int, Iterator[bytes]]:
        accept = {"Accept": "*/*"}
        answer = _request(api, "GET", path, query, headers=accept, silence=silence, whole=False)
        return int(answer.status), _body(answer)

    return stream


def _body(answer: Any) -> Iterator[bytes]:  # noqa: ANN401
    try:
        yield from answer.stream(_CHUNK)
    finally:
        answer.close()


def _request(
    api: Any,  # noqa: ANN401
    method: str,
    path: str,
    query: Mapping[str, str],
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    silence: float,
    whole: bool = True,
) -> Any:  # noqa: ANN401
    import urllib3  # noqa: PLC0415  (slow to import)

    signed = dict(headers)
    api.update_params_for_auth(signed, [], ["BearerToken"])
    # The pool below the client: its own call hides a failed handshake in an empty answer.
    return api.rest_client.pool_manager.request(
        method,
        api.configuration.host + path + (f"?{urlencode(query)}" if query else ""),
        body=body or None,
        headers=signed,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=silence),
        retries=False,  # ours wait in between, and know what is worth it
        redirect=False,
        preload_content=whole,
    )
