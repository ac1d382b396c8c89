"""What can go wrong between this machine and the API server, one cause each.

`classify` turns what the client, urllib3 or the TLS library raised into a `ClusterError` whose text
is one sentence with the cure. Callers decide by `cause`, never by text.
"""

import datetime
import json
import ssl
from collections.abc import Iterator
from enum import StrEnum
from typing import Any


class Cause(StrEnum):
    """Why a request failed."""

    KUBECONFIG = "kubeconfig"
    UNREACHABLE = "unreachable"
    TLS_UNKNOWN_AUTHORITY = "tls-unknown-authority"
    TLS_EXPIRED = "tls-expired"
    TLS_NAME = "tls-name"
    CREDENTIAL_EXPIRED = "credential-expired"
    CREDENTIAL_REFUSED = "credential-refused"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    BUSY = "busy"
    NO_API = "no-api"
    OTHER = "other"


class ClusterError(Exception):
    """A failed request to the cluster: `cause` for decisions, the text for people."""

    def __init__(self, cause: Cause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


RETRIED = frozenset({Cause.UNREACHABLE, Cause.BUSY})
"""Causes that pass by themselves, as when an API server restarts."""

_SENTENCES = {
    Cause.UNREACHABLE: (
        "the API server at {at} does not answer; check that it runs and that its port is open to "
        "this machine"
    ),
    Cause.TLS_UNKNOWN_AUTHORITY: (
        "the certificate of {at} was not signed by the CA in the kubeconfig; take the kubeconfig "
        "of this cluster"
    ),
    Cause.TLS_EXPIRED: (
        "the certificate of {at} is not valid at this time; renew it there, or set the clocks right"
    ),
    Cause.TLS_NAME: (
        "the certificate of {at} does not name that host; use a name or address it was issued for"
    ),
    Cause.CREDENTIAL_EXPIRED: (
        "the client certificate in the kubeconfig ended on {detail}; renew it at the cluster "
        "(kubeadm certs renew admin.conf) and take the new kubeconfig"
    ),
    Cause.CREDENTIAL_REFUSED: (
        "the API server at {at} does not know the kubeconfig's credential; take the kubeconfig of "
        "this cluster"
    ),
    Cause.FORBIDDEN: (
        "the API server at {at} forbids the kubeconfig's user what is needed ({detail}); use an "
        "administrator's"
    ),
    Cause.MISSING: "{at} has no such object ({detail})",
    Cause.BUSY: "the API server at {at} is starting or overloaded ({detail}); try again",
    Cause.NO_API: "{at} answers and is no Kubernetes API server ({detail}); correct the address",
    Cause.OTHER: "the API server at {at} answered unexpectedly: {detail}",
}

_NOT_FOUND = 404
_STATUS = {
    401: Cause.CREDENTIAL_REFUSED,
    403: Cause.FORBIDDEN,
    _NOT_FOUND: Cause.MISSING,
    429: Cause.BUSY,
    500: Cause.BUSY,
    502: Cause.BUSY,
    503: Cause.BUSY,
    504: Cause.BUSY,
}

# OpenSSL's X509_V_ERR_* numbers (x509_vfy.h), the only machine-readable part of a failed handshake.
_VERIFY_CODES = {
    9: Cause.TLS_EXPIRED,
    10: Cause.TLS_EXPIRED,
    62: Cause.TLS_NAME,
    63: Cause.TLS_NAME,
    64: Cause.TLS_NAME,
}


def cluster_error(cause: Cause, at: str, detail: str = "") -> ClusterError:
    """A ClusterError with the one sentence of its cause; `at` is the API server's address."""
    return ClusterError(cause, _SENTENCES[cause].replace("{at}", at).replace("{detail}", detail))


def refused(status: int, body: bytes, at: str) -> ClusterError:
    """What an answer other than success means. `body` is what the server sent along."""
    message = _message(body)
    if status == _NOT_FOUND and body.strip() == b"404 page not found":
        message = "no such kind"  # the server's plain answer for a group that it does not serve
    if message is None:
        if status in (502, 503, 504):
            return cluster_error(Cause.BUSY, at, f"HTTP status {status}")
        return cluster_error(Cause.NO_API, at, f"HTTP status {status}")
    return cluster_error(_STATUS.get(status, Cause.OTHER), at, message)


def _message(body: bytes) -> str | None:
    """The message of a Status object on one line, None for anything else."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        # The server's own health and panic handlers answer in plain text.
        return None
    if not isinstance(content, dict) or content.get("kind") != "Status":
        return None
    return " ".join(str(content.get("message") or content.get("reason") or "no reason").split())


def classify(error: Exception, at: str) -> ClusterError:
    """What urllib3, the client or the TLS library raised, as a ClusterError."""
    if isinstance(error, ClusterError):
        return error
    for link in _chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            cause = _VERIFY_CODES.get(link.verify_code, Cause.TLS_UNKNOWN_AUTHORITY)
            return cluster_error(cause, at)
        if isinstance(link, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(link.reason):
            return cluster_error(Cause.NO_API, at, "it speaks no TLS")
    return cluster_error(Cause.UNREACHABLE, at)


def expired(ended: datetime.datetime, at: str) -> ClusterError:
    """The kubeconfig's client certificate has ended."""
    return cluster_error(Cause.CREDENTIAL_EXPIRED, at, f"{ended:%Y-%m-%d %H:%M} UTC")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: urllib3 keeps the origin in `reason` or in `args`."""
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        link = pending.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        inner = (getattr(link, "reason", None), link.__cause__, link.__context__, *link.args)
        pending += [item for item in inner if isinstance(item, BaseException)]
