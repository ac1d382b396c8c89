"""What of Longhorn's manager a backup target meets: it makes it, polls it, and tells how it went.

As the real one it writes whole objects, asks for its own polls by a field of `spec`, and reads the
credential at each look. It looks at the store itself, with what the Secret holds.
"""

import base64
import datetime
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
import yaml
from minio import Minio
from minio.error import MinioException

from components.longhorn.places import parse
from kube.longhorn.api import NAMESPACE, object_path
from tests.standins.test_crds import CRDS, _wait_established
from tests.support.kube_api import KubeApi, RefusedError

DEFINITIONS = Path(__file__).resolve().parents[2] / "standins" / "crds" / "longhorn"
API = "longhorn.io/v1beta2"
MANAGER = "longhorn-manager"
POLL_SECONDS = 0.5
SETTINGS = {"current-longhorn-version": "v1.12.1", "backup-execution-timeout": "1"}


def install(api: KubeApi) -> None:
    """Definitions, namespace, settings and the target `default`, as after an installation."""
    for file in sorted(DEFINITIONS.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        api.request("POST", CRDS, document)
        _wait_established(api, document["metadata"]["name"])
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for name, value in SETTINGS.items():
        _create(api, "Setting", "settings", name, {"value": value})
    spec = {"backupTargetURL": "", "credentialSecret": "", "pollInterval": "5m0s"}
    _create(api, "BackupTarget", "backuptargets", "default", {"spec": spec})


def _create(api: KubeApi, kind: str, plural: str, name: str, body: dict[str, Any]) -> None:
    content = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, **body}
    path = f"{object_path(NAMESPACE, plural)}?fieldManager={MANAGER}"
    api.request("POST", path, content)


@contextmanager
def running_manager(api: KubeApi) -> Iterator[None]:
    """Polls all targets until it is left."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(POLL_SECONDS):
            for found in api.request("GET", object_path(NAMESPACE, "backuptargets"))["items"]:
                _poll(api, found)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _poll(api: KubeApi, found: dict[str, Any]) -> None:
    if not found["spec"].get("backupTargetURL"):
        return
    name = found["metadata"]["name"]
    path = object_path(NAMESPACE, "backuptargets", name)
    try:
        message = _unavailable(api, found["spec"])
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Unavailable", "status": "True" if message else "False"}
        status = {"available": not message, "conditions": [{**condition, "message": message}]}
        if not message:
            status["lastSyncedAt"] = now
        api.patch(f"{path}/status", {"status": status}, manager=MANAGER)
        whole = api.request("GET", path)
        whole["spec"]["syncRequestedAt"] = now
        api.request("PUT", f"{path}?fieldManager={MANAGER}", whole)
    except RefusedError as error:
        if error.status not in (404, 409):  # somebody else was first, or took it away
            raise


def _unavailable(api: KubeApi, spec: dict[str, Any]) -> str:
    place, secret = parse(spec["backupTargetURL"]), spec.get("credentialSecret")
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{secret}"
    if not secret or not api.exists(path):
        return f"secret {secret} not found"
    data = api.request("GET", path)["data"]
    held = {key: base64.b64decode(value).decode() for key, value in data.items()}
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
        ca.write(held["AWS_CERT"])
        ca.flush()
        client = Minio(
            urlsplit(held["AWS_ENDPOINTS"]).netloc,
            access_key=held["AWS_ACCESS_KEY_ID"],
            secret_key=held["AWS_SECRET_ACCESS_KEY"],
            region=place.region,
            http_client=urllib3.PoolManager(ca_certs=ca.name, retries=False),
        )
        try:
            list(client.list_objects(place.bucket, prefix=place.prefix))
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            return f"failed to list system backups in {place.url}: {error}"
    return ""
