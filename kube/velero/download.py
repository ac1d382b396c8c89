"""One of Velero's files about a backup or a restore, fetched as its command line does it.

The server is asked for a signed address, which bears a right to read and is told to nobody; what
lies there is read with the CA of the location. The address must be known on this machine: it is the
location's publicUrl, or else its s3Url.
"""

import base64
import binascii
import contextlib
import secrets
import ssl
import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from kube.client import Object
from kube.errors import Cause, ClusterError, classify
from kube.velero.api import GROUP, Velero, VeleroError, name, phase, status
from kube.waiting import TimeoutPassedError, until

_KIND = "downloadrequests"
_CONTENTS = "BackupContents"
_INTERVAL_SECONDS = 0.2
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_CHUNK = 65536
_NAME_LENGTH = 253


class DownloadCause(StrEnum):
    """Why a file did not come."""

    NOT_PROCESSED = "not-processed"
    MISSING = "missing"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TOO_LARGE = "too-large"
    DAMAGED = "damaged"


class DownloadError(VeleroError):
    """A file of Velero's that did not come; the text never shows its address."""

    def __init__(self, cause: DownloadCause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


Fetch = Callable[[str, str | None], tuple[int, Iterator[bytes]]]
"""(address, CA as PEM or None) -> (HTTP status, body in chunks). Raises what urllib3 raises."""


def download(
    velero: Velero,
    kind: str,
    called: str,
    *,
    seconds: float,
    limit: int,
    fetch: Fetch | None = None,
) -> bytes:
    """The file of `kind` ("RestoreResults", "RestoreLog", "BackupVolumeInfos") of an object.

    Files come unpacked, but for BackupContents, which stays the .tar.gz it is. `limit`: how many
    bytes it may have.

    Raises:
        DownloadError: it did not come, or not whole.
        ClusterError: the cluster is not reached, or refuses; MISSING if there is no such object.
    """
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  (slow to import)

    about = f"{kind} of {called}"
    ca = _certificate(velero, kind, called)
    address = _address(velero, kind, called, about, seconds)
    try:
        code, body = (fetch or _fetch)(address, ca)
        _check(code, about)
        chunks = body if kind == _CONTENTS else _unpacked(body, about)
        return _bounded(chunks, limit, about)
    except (HTTPError, OSError, zlib.error) as error:
        raise _classified(error, about) from None  # its text may hold the address


def _address(velero: Velero, kind: str, called: str, about: str, seconds: float) -> str:
    request = {
        "apiVersion": GROUP,
        "kind": "DownloadRequest",
        "metadata": {
            "name": f"{called[: _NAME_LENGTH - 17]}-{secrets.token_hex(8)}",
            "namespace": velero.namespace,
        },
        "spec": {"target": {"kind": kind, "name": called}},
    }
    made = velero.writer.create(velero.collection(_KIND), request)
    path = velero.path(_KIND, name(made))

    def answered() -> str | None:
        found = velero.client.get(path)
        address = str(status(found).get("downloadURL") or "")
        return address if address and phase(found) == "Processed" else None

    try:
        return until(answered, velero.clock, seconds, interval=_INTERVAL_SECONDS)
    except TimeoutPassedError as error:
        said = f" ({error.last})" if error.last else ""
        raise DownloadError(
            DownloadCause.NOT_PROCESSED,
            f"{about}: Velero gave no address for it within {seconds:.0f} s{said}; is its location "
            "available, and does its server run",
        ) from None
    finally:
        with contextlib.suppress(ClusterError):
            velero.writer.delete(path)  # the server would keep it for ten minutes


def _certificate(velero: Velero, kind: str, called: str) -> str | None:
    """The CA of the location that holds the file, None for the public ones of the system."""
    backup = called
    if kind.startswith("Restore"):
        backup = str(velero.client.get(velero.path("restores", called))["spec"].get("backupName"))
    held = velero.client.get(velero.path("backups", backup))["spec"]
    location = velero.client.get(
        velero.path("backupstoragelocations", str(held.get("storageLocation") or "default"))
    )
    store: dict[str, Any] = location["spec"].get("objectStorage") or {}
    reference = store.get("caCertRef")
    if reference:
        path = f"/api/v1/namespaces/{velero.namespace}/secrets/{reference['name']}"
        return _decoded(_data(velero.client.get(path), str(reference["key"])))
    # The API server gives bytes as base64.
    return _decoded(str(store["caCert"])) if store.get("caCert") else None


def _data(secret: Object, key: str) -> str:
    return str((secret.get("data") or {}).get(key) or "")


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _no_ca() from None


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca) if ca else ssl.create_default_context()
    except (ssl.SSLError, ValueError):
        raise _no_ca() from None


def _no_ca() -> DownloadError:
    return DownloadError(
        DownloadCause.TLS, "the CA of the location is no certificate in PEM; correct it"
    )


def _check(code: int, about: str) -> None:
    if code == 200:  # noqa: PLR2004  (HTTP's own number)
        return
    if code == 404:  # noqa: PLR2004
        raise DownloadError(DownloadCause.MISSING, f"{about}: the store does not have it")
    if code == 403:  # noqa: PLR2004
        raise DownloadError(
            DownloadCause.DENIED,
            f"{about}: the store denies it to Velero's key, or the clocks of both differ",
        )
    raise DownloadError(
        DownloadCause.UNREACHABLE, f"{about}: the store answers with HTTP status {code}"
    )


def _unpacked(body: Iterator[bytes], about: str) -> Iterator[bytes]:
    """gzip, a piece at a time: a small file may unpack to a huge one."""
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for chunk in body:
        rest, more = chunk, True
        while more and not unpack.eof:
            piece = unpack.decompress(rest, _CHUNK)
            yield piece
            rest = unpack.unconsumed_tail
            more = bool(rest) or len(piece) == _CHUNK
    if not unpack.eof:
        raise DownloadError(DownloadCause.DAMAGED, f"{about}: it is cut off")


def _bounded(chunks: Iterator[bytes], limit: int, about: str) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise DownloadError(DownloadCause.TOO_LARGE, f"{about}: it has more than {limit} bytes")
    return b"".join(parts)


def _classified(error: Exception, about: str) -> DownloadError:
    if isinstance(error, zlib.error):
        return DownloadError(DownloadCause.DAMAGED, f"{about}: it is no gzip file")
    known: ClusterError = classify(error, "")
    if known.cause in (Cause.TLS_EXPIRED, Cause.TLS_NAME, Cause.TLS_UNKNOWN_AUTHORITY):
        return DownloadError(
            DownloadCause.TLS,
            f"{about}: the store's certificate is not trusted ({known.cause}); give the location "
            "the CA that signed it",
        )
    return DownloadError(
        DownloadCause.UNREACHABLE,
        f"{about}: the store cannot be read from this machine ({type(error).__name__}); must it be "
        "reached by another address than from within the cluster (publicUrl)",
    )


def _fetch(address: str, ca: str | None) -> tuple[int, Iterator[bytes]]:
    import urllib3  # noqa: PLC0415  (slow to import)

    pool = urllib3.PoolManager(ssl_context=_trust(ca), retries=False)
    answer = pool.request(
        "GET",
        address,
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        preload_content=False,
        decode_content=False,
        redirect=False,
    )
    return int(answer.status), answer.stream(_CHUNK, decode_content=False)
