"""What can go wrong between a client and the store, one cause each.

`classify` turns what the SDK, urllib3 or the TLS library raised into a `StoreError` whose text is
one sentence that names the endpoint and, where one is known, the cure. The causes are a closed
set: callers decide by `cause`, never by text.
"""

import ssl
from collections.abc import Iterator
from enum import StrEnum

import urllib3.exceptions
from minio.error import (
    InvalidResponseError,
    MinioAdminException,
    MinioException,
    S3Error,
    ServerError,
)


class Cause(StrEnum):
    """Why a request failed. The values appear in receipts and messages."""

    UNREACHABLE = "unreachable"
    TLS_UNKNOWN_AUTHORITY = "tls-unknown-authority"
    TLS_EXPIRED = "tls-expired"
    TLS_NAME = "tls-name"
    REGION_MISMATCH = "region-mismatch"
    ACCESS_DENIED = "access-denied"
    KEY_UNKNOWN = "key-unknown"
    SIGNATURE_MISMATCH = "signature-mismatch"
    CLOCK_SKEW = "clock-skew"
    BUCKET_MISSING = "bucket-missing"
    OBJECT_MISSING = "object-missing"
    STORAGE_FULL = "storage-full"
    OTHER = "other"


class StoreError(Exception):
    """A failed request to the store: `cause` for decisions, the text for people."""

    def __init__(self, cause: Cause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


SDK_ERRORS = (MinioException, MinioAdminException, urllib3.exceptions.HTTPError, OSError)
"""Everything a call of the SDK raises; the admin client's errors are no MinioException."""

_CODES = {
    "AccessDenied": Cause.ACCESS_DENIED,
    "AuthorizationHeaderMalformed": Cause.REGION_MISMATCH,
    "InvalidRegion": Cause.REGION_MISMATCH,
    "InvalidAccessKeyId": Cause.KEY_UNKNOWN,
    "SignatureDoesNotMatch": Cause.SIGNATURE_MISMATCH,
    "RequestTimeTooSkewed": Cause.CLOCK_SKEW,
    "NoSuchBucket": Cause.BUCKET_MISSING,
    "NoSuchKey": Cause.OBJECT_MISSING,
    "NoSuchVersion": Cause.OBJECT_MISSING,
    "XMinioStorageFull": Cause.STORAGE_FULL,
    "XMinioAdminBucketQuotaExceeded": Cause.STORAGE_FULL,
}

_SENTENCES = {
    Cause.UNREACHABLE: "the store at {at} cannot be reached; check that it runs and is open",
    Cause.TLS_UNKNOWN_AUTHORITY: (
        "the certificate of {at} was not signed by the given CA; give the CA that signed it"
    ),
    Cause.TLS_EXPIRED: "the certificate of {at} is not valid at this time; renew it on the host",
    Cause.TLS_NAME: "the certificate of {at} does not name that host; issue it with this name",
    Cause.REGION_MISMATCH: "the store at {at} refuses the region of the signature; give its region",
    Cause.ACCESS_DENIED: "the store at {at} denied access to this credential",
    Cause.KEY_UNKNOWN: "the store at {at} does not know this access key; create it again",
    Cause.SIGNATURE_MISMATCH: "the store at {at} rejects the signature; give the key's secret",
    Cause.CLOCK_SKEW: "the clocks of this machine and of {at} differ too much; synchronise both",
    Cause.BUCKET_MISSING: "the bucket does not exist at {at}",
    Cause.OBJECT_MISSING: "the object or version does not exist at {at}",
    Cause.STORAGE_FULL: "the store at {at} is full or the bucket's quota is reached; free space",
}

# OpenSSL's X509_V_ERR_* numbers (x509_vfy.h), the only machine-readable part of a failed handshake.
_VERIFY_CODES = {
    9: Cause.TLS_EXPIRED,  # not yet valid: the same fault, the clock or the dates are wrong
    10: Cause.TLS_EXPIRED,
    62: Cause.TLS_NAME,
    63: Cause.TLS_NAME,
    64: Cause.TLS_NAME,
}


def cause_of_code(code: str) -> Cause:
    """The cause behind an S3 error code such as `NoSuchBucket`; OTHER for the rest."""
    return _CODES.get(code, Cause.OTHER)


def classify(error: Exception, endpoint: str, about: str = "") -> StoreError:
    """What SDK, urllib3 or TLS raised, as a StoreError; `about` names bucket or object."""
    if isinstance(error, StoreError):
        return error
    return store_error(_cause(error), endpoint, about, _detail(error))


def store_error(cause: Cause, endpoint: str, about: str = "", detail: str = "") -> StoreError:
    """A StoreError with the one sentence of its cause; `detail` is used for OTHER only."""
    sentence = _SENTENCES.get(cause, "the store at {at} answered unexpectedly: " + (detail or "?"))
    prefix = f"{about}: " if about else ""
    return StoreError(cause, prefix + sentence.replace("{at}", endpoint))


def _cause(error: Exception) -> Cause:
    if isinstance(error, S3Error):
        return cause_of_code(error.code or "")
    if isinstance(error, MinioAdminException):
        return _admin_cause(error)
    for link in _chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return _VERIFY_CODES.get(link.verify_code, Cause.TLS_UNKNOWN_AUTHORITY)
    if isinstance(error, InvalidResponseError | ServerError):
        return Cause.OTHER
    if isinstance(error, urllib3.exceptions.HTTPError | OSError):
        return Cause.UNREACHABLE
    return Cause.OTHER


def _admin_cause(error: MinioAdminException) -> Cause:
    """The admin API answers in JSON text; the code stands between quotes."""
    text = str(error)
    return next((cause for code, cause in _CODES.items() if f'"{code}"' in text), Cause.OTHER)


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


def _detail(error: Exception) -> str:
    """What the server said, without its request ids; never a header, so never a signature."""
    if isinstance(error, S3Error):
        return f"{error.code}: {error.message}"
    return f"{type(error).__name__}"
