"""One real API server and one configured plugin for each test module, a namespace for each test."""

import time
import uuid
from collections.abc import Iterator

import pytest

from tests.standins.kubernetes.harness import (
    OFFICIAL_VARIABLE,
    Plugin,
    Props,
    official_plugin,
    running_plugin,
    secret,
)
from tests.support.kube_api import KubeApi, running_kube_api


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "stand_in: behaviour that is the stand-in's alone (docs/stand-ins/kubernetes.md)"
    )


@pytest.fixture(autouse=True)
def _only_where_it_holds(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("stand_in") and official_plugin() is not None:
        pytest.skip(f"{OFFICIAL_VARIABLE} is set and the official plugin does otherwise")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("kube")) as running:
        yield running


def settings_of(api: KubeApi, **changed: object) -> Props:
    """The provider's inputs for a test server, as our program sets them."""
    return {
        "kubeconfig": secret(api.kubeconfig),
        "context": "test",
        "clusterIdentifier": "site",
        "enableSecretMutable": "true",
        "enableConfigMapMutable": "true",
        **changed,
    }


@pytest.fixture(scope="module")
def plugin(api: KubeApi) -> Iterator[Plugin]:
    with running_plugin() as running:
        running.configure(settings_of(api))
        yield running


@pytest.fixture
def namespace(api: KubeApi) -> str:
    """A namespace of the test's own."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.request("POST", "/api/v1/namespaces", body)
    # A controller makes its account, and may just be starting; no pod is taken before.
    deadline = time.monotonic() + 120
    while not api.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"):
        assert time.monotonic() < deadline, "no controller made the account"
        time.sleep(0.05)
    return name
