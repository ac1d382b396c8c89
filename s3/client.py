"""How one client reaches the store: endpoint, credential, SDK client, single signed requests.

Certificates are verified against the given CA text only, never against the system's store;
nothing is written to a temporary file.
"""

import base64
import hashlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import urllib3
from minio import Minio
from minio import time as minio_time
from minio.credentials.credentials import Credentials
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin
from minio.signer import sign_v4_s3

from s3.errors import Cause, StoreError, cause_of_code, classify, store_error

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
POOL_CONNECTIONS = 16
# A server that cannot write asks for a minute. After a restart of several hosts it looks for the
# others' drives every 15 s (MinIO's cmd/erasure-sets.go), while its health already says yes: three
# waits of this length outlast that.
RETRY_AFTER_SECONDS = 6

_S3_CODE = re.compile(rb'<Code>([A-Za-z]+)</Code>|"Code":\s*"([A-Za-z]+)"')
_FORBIDDEN = 403
_MOST_OF_ERROR = 1 << 16


@dataclass(frozen=True)
class StoreEndpoint:
    """Where the store is: `url` (https://host:port), `region` of signatures, `ca_pem` as PEM text.

    Raises ValueError with one sentence if the URL is not https or the CA text is no certificate.
    """

    url: str
    region: str
    ca_pem: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"endpoint {self.url!r} must be https://host:port without a path")
        self.tls_context()

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 443

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc

    def tls_context(self) -> ssl.SSLContext:
        """A context that trusts the given CA and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cadata=self.ca_pem)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(f"the CA given for {self.url} is no PEM certificate") from error
        return context


@dataclass(frozen=True)
class Credential:
    """An access key pair. Neither half is ever printed: key IDs count as secrets here, because
    the community server has flaws that let a known key ID write without the secret."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def connection_pool(
    endpoint: StoreEndpoint, connections: int = POOL_CONNECTIONS
) -> urllib3.PoolManager:
    """A connection pool with timeouts and bounded retries; TLS faults are never retried.

    connections: how many are kept open between requests; more may be open during them.
    """
    return urllib3.PoolManager(
        ssl_context=endpoint.tls_context(),
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        maxsize=connections,
        retries=urllib3.Retry(
            total=3,
            connect=2,
            other=0,
            backoff_factor=0.2,
            status_forcelist=(502, 503, 504),
            retry_after_max=RETRY_AFTER_SECONDS,
            raise_on_status=False,
        ),
    )


def connect(
    endpoint: StoreEndpoint, credential: Credential, pool: urllib3.PoolManager | None = None
) -> Minio:
    """The SDK's client for this credential. No request is made yet."""
    return Minio(
        endpoint.netloc,
        access_key=credential.access_key,
        secret_key=credential.secret_key,
        region=endpoint.region,
        http_client=pool or connection_pool(endpoint),
    )


def connect_admin(endpoint: StoreEndpoint, credential: Credential) -> MinioAdmin:
    """The SDK's client of the admin API, which only administrators may use."""
    return MinioAdmin(
        endpoint=endpoint.netloc,
        credentials=StaticProvider(credential.access_key, credential.secret_key),
        region=endpoint.region,
        http_client=connection_pool(endpoint),
    )


