"""A full TLS handshake with the store, and what the certificates it showed say.

Which names are served, who signed them and until when is decided by the handshake itself, as every
client of the store decides it, not by reading files on the host.
"""

import datetime
import socket
import ssl
from dataclasses import dataclass

from cryptography import x509

from s3.client import CONNECT_SECONDS, StoreEndpoint
from s3.errors import classify


@dataclass(frozen=True)
class Certificate:
    """One certificate of the verified chain: subject as text, end of validity in UTC."""

    subject: str
    not_after: datetime.datetime


def handshake(endpoint: StoreEndpoint, name: str) -> list[Certificate]:
    """Connects to the endpoint's address, asks for `name` and verifies name and chain.

    Returns the verified chain, leaf first, up to the given CA. Raises StoreError (tls-name,
    tls-expired, tls-unknown-authority, unreachable).
    """
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS) as plain,
            endpoint.tls_context().wrap_socket(plain, server_hostname=name) as secured,
        ):
            chain = _verified_chain(secured)
    except OSError as error:  # SSLError is one
        raise classify(error, f"{endpoint.url} (as {name})") from error
    return [
        Certificate(certificate.subject.rfc4514_string(), certificate.not_valid_after_utc)
        for certificate in map(x509.load_der_x509_certificate, chain)
    ]


def _verified_chain(secured: ssl.SSLSocket) -> list[bytes]:
    """The chain as DER. Python has had the call since 3.10 but made it public only in 3.13."""
    public = getattr(secured, "get_verified_chain", None)
    if public is not None:
        return list(public())
    der = 2  # _ssl.ENCODING_DER
    inner = secured._sslobj  # type: ignore[attr-defined]  # see the docstring
    return [certificate.public_bytes(der) for certificate in inner.get_verified_chain()]
