"""What Velero says about a location that is not available, with the likely cause and its cure.

Velero hands on what its plugin, the SDK or the TLS library said, so the cause is told by text.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from kube.errors import one_line


class Cause(StrEnum):
    """Why Velero does not get to its bucket; OTHER: it is Velero's own matter, not the store's."""

    UNREACHABLE = "unreachable"
    TLS_UNKNOWN_AUTHORITY = "tls-unknown-authority"
    TLS_NAME = "tls-name"
    TLS_EXPIRED = "tls-expired"
    KEY_UNKNOWN = "key-unknown"
    KEY_WRONG = "key-wrong"
    CLOCK_SKEW = "clock-skew"
    REGION = "region"
    BUCKET_MISSING = "bucket-missing"
    DENIED = "denied"
    OTHER = "other"


@dataclass(frozen=True)
class Cure:
    """`lasting`: waiting does not help. `text` is a clause behind the location's name."""

    pattern: re.Pattern[str]
    text: str
    cause: Cause = Cause.OTHER
    lasting: bool = True


def _cure(pattern: str, text: str, cause: Cause = Cause.OTHER, *, lasting: bool = True) -> Cure:
    return Cure(re.compile(pattern, re.IGNORECASE), text, cause, lasting)


CURES = (
    _cure(
        "signed by unknown authority",
        "the store's certificate was signed by another CA than the one in Secret velero-store-ca; "
        "run `up` again, or correct objectStore.caCertificateFile",
        Cause.TLS_UNKNOWN_AUTHORITY,
    ),
    _cure(
        "certificate is (valid for|not valid for)|doesn't contain any IP SANs",
        "the store's certificate does not name the address that Velero uses; add it to "
        "objectStore.certificate.names",
        Cause.TLS_NAME,
    ),
    _cure(
        "certificate has expired or is not yet valid",
        "the store's certificate is not valid at this time; renew it on the host, or set the "
        "clocks right",
        Cause.TLS_EXPIRED,
    ),
    _cure(
        "InvalidAccessKeyId",
        "the store does not know the access key in Velero's Secret; raise "
        "clients.velero.credentialGeneration and run `up`",
        Cause.KEY_UNKNOWN,
    ),
    _cure(
        "SignatureDoesNotMatch",
        "the secret key in Velero's Secret is not the store's; raise "
        "clients.velero.credentialGeneration and run `up`",
        Cause.KEY_WRONG,
    ),
    _cure(
        "RequestTimeTooSkewed",
        "the clocks of the node and of the store differ too much; synchronise both",
        Cause.CLOCK_SKEW,
    ),
    _cure(
        "AuthorizationHeaderMalformed|InvalidRegion|region .* is wrong|PermanentRedirect",
        "the store is in another region; correct objectStore.region",
        Cause.REGION,
    ),
    _cure(
        "NoSuchBucket",
        "the bucket does not exist; run `up` again, which makes it",
        Cause.BUCKET_MISSING,
    ),
    _cure(
        "AccessDenied|Forbidden|StatusCode: 403",
        "the store denies the bucket to Velero's user; run `up` again, which attaches its policy",
        Cause.DENIED,
    ),
    _cure(
        "invalid top-level directories",
        "the bucket holds what is not Velero's; give the location a folder of its own "
        "(velero.location.name and prefix), or move the foreign objects away",
    ),
    _cure(
        "unable to get credentials|secrets? .* not found|getting CA certificate",
        "a Secret that the location names is not there; run `refresh` and `up`",
    ),
    _cure(
        "cannot specify both caCert and caCertRef",
        "caCert was set by hand beside the program's caCertRef; run `refresh` and `up`",
    ),
    _cure(
        "unable to locate ObjectStore plugin|no plugin|plugin .* not found",
        "the server has no plugin for this store; look at velero.pluginImage",
    ),
    _cure(
        "no such host|server misbehaving",
        "the cluster's DNS does not know the store's name; use an address, or add the name",
        Cause.UNREACHABLE,
        lasting=False,
    ),
    _cure(
        "connection refused|i/o timeout|no route to host|deadline exceeded|connection reset|EOF",
        "pods of the cluster do not reach the store; check its firewall (objectStore.firewall"
        ".allowFrom) and the NetworkPolicies of Velero's namespace",
        Cause.UNREACHABLE,
        lasting=False,
    ),
)


def find(message: str) -> Cure | None:
    """The cure for what Velero says, None if the message is of another kind."""
    return next((cure for cure in CURES if cure.pattern.search(message)), None)


_NOISE = re.compile(
    r"^BackupStorageLocation \"[^\"]*\" is unavailable: |rpc error: code = \w+ desc = "
    r"|https response error StatusCode: \d+, |RequestID: \w*, |HostID: \w*, "
)


def tidy(message: str) -> str:
    """What Velero says without the wrapping of its transport, on one line."""
    return one_line(_NOISE.sub("", one_line(message, limit=4000)))
