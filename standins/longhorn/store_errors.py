"""What the object store says, in the words that Longhorn hands on.

Longhorn puts the error of its SDK (aws-sdk-go-v2) and of Go's network library into the condition of
a backup target; who reads that condition knows those words.
"""

import http.client
import socket
import ssl
from xml.etree import ElementTree

NOT_FOUND = frozenset({"NoSuchKey", "NotFound"})


class StoreError(Exception):
    """The store refuses, is not reached, or cannot be asked as it is configured."""


class MissingError(StoreError):
    """There is no such object."""


def refused(operation: str, status: int, body: bytes) -> StoreError:
    """An answer that is an error."""
    code, message = _said(body)
    if not code:
        code = {403: "Forbidden", 404: "NotFound"}.get(status, "UnknownError")
    text = (
        f"operation error S3: {operation}, https response error StatusCode: {status}, "
        f"api error {code}: {message or http.client.responses.get(status, '')}"
    )
    return MissingError(text) if code in NOT_FOUND else StoreError(text)


def _said(body: bytes) -> tuple[str, str]:
    try:
        # The store is one that the cluster trusts with all of its data.
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return "", ""
    return root.findtext("Code", ""), root.findtext("Message", "")


def unreadable(operation: str, host: str) -> StoreError:
    """An answer that no store gives."""
    return StoreError(
        f"operation error S3: {operation}, deserialization failed: {host} is no store"
    )


def unreached(operation: str, host: str, error: Exception) -> StoreError:
    """No answer at all."""
    return StoreError(f"operation error S3: {operation}, {_unreached(host, error)}")


def _unreached(host: str, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_certificate(error)}"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}: connect: connection refused"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}: i/o timeout"
    if isinstance(error, http.client.HTTPException):
        return f"{host}: unexpected EOF ({type(error).__name__})"
    return f"{host}: {getattr(error, 'strerror', '') or type(error).__name__}"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    said = error.verify_message
    if "hostname" in said.lower() or "ip address mismatch" in said.lower():
        return f"certificate is not valid for the address ({said})"
    if "expired" in said or "not yet valid" in said:
        return f"certificate has expired or is not yet valid ({said})"
    return f"certificate signed by unknown authority ({said})"
