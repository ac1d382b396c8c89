"""A real API server with Velero's own definitions. What its server would write, the tests write."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from kube.client import Clock, connect
from kube.kubeconfig import parse
from kube.velero.api import GROUP, Velero
from kube.writer import open_writer
from tests.support.kube_api import KubeApi, RefusedError, running_kube_api, tool

NAMESPACE = "velero"
KINDS = ("backups", "restores", "schedules", "backupstoragelocations", "backuprepositories",
         "serverstatusrequests")  # fmt: skip


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("velero")) as running:
        definitions = subprocess.run(
            [str(tool("velero")), "install", "--crds-only", "--dry-run", "-o", "json"],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for definition in json.loads(definitions.stdout)["items"]:
            running.request("POST", path, definition)
        running.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        _wait_until_served(running)
        yield running


def _wait_until_served(running: KubeApi) -> None:
    deadline = time.monotonic() + 120
    for kind in KINDS:
        while not running.exists(f"/apis/{GROUP}/namespaces/{NAMESPACE}/{kind}"):
            assert time.monotonic() < deadline, f"{kind} are not served"
            time.sleep(0.1)


@dataclass
class Hands:
    """Time that stands still, and what somebody does in the cluster while a command waits.

    One deed is done in each pause of the wait. `pauses`: how many there were.
    """

    api: KubeApi
    deeds: list[Callable[[], object]] = field(default_factory=list)
    now: float = 0.0
    pauses: int = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses += 1
        if self.deeds:
            self.deeds.pop(0)()

    def path(self, kind: str, name: str = "") -> str:
        return f"/apis/{GROUP}/namespaces/{NAMESPACE}/{kind}" + (f"/{name}" if name else "")

    def make(self, kind: str, singular: str, name: str, **content: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": NAMESPACE, **content.pop("metadata", {})}
        body = {"apiVersion": GROUP, "kind": singular, "metadata": metadata, **content}
        found: dict[str, Any] = self.api.request("POST", self.path(kind), body)
        return found

    def answer(self, kind: str, name: str, **status: Any) -> None:
        """What Velero's server writes into the status of an object."""
        self.api.patch(self.path(kind, name), {"status": status}, "velero-server")

    def there(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.request("GET", self.path(kind))["items"]
        return found


@pytest.fixture
def hands(api: KubeApi) -> Iterator[Hands]:
    made = Hands(api)
    yield made
    for kind in KINDS:
        for one in made.there(kind):
            path = made.path(kind, one["metadata"]["name"])
            with contextlib.suppress(RefusedError):
                api.patch(path, {"metadata": {"finalizers": None}})
            with contextlib.suppress(RefusedError):
                api.request("DELETE", path)


@pytest.fixture
def velero(api: KubeApi, hands: Hands) -> Velero:
    cluster = parse(api.kubeconfig)
    clock = Clock(now=lambda: hands.now, sleep=hands.sleep)
    client = connect(cluster, patience=0)
    return Velero(client, open_writer(cluster), NAMESPACE, clock)


def secret(api: KubeApi, name: str, labels: Mapping[str, str] | None = None) -> None:
    """A Secret of Velero's namespace."""
    body = {
        "metadata": {"name": name, "labels": dict(labels or {})},
        "stringData": {"cloud": "SENTINEL"},
    }
    api.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", body)


def request(api: KubeApi, **more: Any) -> str:
    """What a command reads on stdin."""
    base = {"schema": 1, "kubeconfig": api.kubeconfig, "namespace": NAMESPACE, "seconds": 30}
    return json.dumps({**base, **more})
