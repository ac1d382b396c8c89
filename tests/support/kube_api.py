"""A real Kubernetes API server on loopback for tests: etcd, kube-apiserver, some controllers.

No node and no scheduler: objects are stored, checked, defaulted and garbage-collected as in any
cluster, but no container ever runs. The programs are the pinned ones that `python -m lab tools`
builds, never an imitation.
"""

import base64
import contextlib
import datetime
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.ports import free_port

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
START_ATTEMPTS = 3
SERVICE_RANGE = "10.96.0.0/16"
# What objects need to come and go. The controllers of workloads are here too: they write status.
CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "garbage-collector-controller",
    "deployment-controller",
    "replicaset-controller",
    "daemonset-controller",
    "statefulset-controller",
    "job-controller",
    "cronjob-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-protection-controller",
    "resourcequota-controller",
    "clusterrole-aggregation-controller",
)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def tool(name: str) -> Path:
    """A pinned program; skips the test, saying why, if it is not there."""
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by these tests only)

    found = find(name)
    if found is None:
        pytest.skip(f"the pinned {name} is not built: run `python -m lab tools {name}`")
    return found


class RefusedError(Exception):
    """The API server answered with an error. `status` is the HTTP status code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass
class KubeApi:
    """A running API server. `kubeconfig` is the text of an administrator's kubeconfig."""

    url: str
    kubeconfig: str
    folder: Path
    _commands: dict[str, list[str]] = field(default_factory=dict)
    _processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    _pool: urllib3.PoolManager | None = None

    @property
    def kubeconfig_file(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def ca_pem(self) -> str:
        return (self.folder / "ca.crt").read_text()

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """What somebody with kubectl does. Raises RefusedError when the server refuses."""
        if self._pool is None:
            self._pool = urllib3.PoolManager(
                ca_certs=str(self.folder / "ca.crt"),
                cert_file=str(self.folder / "admin.crt"),
                key_file=str(self.folder / "admin.key"),
                retries=urllib3.Retry(3, redirect=False),
            )
        answer = self._pool.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            timeout=60,
        )
        text = answer.data.decode()
        found: dict[str, Any] = json.loads(text) if text.startswith("{") else {"text": text}
        if answer.status >= 400:
            raise RefusedError(answer.status, str(found.get("message", found)))
        return found

    def patch(self, path: str, merge: Mapping[str, Any], manager: str = "by-hand") -> Any:
        """A merge patch, as `kubectl patch` or another controller sends it."""
        query = f"?fieldManager={manager}"
        return self.request("PATCH", path + query, merge, "application/merge-patch+json")

    def exists(self, path: str) -> bool:
        try:
            self.request("GET", path)
        except RefusedError as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def start(self) -> None:
        """Start what is not running, etcd first, and wait until the server is ready."""
        for name in self._commands:
            running = self._processes.get(name)
            if running is not None and running.poll() is None:
                continue
            with (self.folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    self._commands[name],
                    env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if name == "kube-apiserver":
                self._wait_ready()

    def stop(self, *names: str) -> None:
        """End the named programs, or all of them; what is stored stays."""
        for name in names or tuple(reversed(self._commands)):
            process = self._processes.pop(name, None)
            if process is None:
                continue
            process.send_signal(signal.SIGTERM if name == "etcd" else signal.SIGKILL)
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=STOP_SECONDS)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            # Controllers that ended while the server was away are started again afterwards.
            needed = (self._processes[name] for name in ("etcd", "kube-apiserver"))
            if any(process.poll() is not None for process in needed):
                break
            with contextlib.suppress(urllib3.exceptions.HTTPError, RefusedError):
                self.request("GET", "/readyz")
                # Made by the server itself a moment later; objects go there.
                self.request("GET", "/api/v1/namespaces/default")
                return
            time.sleep(0.2)
        logs = {path.name: path.read_text()[-1500:] for path in self.folder.glob("*.log")}
        raise RuntimeError(f"the API server did not become ready: {logs}")