@dataclass(frozen=True)
class Answer:
    """What the store said to one request: status, S3 error code ("" on success), headers, body."""

    status: int
    code: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 (HTTP's own range)

    @property
    def refused(self) -> bool:
        """Whether the store refused for lack of permission; any other error is not a refusal."""
        return self.code == "AccessDenied"

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


@dataclass(frozen=True)
class Session:
    """Sends single requests as one credential, or as nobody when `credential` is None.

    The SDK hides which request it makes and refuses to send what it thinks malformed; a drill has
    to see the store's own answer to exactly one request. The pool may be shared between sessions.
    """

    endpoint: StoreEndpoint
    credential: Credential | None
    pool: urllib3.PoolManager = field(repr=False)

    @classmethod
    def open(cls, endpoint: StoreEndpoint, credential: Credential | None) -> "Session":
        """A session with a connection pool of its own."""
        return cls(endpoint, credential, connection_pool(endpoint))

    def send(
        self,
        method: str,
        bucket: str = "",
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        raw_path: str = "",
    ) -> Answer:
        """One request; every answer of the store is returned, whatever its status.

        Raises StoreError when there is no answer (unreachable, TLS).
        """
        url = self._url(bucket, key, query or {}, raw_path)
        try:
            response = self.pool.request(
                method,
                urlunsplit(url),
                body=body or None,
                headers=self._headers(method, url, headers or {}, body),
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise classify(error, self.endpoint.url) from error
        return Answer(
            response.status, _code(response.status, response.data), response.headers, response.data
        )

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """The content of an object, or of one version of it; raises StoreError."""
        query = {"versionId": version} if version else None
        answer = self.send("GET", bucket, key, query=query)
        if not answer.ok:
            raise self.error(answer, f"{bucket}/{key}")
        return answer.body

    def get_up_to(self, bucket: str, key: str, most: int) -> bytes | None:
        """The content of an object, None if it is longer than `most` bytes; more are never read,
        whatever the server sends. Raises StoreError."""
        url = self._url(bucket, key, {}, "")
        try:
            response = self.pool.request(
                "GET",
                urlunsplit(url),
                headers=self._headers("GET", url, {}, b""),
                redirect=False,
                preload_content=False,
            )
            ok = response.status < 300  # noqa: PLR2004 (HTTP's own range)
            content = _read_up_to(response, most if ok else _MOST_OF_ERROR)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise classify(error, self.endpoint.url, f"{bucket}/{key}") from error
        if not ok:
            body = content or b""
            answer = Answer(response.status, _code(response.status, body), response.headers, body)
            raise self.error(answer, f"{bucket}/{key}")
        return content

    def put(self, bucket: str, key: str, content: bytes) -> str:
        """Writes an object; its version, "" in an unversioned bucket. Raises StoreError."""
        answer = self.send("PUT", bucket, key, body=content)
        if not answer.ok:
            raise self.error(answer, f"{bucket}/{key}")
        return answer.headers.get("x-amz-version-id", "")

    def error(self, answer: Answer, about: str) -> StoreError:
        """The answer as a StoreError about a bucket or object."""
        code = answer.code or ("AccessDenied" if answer.status == _FORBIDDEN else "")
        return classify_code(code, self.endpoint.url, about, str(answer))

    def _url(self, bucket: str, key: str, query: Mapping[str, str], raw_path: str) -> SplitResult:
        path = raw_path or "/" + "/".join(part for part in (bucket, quote(key, safe="/~")) if part)
        query_text = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in sorted(query.items())
        )
        return SplitResult("https", self.endpoint.netloc, path, query_text, "")

    def _headers(
        self, method: str, url: SplitResult, extra: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        headers: dict[str, str | list[str] | tuple[str]] = {"Host": url.netloc, **extra}
        if body:
            # Buckets with object lock, and configuration requests, are refused without it.
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            headers["Content-MD5"] = base64.b64encode(digest).decode()
        if self.credential is not None:
            date = minio_time.utcnow()
            content_sha256 = hashlib.sha256(body).hexdigest()
            headers["x-amz-date"] = minio_time.to_amz_date(date)
            headers["x-amz-content-sha256"] = content_sha256
            headers = sign_v4_s3(
                method=method,
                url=url,
                region=self.endpoint.region,
                headers=headers,
                credentials=Credentials(self.credential.access_key, self.credential.secret_key),
                content_sha256=content_sha256,
                date=date,
            )
        return {name: str(value) for name, value in headers.items()}


def classify_code(code: str, endpoint: str, about: str, detail: str) -> StoreError:
    """A StoreError for an S3 error code that came without an SDK exception."""
    cause = cause_of_code(code)
    return store_error(cause, endpoint, about, detail if cause is Cause.OTHER else "")


def _read_up_to(response: urllib3.BaseHTTPResponse, most: int) -> bytes | None:
    """The body as it was sent, never unpacked; None if it is longer than `most` bytes."""
    content = b""
    while piece := response.read(most + 1 - len(content), decode_content=False):
        content += piece
        if len(content) > most:
            response.close()
            return None
    return content


def _code(status: int, body: bytes) -> str:
    if status < 400:  # noqa: PLR2004 (HTTP's own range)
        return ""
    found = _S3_CODE.search(body)
    if found is not None:
        return (found.group(1) or found.group(2)).decode()
    # HEAD answers carry no body.
    return "AccessDenied" if status == _FORBIDDEN else ""
