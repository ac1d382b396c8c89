"""From a backup target's URL and Secret to its bucket, with Longhorn's words for what is wrong.

Source: longhorn/backupstore s3/s3.go (initFunc), s3/s3_service.go; longhorn-manager
engineapi/backups.go (getBackupCredentialEnv), controller/backup_target_controller.go.
"""

import base64
import binascii
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit, urlunsplit

from standins.longhorn.bucket import HTTPS, Bucket, Place
from standins.longhorn.signing import Keys
from standins.longhorn.store import Store
from standins.longhorn.store_errors import StoreError

SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY")

Credential = Mapping[str, str]
Opener = Callable[[str, Credential], Store]
"""Opens the bucket behind a target's URL. Raises StoreError."""


class CredentialError(Exception):
    """There is no credential at all: the controller does not even look, and says nothing."""


def credential(url: str, name: str, secret: Mapping[str, Any] | None) -> Credential:
    """What the Secret holds, as text. Raises CredentialError."""
    if not name:
        scheme = url.partition(":")[0]
        raise CredentialError(f"could not access {scheme} without credential secret")
    if secret is None:
        raise CredentialError(f'secrets "{name}" not found')
    try:
        return {
            key: base64.b64decode(value).decode()
            for key, value in (secret.get("data") or {}).items()
        }
    except (binascii.Error, UnicodeDecodeError):
        raise CredentialError(f'secrets "{name}" holds what is no text') from None


def backup_url(url: str, volume: str, backup: str = "") -> str:
    """The URL of a volume's or a backup's record (backupstore.go, EncodeBackupURL)."""
    query = {"backup": backup, "volume": volume} if backup else {"volume": volume}
    return urlunsplit(urlsplit(url)._replace(query=urlencode(query)))


def open_bucket(url: str, held: Credential) -> Bucket:
    """The bucket behind a target's URL, which nobody has asked yet. Raises StoreError."""
    parts = _parts(url)
    if parts.scheme != "s3":
        raise StoreError(f"the stand-in has no driver for {parts.scheme or url}, only s3")
    bucket, _, region = parts.netloc.partition("@")
    if not bucket or not parts.path:
        raise StoreError(
            "invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path"
        )
    missing = [key for key in KEYS if not held.get(key)]
    if missing:
        raise StoreError(f"could not backup to s3, missing [{' '.join(missing)}] in the secret")
    if not all(held[key].isascii() and held[key].isprintable() for key in KEYS):
        raise StoreError("the access key or the secret key holds what no header may hold")
    if any(held.get(name) for name in PROXIES):
        raise StoreError("the stand-in knows no proxy; take the proxies out of the Secret")
    host, port = _endpoint(held.get("AWS_ENDPOINTS", ""), region)
    segments = [one for one in unquote(parts.path).split("/") if one]
    virtual = held.get("VIRTUAL_HOSTED_STYLE") == "true"
    place = Place(host, port, region, bucket, "".join(f"{one}/" for one in segments), virtual)
    keys = Keys(held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"])
    return Bucket(place, keys, _context(held.get("AWS_CERT", "")))


def _endpoint(text: str, region: str) -> tuple[str, int]:
    if not text:
        return f"s3.{region}.amazonaws.com", HTTPS
    parts = _parts(text)
    if parts.scheme != "https" or not parts.hostname:
        raise StoreError(f"the stand-in speaks to https endpoints only, AWS_ENDPOINTS is {text!r}")
    return parts.hostname, parts.port or HTTPS


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is looked at here, for it may be none
    except ValueError as error:
        raise StoreError(f"invalid URL {url!r}: {error}") from None
    return parts


def _context(certificates: str) -> ssl.SSLContext:
    """The system's authorities and those given; a server's own certificate does as well."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if SYSTEM_AUTHORITIES.exists():
        context.load_verify_locations(cafile=str(SYSTEM_AUTHORITIES))
    if certificates:
        try:
            context.load_verify_locations(cadata=certificates)
        except (ssl.SSLError, ValueError):
            raise StoreError("failed to append custom certificates") from None
    return context