@contextmanager
def running_kube_api(
    folder: Path, controllers: Sequence[str] = CONTROLLERS, extra: Sequence[str] = ()
) -> Iterator[KubeApi]:
    """A fresh API server under `folder`, ready when entered, stopped and emptied when left.

    `extra` are arguments for kube-apiserver.
    """
    for program in ("etcd", "kube-apiserver", "kube-controller-manager"):
        tool(program)
    for attempt in range(START_ATTEMPTS):
        api = _prepared(folder / f"kube-{attempt}", controllers, extra)
        try:
            api.start()
        except RuntimeError:
            # Somebody may have taken a port that was free when it was chosen.
            api.stop()
            if attempt == START_ATTEMPTS - 1:
                raise
            continue
        break
    try:
        yield api
    finally:
        api.stop()
        shutil.rmtree(api.folder / "etcd", ignore_errors=True)


def _prepared(folder: Path, controllers: Sequence[str], extra: Sequence[str]) -> KubeApi:
    folder.mkdir(parents=True)
    client, peer, port = (free_port() for _ in range(3))
    authority = Authority(folder)
    authority.issue("apiserver", "kube-apiserver", server=True)
    authority.issue("admin", "kubernetes-admin", group="system:masters")
    authority.issue("controllers", "system:kube-controller-manager")
    _write_signing_key(folder)
    url = f"https://127.0.0.1:{port}"
    text = kubeconfig(folder, url, "admin")
    (folder / "admin.kubeconfig").write_text(text)
    (folder / "controllers.kubeconfig").write_text(kubeconfig(folder, url, "controllers"))
    for path in folder.glob("*.kubeconfig"):
        path.chmod(0o600)
    commands = {
        "etcd": [
            str(tool("etcd")),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        "kube-apiserver": [
            str(tool("kube-apiserver")),
            f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--tls-cert-file={folder / 'apiserver.crt'}",
            f"--tls-private-key-file={folder / 'apiserver.key'}",
            f"--client-ca-file={folder / 'ca.crt'}",
            f"--service-account-key-file={folder / 'sa.pub'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            *extra,
        ],
        "kube-controller-manager": [
            str(tool("kube-controller-manager")),
            f"--kubeconfig={folder / 'controllers.kubeconfig'}",
            f"--service-account-private-key-file={folder / 'sa.key'}",
            f"--root-ca-file={folder / 'ca.crt'}",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--controllers={','.join(controllers)}",
        ],
    }
    return KubeApi(url, text, folder, commands)


def kubeconfig(folder: Path, url: str, name: str) -> str:
    """The text of a kubeconfig for the certificate `name`, with everything inside it."""

    def data(path: str) -> str:
        return base64.b64encode((folder / path).read_bytes()).decode()

    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": url, "certificate-authority-data": data("ca.crt")},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate-data": data(f"{name}.crt"),
                        "client-key-data": data(f"{name}.key"),
                    },
                }
            ],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
        }
    )


class Authority:
    """A certificate authority in a folder: ca.crt, ca.key, and what it issues."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test cluster CA")])
        builder = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._write("ca", builder, self._key)

    def issue(self, name: str, common: str, *, group: str = "", server: bool = False) -> None:
        """Writes NAME.crt and NAME.key, for a server on loopback or for a client of a group."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
        if group:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = _builder(x509.Name(parts), self._name, key).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if server:
            names: list[x509.GeneralName] = [
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                x509.DNSName("localhost"),
                x509.DNSName("kubernetes.default.svc"),
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._write(name, builder, key)

    def _write(self, name: str, builder: x509.CertificateBuilder, key: Key) -> None:
        certificate = builder.sign(self._key, hashes.SHA256())
        path = self._folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(_pem(key))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self._folder / f"{name}.crt").write_bytes(pem)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_signing_key(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = folder / "sa.key"
    path.touch(mode=0o600)
    path.write_bytes(_pem(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)
