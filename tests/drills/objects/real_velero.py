"""A real Velero on loopback: its server as a process, a real API server, a real MinIO.

No node: pods stay pending, and no volume holds data. Objects are backed up and restored as in any
cluster. The programs are the pinned ones that `python -m lab tools` builds.
"""

import base64
import contextlib
import fcntl
import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from minio import Minio
from urllib3 import PoolManager

from tests.support.kube_api import CONTROLLERS, KubeApi, RefusedError, running_kube_api, tool
from tests.support.minio_server import MinioServer, running_minio
from tests.support.ports import free_port

NAMESPACE, BUCKET = "velero", "backups"
GROUP = f"/apis/velero.io/v1/namespaces/{NAMESPACE}"
WAIT_SECONDS = 120.0
ENDED = {"Completed", "PartiallyFailed", "Failed", "FailedValidation"}
MORE_CONTROLLERS = (
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "disruption-controller",
)
# The library that its controllers are built with listens here for metrics; no flag changes it.
_FIXED_PORT = 8080


@dataclass
class RealVelero:
    """The three servers, and what somebody with kubectl would do with them."""

    api: KubeApi
    store: MinioServer
    client: Minio

    def backup(self, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return self._run("backups", "Backup", name, {"storageLocation": "default", **spec})

    def restore(self, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return self._run("restores", "Restore", name, spec)

    def tarball(self, backup: str) -> io.BytesIO:
        return self._object(f"backups/{backup}/{backup}.tar.gz")

    def results(self, restore: str) -> io.BytesIO:
        return self._object(f"restores/{restore}/restore-{restore}-results.gz")

    def _object(self, key: str) -> io.BytesIO:
        answer = self.client.get_object(BUCKET, key)
        try:
            return io.BytesIO(answer.read())
        finally:
            answer.close()

    def _run(self, plural: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        content = {
            "apiVersion": "velero.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
        }  # fmt: skip
        self.api.request("POST", f"{GROUP}/{plural}", content)

        def ended() -> dict[str, Any] | None:
            found = self.api.request("GET", f"{GROUP}/{plural}/{name}")
            return found if (found.get("status") or {}).get("phase") in ENDED else None

        return until(ended, f"{kind} {name} to end")


def posted(api: KubeApi, path: str, content: dict[str, Any]) -> None:
    """Makes an object; custom kinds, and accounts of new namespaces, are there a moment later."""

    def made() -> bool | None:
        try:
            api.request("POST", path, content)
        except RefusedError as refused:
            if refused.status == 404 or "serviceaccount" in str(refused):
                return None
            raise AssertionError(f"{path}: {refused}") from None
        return True

    until(made, f"{path} to be served")


def until(ask: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = ask()
        if found is not None:
            return found
        time.sleep(0.3)
    raise AssertionError(f"waited {WAIT_SECONDS:.0f} s for {what}")


@contextmanager
def running_velero(folder: Path, fill: Callable[[KubeApi], None]) -> Iterator[RealVelero]:
    """All of it, ready when entered, ended and emptied when left.

    fill: makes objects before the server starts, for it learns of new kinds every five minutes only
    (velero pkg/cmd/server/server.go).
    """
    velero, plugin = tool("velero"), tool("velero-plugin-for-aws")
    store_folder = folder / "minio"
    store_folder.mkdir()
    controllers = (*CONTROLLERS, *MORE_CONTROLLERS)
    with (
        _alone(),
        running_minio(store_folder) as store,
        running_kube_api(folder, controllers) as api,
    ):
        client = Minio(
            store.endpoint, store.root_user, store.root_password, region=store.region,
            http_client=PoolManager(ca_certs=str(store.ca_file)),
        )  # fmt: skip
        client.make_bucket(BUCKET)
        _prepare(api, store, velero)
        fill(api)
        plugins = folder / "plugins"
        plugins.mkdir()
        shutil.copy2(plugin, plugins / plugin.name)
        with _server(velero, plugins, api, folder):
            until(lambda: _available(api), "the location to be available")
            yield RealVelero(api, store, client)


def _prepare(api: KubeApi, store: MinioServer, velero: Path) -> None:
    """What an installation brings: definitions, namespace, credentials, location."""
    shown = subprocess.run(
        [str(velero), "install", "--crds-only", "--dry-run", "-o", "yaml"],
        check=True, capture_output=True, text=True, env={"HOME": str(api.folder)}, timeout=60,
    )  # fmt: skip
    for content in yaml.safe_load(shown.stdout)["items"]:
        api.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", content)
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    keys = f"[default]\naws_access_key_id={store.root_user}\n"
    keys += f"aws_secret_access_key={store.root_password}\n"
    place = f"/api/v1/namespaces/{NAMESPACE}"
    api.request("POST", f"{place}/secrets", {"metadata": {"name": "cloud"},
                                             "stringData": {"cloud": keys}})  # fmt: skip
    # A restore asks for the image of the server's own Deployment; no pod of it ever runs here.
    container = {"name": "velero", "image": "velero/velero:v1.18.1"}
    api.request("POST", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", {
        "metadata": {"name": "velero"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "velero"}},
                 "template": {"metadata": {"labels": {"app": "velero"}},
                              "spec": {"containers": [container]}}},
    })  # fmt: skip
    ca = base64.b64encode(store.ca_pem.encode()).decode()
    location = {
        "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {
            "provider": "aws", "default": True, "credential": {"name": "cloud", "key": "cloud"},
            "objectStorage": {"bucket": BUCKET, "caCert": ca},
            "config": {"region": store.region, "s3ForcePathStyle": "true", "s3Url": store.url},
        },
    }  # fmt: skip
    until(lambda: _created(api, f"{GROUP}/backupstoragelocations", location), "Velero's kinds")


def _created(api: KubeApi, path: str, content: dict[str, Any]) -> bool | None:
    """Kinds are served a moment after their definition is there."""
    try:
        api.request("POST", path, content)
    except RefusedError as refused:
        if refused.status == 404:
            return None
        raise
    return True


@contextmanager
def _server(velero: Path, plugins: Path, api: KubeApi, folder: Path) -> Iterator[None]:
    log = folder / "velero.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [
                str(velero), "server", f"--kubeconfig={api.kubeconfig_file}",
                f"--namespace={NAMESPACE}", f"--plugin-dir={plugins}",
                f"--metrics-address=127.0.0.1:{free_port()}", "--profiler-address=",
                "--log-level=warning",
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
            cwd=folder, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        # Its plugins are processes of their own, in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


def _available(api: KubeApi) -> bool | None:
    found = api.request("GET", f"{GROUP}/backupstoragelocations/default")
    return True if (found.get("status") or {}).get("phase") == "Available" else None


@contextmanager
def _alone() -> Iterator[None]:
    """Workers that share these tests take turns, for two servers cannot have the fixed port."""
    with Path(tempfile.gettempdir(), f"backstop-port-{_FIXED_PORT}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _skip_if_taken()
        yield


def _skip_if_taken() -> None:
    with socket.socket() as listener:
        try:
            listener.bind(("", _FIXED_PORT))
        except OSError:
            pytest.skip(f"port {_FIXED_PORT} is taken, and Velero's server cannot do without it")
