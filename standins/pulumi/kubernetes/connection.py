"""HTTP to the API server: JSON in and out, errors as exceptions with one sentence each."""

import base64
import json
import re
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import urllib3

from standins.pulumi.kubernetes.kubeconfig import Endpoint, KubeconfigError, run_exec_plugin
from standins.pulumi.kubernetes.values import Props

JSON = "application/json"
APPLY = "application/apply-patch+yaml"  # JSON is YAML
JSON_PATCH = "application/json-patch+json"
USER_AGENT = "backstop-pulumi-resource-kubernetes"

_CONNECT_SECONDS = 15.0
_READ_SECONDS = 60.0
_CONNECTIONS = 32
_BUSY_TRIES = 5
_STALE_TRIES = 3
_TOO_MANY = 429
_NOT_FOUND = 404
_CONFLICT = 409
_FORBIDDEN = 403
_UNAUTHORIZED = 401
_ERROR = 400
_SERVER_ERROR = 500
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class UnreachableError(Exception):
    """No answer from the API server, said in one sentence."""


class ApiError(Exception):
    """The API server refused. `str()` is its message; `reason` its word, such as NotFound."""

    def __init__(self, status: int, document: Mapping[str, Any], text: str = "") -> None:
        message = str(document.get("message") or text or f"HTTP status {status}")
        # What follows the first line is a listing of the object.
        super().__init__(message.strip().partition("\n")[0])
        self.status = status
        self.reason = str(document.get("reason") or "")
        self.document = document

    @property
    def not_found(self) -> bool:
        return self.status == _NOT_FOUND

    @property
    def exists(self) -> bool:
        return self.status == _CONFLICT and self.reason == "AlreadyExists"

    @property
    def conflict(self) -> bool:
        """Fields belong to somebody else, or the object changed meanwhile."""
        return self.status == _CONFLICT and self.reason == "Conflict"

    @property
    def forbidden(self) -> bool:
        return self.status in (_FORBIDDEN, _UNAUTHORIZED)

    @property
    def missing_namespace(self) -> bool:
        details = self.document.get("details") or {}
        return self.not_found and details.get("kind") == "namespaces"

    @property
    def transient(self) -> bool:
        return self.status == _TOO_MANY or self.status >= _SERVER_ERROR


class Connection:
    """One API server and one identity. Safe to use from many threads."""

    def __init__(self, where: Endpoint, timeout: float | None = None) -> None:
        self._where = where
        self._timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout or _READ_SECONDS)
        self._headers = {"Accept": JSON, "User-Agent": USER_AGENT}
        token, certificate, key = where.token, where.certificate, where.key
        if where.exec_plugin is not None:
            token, certificate, key = run_exec_plugin(where.exec_plugin)
        elif where.token_file:
            token = Path(where.token_file).read_text().strip()
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif where.username:
            pair = base64.b64encode(f"{where.username}:{where.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"
        self._pool = _pool(where, certificate, key)

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context, "" if it names none."""
        return self._where.namespace

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Props:
        return self.request("GET", path, query=query)[0]

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> tuple[Props, list[str]]:
        """The answer and the server's warnings. Raises ApiError and UnreachableError."""
        url = self._where.server + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": content_type}
        for attempt in range(_BUSY_TRIES):
            answer = self._send(method, url, content, headers)
            if answer.status != _TOO_MANY or attempt == _BUSY_TRIES - 1:
                break
            time.sleep(min(float(answer.headers.get("Retry-After") or 1), 10.0))
        document = _document(answer.data)
        if answer.status == _UNAUTHORIZED:
            document["message"] = (
                f"the Kubernetes API server {self._where.server} refused the credential "
                "(Unauthorized); correct the user in the kubeconfig"
            )
        if answer.status >= _ERROR:
            raise ApiError(answer.status, document, answer.data.decode(errors="replace")[:200])
        return cast("Props", document), _warnings(answer.headers.getlist("Warning"))

    def _send(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        tries = _STALE_TRIES if method == "GET" else 1
        for attempt in range(tries):
            try:
                return self._pool.request(
                    method,
                    url,
                    body=content,
                    headers=headers,
                    timeout=self._timeout,
                    retries=False,
                    redirect=False,
                )
            except (urllib3.exceptions.ProtocolError, ConnectionResetError) as error:
                # A connection that was kept open may have ended with the server's restart.
                if attempt == tries - 1:
                    raise self._unreachable(error) from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise self._unreachable(error) from error
        raise AssertionError("the loop returns or raises")

    def _unreachable(self, error: Exception) -> UnreachableError:
        server = self._where.server
        cause = _cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({cause.verify_message})"
            cure = "correct certificate-authority-data or the server's name in the kubeconfig"
        elif isinstance(cause, ssl.SSLError):
            why = f"TLS failed ({cause.reason or type(cause).__name__})"
            cure = "correct the server's address and the client certificate in the kubeconfig"
        elif isinstance(cause, ConnectionRefusedError):
            why, cure = "nothing listens there", "start it or correct the kubeconfig"
        elif isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
            why, cure = "it does not answer in time", "start it or correct the kubeconfig"
        else:
            why = str(getattr(cause, "strerror", None) or type(cause).__name__)
            cure = "start it or correct the kubeconfig"
        return UnreachableError(
            f"the Kubernetes API server {server} cannot be reached: {why}; {cure}"
        )


def _pool(where: Endpoint, certificate: str, key: str) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": _CONNECTIONS}
    if urlsplit(where.server).scheme == "https":
        options["ssl_context"] = _tls(where, certificate, key)
        if not where.verify:
            options["assert_hostname"] = False
            options["cert_reqs"] = ssl.CERT_NONE
        elif where.server_name:
            options["server_hostname"] = where.server_name
            options["assert_hostname"] = where.server_name
    if where.proxy:
        return urllib3.ProxyManager(where.proxy, **options)
    return urllib3.PoolManager(**options)


def _tls(where: Endpoint, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=where.authority or None)
        # The classic way: an authority of a cluster often lacks what newer checks want.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not where.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            # The library reads these from files only.
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "client.pem"
                path.touch(mode=0o600)
                path.write_text(f"{certificate}\n{key}")
                context.load_cert_chain(path)
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigError(
            "kubernetes provider: the kubeconfig cannot be used: its certificates or key are no "
            f"valid PEM ({getattr(error, 'reason', None) or type(error).__name__})"
        ) from error
    return context


def _cause(error: BaseException) -> BaseException:
    """The first failure behind the library's wrappers that says what happened."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError | ConnectionError | TimeoutError):
            return seen
        reason = getattr(seen, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        inner = inner or next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
        if seen is error:
            break
    return error


def _document(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _warnings(headers: list[str]) -> list[str]:
    found = []
    for header in headers:
        found += [text.replace('\\"', '"') for text in _QUOTED.findall(header)]
    return found
