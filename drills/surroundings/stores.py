"""Stores on this machine that are none: what a drill meets instead of the site's store."""

import datetime
import ipaddress
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HERE = "127.0.0.1"
_DAY = datetime.timedelta(days=1)
_POLL_SECONDS = 0.2
_HANDSHAKE_SECONDS = 5.0


@dataclass(frozen=True)
class Face:
    """What a payload says of a store: its address, and the PEM text of its CA ("": the site's)."""

    url: str
    ca_pem: str = ""


@contextmanager
def nobody() -> Iterator[Face]:
    """A port at which nothing listens, and nothing else can meanwhile."""
    with socket.socket() as kept:
        kept.bind((_HERE, 0))
        yield Face(f"https://{_HERE}:{kept.getsockname()[1]}")


@contextmanager
def expired(now: datetime.datetime) -> Iterator[Face]:
    """A server whose certificate ended an hour before `now`; it is signed by the CA of the face."""
    ca, certificate = _certificates(now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="backstop-control-") as folder:
        file = Path(folder, "server.pem")
        file.write_bytes(certificate)
        context.load_cert_chain(file)
    with socket.create_server((_HERE, 0)) as listener:
        listener.settimeout(_POLL_SECONDS)
        over = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, context, over), daemon=True)
        thread.start()
        try:
            yield Face(f"https://{_HERE}:{listener.getsockname()[1]}", ca)
        finally:
            over.set()
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, over: threading.Event) -> None:
    """Shakes hands and hangs up: who verifies certificates does not come any further."""
    while not over.is_set():
        with suppress(OSError):  # a timeout, or a handshake that was broken off
            plain, _ = listener.accept()
            plain.settimeout(_HANDSHAKE_SECONDS)
            with plain, context.wrap_socket(plain, server_side=True):
                pass


def _certificates(now: datetime.datetime) -> tuple[str, bytes]:
    """The CA's certificate, and the server's with its key; both as PEM."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of a control")])
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store of a control")])
    begin = now - 2 * _DAY
    authority = _builder(ca_name, ca_name, ca_key, begin, now + _DAY).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_HERE))])
    leaf = _builder(own, ca_name, key, begin, now - _DAY / 24).add_extension(
        address, critical=False
    )
    ca = authority.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    served = leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ca.decode(), served + private


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
