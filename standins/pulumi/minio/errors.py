"""What the server or the way to it answered, in one sentence that names the endpoint and a cure.

Nothing here quotes a request: no secret can reach a message.
"""

import json
from dataclasses import dataclass
from xml.etree import ElementTree

import urllib3
from minio.error import InvalidResponseError, MinioAdminException, S3Error, ServerError

from standins.pulumi.minio.settings import Settings
from standins.pulumi.plugin import PluginError

NO_BUCKET = "NoSuchBucket"
NO_USER = "XMinioAdminNoSuchUser"
NO_POLICY = "XMinioAdminNoSuchPolicy"
POLICY_UNCHANGED = "XMinioAdminPolicyChangeAlreadyApplied"
BUCKET_EXISTS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")

SDK_ERRORS = (
    S3Error,
    ServerError,
    InvalidResponseError,
    MinioAdminException,
    urllib3.exceptions.HTTPError,
)


class StoreError(PluginError):
    """A failed call to the object store. `code` is the server's error code, empty if none came."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """A server's refusal: its error code and its own sentence."""

    code: str
    message: str


def translate(error: Exception, settings: Settings, doing: str, subject: str) -> StoreError:
    """The error of one call. `doing` is the official plugin's wording, `subject` the resource."""
    answer = _answer(error)
    cause = _refusal(answer, settings) if answer else _way(error, settings)
    return StoreError(f"[FATAL] {doing} ({subject}): {cause}", answer.code if answer else "")


def _answer(error: Exception) -> Answer | None:
    if isinstance(error, S3Error):
        return Answer(error.code or "", error.message or "")
    if isinstance(error, MinioAdminException):
        return _admin_answer(str(error).partition("Body: ")[2])
    return None


def _admin_answer(body: str) -> Answer | None:
    try:
        fields = json.loads(body)
        return Answer(str(fields.get("Code", "")), str(fields.get("Message", "")))
    except (ValueError, AttributeError):
        pass  # errors of the signature come as XML
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  (the configured store's own answer)
    except ElementTree.ParseError:
        return None  # whoever answered is no MinIO, or was asked the wrong way
    return Answer(root.findtext("Code") or "", root.findtext("Message") or "")


def _refusal(answer: Answer, settings: Settings) -> str:
    at = settings.url
    cures = {
        "InvalidAccessKeyId": f"{at} does not know the access key; check minioUser",
        "SignatureDoesNotMatch": f"{at} refuses the secret key; check minioPassword",
        "AuthorizationHeaderMalformed": (
            f"{at} refuses the region {settings.region!r} ({answer.message}); check minioRegion"
        ),
        "InvalidRegion": f"{at} refuses the region {settings.region!r}; check minioRegion",
        "RequestTimeTooSkewed": (
            f"the clocks of this machine and of {at} differ too much; synchronise them"
        ),
        "AccessDenied": f"{at} denies this to the user of minioUser; give it the permission",
        "InvalidTokenId": f"{at} refuses the session token; check minioSessionToken",
    }
    return cures.get(answer.code) or f"{at} answered {answer.code or 'an error'}: {answer.message}"


# Most specific first: a refused connection is also a timeout to urllib3's class tree.
_WAYS: tuple[tuple[type[Exception], str], ...] = (
    (
        urllib3.exceptions.NameResolutionError,
        "the host name of {at} cannot be resolved; check minioServer",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "{at} cannot be reached (connection refused or no route); check that it runs",
    ),
    (
        urllib3.exceptions.ConnectTimeoutError,
        "{at} cannot be reached (no answer); check minioServer and the network",
    ),
    (
        urllib3.exceptions.ReadTimeoutError,
        "{at} took the request but did not answer in time; look at its log, then try again",
    ),
    (
        urllib3.exceptions.ProtocolError,
        "{at} broke the connection off; check that it runs and speaks what minioSsl says",
    ),
)


def _way(error: Exception, settings: Settings) -> str:
    at = settings.url
    if isinstance(error, InvalidResponseError | ServerError | MinioAdminException):
        if "HTTP request to an HTTPS server" in str(error):
            return f"{at} speaks TLS; set minioSsl to true"
        return f"{at} did not answer as an S3 server; check minioServer"
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.SSLError):
        return _tls(str(reason), settings)
    for kind, cause in _WAYS:
        if isinstance(reason, kind):
            return cause.format(at=at)
    return f"the call to {at} failed ({type(reason).__name__}); check minioServer"


def _tls(said: str, settings: Settings) -> str:
    at = settings.url
    causes = {
        "certificate has expired": f"the certificate of {at} has expired; renew it",
        "not yet valid": f"the certificate of {at} is not valid yet; check the clocks",
        "unable to get local issuer": (
            f"the certificate of {at} was signed by an authority this provider does not know; "
            "check minioCacertFile"
        ),
        "self-signed certificate": (
            f"the certificate of {at} was signed by an authority this provider does not know; "
            "check minioCacertFile"
        ),
        "doesn't match": f"the certificate of {at} is for other names; check minioServer",
        "IP address mismatch": f"the certificate of {at} is for other names; check minioServer",
        "Hostname mismatch": f"the certificate of {at} is for other names; check minioServer",
        "WRONG_VERSION_NUMBER": f"{at} does not speak TLS; set minioSsl to false",
        "wrong version number": f"{at} does not speak TLS; set minioSsl to false",
        "record layer failure": f"{at} does not speak TLS; set minioSsl to false",
        "certificate required": f"{at} asks for a client certificate; set minioCertFile",
    }
    for sign, cause in causes.items():
        if sign in said:
            return cause
    return f"the TLS connection to {at} failed; check minioCacertFile"
