"""What can go wrong between this machine and the API server, one cause each.

`classify` turns what the client, urllib3 or the TLS library raised into a `ClusterError` whose text
is one sentence with the cure. Callers decide by `cause`, never by text.
"""

import datetime
import json
import re
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
    EXISTS = "exists"
    CONFLICT = "conflict"
    GONE = "gone"
    INVALID = "invalid"
    QUOTA = "quota-exceeded"
    WEBHOOK_REFUSED = "webhook-refused"
    WEBHOOK_FAILED = "webhook-failed"
    ADMISSION = "admission-refused"
    TERMINATING = "namespace-terminating"
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
    Cause.EXISTS: "{at} has an object of that name already ({detail})",
    Cause.CONFLICT: (
        "the object is no longer as it was read, or is another one of its name ({detail}); read it "
        "again"
    ),
    Cause.GONE: "{at} does not hold that state of its objects any more ({detail}); list them anew",
    Cause.INVALID: "the API server at {at} refuses the request as invalid ({detail}); correct it",
    Cause.QUOTA: (
        "a quota of the namespace is used up ({detail}); raise it, or remove what it counts"
    ),
    Cause.WEBHOOK_REFUSED: (
        "an admission webhook of the cluster refuses the object ({detail}); do what it asks for, "
        "or leave the namespace out of its rules"
    ),
    Cause.WEBHOOK_FAILED: (
        "an admission webhook of the cluster does not answer ({detail}); start what serves it, or "
        "remove its configuration"
    ),
    Cause.ADMISSION: (
        "a rule of the cluster refuses the object ({detail}); correct the object, or the rule "
        "(Pod Security, LimitRange, admission policy)"
    ),
    Cause.TERMINATING: "the namespace is being deleted ({detail}); wait until it is gone",
    Cause.BUSY: "the API server at {at} is starting or overloaded ({detail}); try again",
    Cause.NO_API: "{at} answers and is no Kubernetes API server ({detail}); correct the address",
    Cause.OTHER: "the API server at {at} answered unexpectedly: {detail}",
}

_NOT_FOUND = 404
_STATUS = {
    400: Cause.INVALID,
    401: Cause.CREDENTIAL_REFUSED,
    403: Cause.FORBIDDEN,
    _NOT_FOUND: Cause.MISSING,
    409: Cause.CONFLICT,
    410: Cause.GONE,
    413: Cause.INVALID,
    422: Cause.INVALID,
    429: Cause.BUSY,
    500: Cause.BUSY,
    502: Cause.BUSY,
    503: Cause.BUSY,
    504: Cause.BUSY,
}

# What the server and its admission plugins say, where the status alone says too little. A missing
# right is "X is forbidden: User ... cannot ..."; every other "X is forbidden: ..." is admission's.
_SAID = (
    (re.compile(r'^admission webhook ".*" denied the request'), Cause.WEBHOOK_REFUSED),
    (re.compile(r"failed calling webhook"), Cause.WEBHOOK_FAILED),
    (re.compile(r"^ValidatingAdmissionPolicy .* denied request"), Cause.ADMISSION),
    (re.compile(r"is forbidden: .*(not yet ready to handle|status unknown for quota)"), Cause.BUSY),
    (re.compile(r"is forbidden: .*because it is being terminated"), Cause.TERMINATING),
    (re.compile(r"is forbidden: (exceeded|failed) quota"), Cause.QUOTA),
    (re.compile(r'is forbidden: (?![Uu]ser ")'), Cause.ADMISSION),
)
# Some messages repeat a whole object.
_LONGEST_MESSAGE = 1000

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
    told = _told(body)
    if status == _NOT_FOUND and body.strip() == b"404 page not found":
        # The server's plain answer for a group that it does not serve.
        return cluster_error(Cause.MISSING, at, "no such kind")
    if told is None:
        if status in (502, 503, 504):
            return cluster_error(Cause.BUSY, at, f"HTTP status {status}")
        return cluster_error(Cause.NO_API, at, f"HTTP status {status}")
    reason, message = told
    return cluster_error(_cause(status, reason, message), at, message)


def one_line(text: object, limit: int = 400) -> str:
    """A message without line breaks, cut where it becomes a dump."""
    joined = " ".join(str(text).split())
    return joined if len(joined) <= limit else joined[:limit] + " ..."


def _cause(status: int, reason: str, message: str) -> Cause:
    if reason == "AlreadyExists":
        return Cause.EXISTS
    said = (cause for pattern, cause in _SAID if pattern.search(message))
    return next(said, _STATUS.get(status, Cause.OTHER))


def _told(body: bytes) -> tuple[str, str] | None:
    """Reason and message (on one line) of a Status object, None for anything else."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        # The server's own health and panic handlers answer in plain text.
        return None
    if not isinstance(content, dict) or content.get("kind") != "Status":
        return None
    reason = str(content.get("reason") or "")
    return reason, one_line(content.get("message") or reason or "no reason", _LONGEST_MESSAGE)


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
