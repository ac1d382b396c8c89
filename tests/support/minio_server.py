"""A real MinIO server on loopback for one test: own certificate authority, own data directory.

It is the pinned server that `python -m lab tools minio` builds, never an imitation.
"""

import datetime
import ipaddress
import os
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.ports import free_port

REGION = "eu-west-1"
READY_SECONDS = 30.0


def minio_binary() -> Path:
    """The pinned server, from PATH or the cache; skips the test, saying why, if there is none."""
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by these tests only)

    found = find("minio")
    if found is None:
        pytest.skip("the pinned MinIO is not built: run `python -m lab tools minio`")
    return found


@dataclass
class MinioServer:
    """A running server. `endpoint` is host:port; `ca_pem` the text of the CA that signed it."""

    endpoint: str
    root_user: str
    root_password: str
    ca_file: Path
    data_dir: Path
    region: str = REGION
    _argv: list[str] = field(default_factory=list)
    _env: dict[str, str] = field(default_factory=dict)
    _log: Path = Path("minio.log")
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"https://{self.endpoint}"

    @property
    def ca_pem(self) -> str:
        return self.ca_file.read_text()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_ready()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        self._process = None

    def _wait_ready(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                url = f"{self.url}/minio/health/cluster"
                with urllib.request.urlopen(url, context=context, timeout=2):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"MinIO did not become healthy: {self._log.read_text()[-2000:]}")


def issue_certificate(
    directory: Path, *, not_after: datetime.datetime | None = None, names: tuple[str, ...] = ()
) -> Path:
    """Writes ca.crt, public.crt and private.key into `directory`; returns the path of ca.crt."""
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    end = not_after or now + datetime.timedelta(days=60)
    start = min(now, end) - datetime.timedelta(days=1)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
    ca = (
        x509.CertificateBuilder()
        .subject_name(ca_name)
        .issuer_name(ca_name)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("localhost"),
        *(x509.DNSName(name) for name in names),
    ]
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test store")]))
        .issuer_name(ca_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False
        )
        .sign(ca_key, hashes.SHA256())
    )
    (directory / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (directory / "public.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (directory / "private.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return directory / "ca.crt"


@contextmanager
def running_minio(
    directory: Path, *, region: str = REGION, not_after: datetime.datetime | None = None
) -> Iterator[MinioServer]:
    """A fresh server under `directory`, healthy when entered, stopped and emptied when left."""
    certificates = directory / "certs"
    ca_file = issue_certificate(certificates, not_after=not_after)
    (certificates / "CAs").mkdir(exist_ok=True)
    data = directory / "data"
    data.mkdir(exist_ok=True)
    port = free_port()
    server = MinioServer(
        endpoint=f"127.0.0.1:{port}",
        root_user="testroot",
        root_password="testrootsecret",
        ca_file=ca_file,
        data_dir=data,
        region=region,
        _argv=[
            str(minio_binary()),
            "server",
            "--quiet",
            "--certs-dir",
            str(certificates),
            "--address",
            f"127.0.0.1:{port}",
            str(data),
        ],
        _env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "MINIO_ROOT_USER": "testroot",
            "MINIO_ROOT_PASSWORD": "testrootsecret",
            "MINIO_SITE_REGION": region,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        },
        _log=directory / "minio.log",
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
