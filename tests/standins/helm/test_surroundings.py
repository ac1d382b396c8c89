"""Around a release: chart repositories, helm itself, secrets, and a cluster that is away."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.standins.helm.conftest import write_chart
from tests.standins.helm.harness import (
    ByHand,
    PartlyMadeError,
    Plugin,
    Props,
    refusal,
    running_plugin,
)
from tests.standins.minio.harness import secret
from tests.support.kube_api import KubeApi, running_kube_api, tool
from tests.support.rendered_chart import STAND_IN
from tests.support.velero_values import BASE

pytestmark = pytest.mark.tools

HIDDEN = "a very hidden value"


class Files(SimpleHTTPRequestHandler):
    """Serves a folder, and notes what was asked for."""

    asked: list[str]

    def log_message(self, *_: Any) -> None:
        self.asked.append(self.path)


@pytest.fixture
def repository(tmp_path: Path, by_hand: ByHand) -> Iterator[tuple[str, list[str]]]:
    """The URL of a repository with the chart in two versions, and the list of what was asked."""
    place = tmp_path / "repository"
    place.mkdir()
    for version in ("1.2.3", "1.10.0"):
        chart = write_chart(tmp_path / version / "app", version)
        by_hand.run("package", str(chart), "--destination", str(place))
    by_hand.run("repo", "index", str(place))
    asked: list[str] = []
    handler = type("Handler", (Files,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(place)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join(timeout=60)
    server.server_close()


def from_repository(url: str, namespace: str, **more: Any) -> Props:
    options = {"repo": url}
    return {
        "chart": "app",
        "name": "app",
        "namespace": namespace,
        "repositoryOpts": options,
        **more,
    }


def test_a_version_is_resolved_in_the_repository(
    plugin: Plugin, repository: tuple[str, list[str]], namespace: str
) -> None:
    url, _ = repository
    assert plugin.checked(from_repository(url, namespace))["version"] == "1.10.0"
    pinned = from_repository(url, namespace, version="1.2.3")
    assert plugin.checked(pinned)["version"] == "1.2.3"
    ranged = from_repository(url, namespace, version="<1.5.0")
    assert plugin.checked(ranged)["version"] == "1.2.3"
    missing = plugin.refusals(from_repository(url, namespace, version="9.9.9"))
    assert "9.9.9" in missing["chart"]


def test_a_release_from_a_repository_is_made_and_upgraded(
    plugin: Plugin, repository: tuple[str, list[str]], namespace: str
) -> None:
    url, _ = repository
    old, new = (from_repository(url, namespace, version=each) for each in ("1.2.3", "1.10.0"))
    found = plugin.create(old)
    assert found.status["version"] == "1.2.3"
    assert plugin.changes(found, new) == {"version": "UPDATE"}
    assert plugin.update(found, new).status["version"] == "1.10.0"


@pytest.mark.stand_in
def test_a_chart_is_fetched_once(
    api: KubeApi, folder: Path, repository: tuple[str, list[str]], namespace: str
) -> None:
    url, asked = repository
    with running_plugin(folder, {"kubeconfig": api.kubeconfig}) as plugin:
        found = plugin.create(from_repository(url, namespace, version="1.2.3"))
        plugin.update(
            found, from_repository(url, namespace, version="1.2.3", values={"color": "b"})
        )
    assert [path for path in asked if path.endswith(".tgz")] == ["/app-1.2.3.tgz"]


@pytest.fixture
def noted(api: KubeApi, folder: Path, tmp_path: Path) -> Iterator[tuple[Plugin, Path]]:
    """A plugin whose helm notes its arguments and environment before it works."""
    notes = tmp_path / "notes"
    wrapper = tmp_path / "helm"
    wrapper.write_text(f'#!/bin/sh\n(echo "$@"; env) >>{notes}\nexec {tool("helm")} "$@"\n')
    wrapper.chmod(0o755)
    environment = {"BACKSTOP_HELM": str(wrapper), "TMPDIR": str(tmp_path), "HELM_KUBETOKEN": "own"}
    with running_plugin(folder, {"kubeconfig": api.kubeconfig}, environment) as plugin:
        yield plugin, notes


@pytest.mark.stand_in
def test_no_secret_is_in_arguments_environment_or_files(
    noted: tuple[Plugin, Path], api: KubeApi, tmp_path: Path, namespace: str
) -> None:
    plugin, notes = noted
    inputs: Props = {"chart": "./app", "name": "app", "namespace": namespace}
    found = plugin.create({**inputs, "values": {"secret": secret(HIDDEN)}})
    plugin.update(found, {**inputs, "values": {"secret": secret(HIDDEN), "color": "blue"}})
    text = notes.read_text()
    assert f"install app {plugin_folder(plugin) / 'app'} --namespace {namespace}" in text
    key = next(
        line.split(": ")[1] for line in api.kubeconfig.splitlines() if "client-key-data" in line
    )
    files = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for hidden in (HIDDEN, key):
        assert hidden not in files  # the notes are among them
    # Which cluster it is comes from the stack alone.
    assert "HELM_KUBETOKEN" not in text


def plugin_folder(plugin: Plugin) -> Path:
    return Path(f"/proc/{plugin.process.pid}/cwd").readlink()


@pytest.mark.stand_in
def test_an_error_does_not_show_a_secret(plugin: Plugin, namespace: str) -> None:
    inputs: Props = {"chart": "./app", "name": "app", "namespace": namespace}
    with pytest.raises(grpc.RpcError) as refused:
        # The text is put into a template that fails on it.
        plugin.create({**inputs, "values": {"outer": secret(HIDDEN)}})
    assert HIDDEN not in refusal(refused)
    assert "can't evaluate field inner" in refusal(refused)


@pytest.mark.stand_in
def test_without_helm_it_says_where_it_looked(api: KubeApi, folder: Path) -> None:
    environment = {"BACKSTOP_HELM": "/nowhere/helm"}
    with running_plugin(folder, {"kubeconfig": api.kubeconfig}, environment) as plugin:
        with pytest.raises(grpc.RpcError) as refused:
            plugin.check({"chart": "./app", "name": "app", "namespace": "default"})
        assert "BACKSTOP_HELM names /nowhere/helm, which is no program here" in refusal(refused)


@pytest.mark.stand_in
def test_a_context_that_is_not_there_is_named(api: KubeApi, folder: Path) -> None:
    settings = {"kubeconfig": api.kubeconfig, "context": "elsewhere"}
    with pytest.raises(grpc.RpcError) as refused, running_plugin(folder, settings) as plugin:
        plugin.create({"chart": "./app", "name": "app", "namespace": "default"})
    assert "elsewhere" in refusal(refused)


def test_a_cluster_that_is_away_is_an_error_and_forgets_nothing(
    folder: Path, tmp_path: Path
) -> None:
    inputs: Props = {"chart": "./app", "name": "app", "namespace": "default"}
    with (
        running_kube_api(tmp_path / "own", ()) as api,
        running_plugin(folder, {"kubeconfig": api.kubeconfig}) as plugin,
    ):
        found = plugin.create(inputs)
        api.stop("kube-apiserver")
        for act in (
            lambda: plugin.read(found),
            lambda: plugin.update(found, {**inputs, "values": {"color": "blue"}}),
            lambda: plugin.delete(found),
            lambda: plugin.create({**inputs, "name": "second"}),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                act()
            assert "unreachable" in str(refused.value.details())
        api.start()
        assert plugin.read(found).state == found.state


def test_the_server_takes_every_object_of_the_velero_chart(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    monitors = {"serviceMonitor": {"enabled": False}, "nodeAgentPodMonitor": {"enabled": False}}
    values = {**BASE, "metrics": {"enabled": True, **monitors}, "upgradeCRDs": False}
    found = plugin.create(
        {
            "chart": str(STAND_IN),
            "name": "velero",
            "namespace": namespace,
            "skipAwait": True,
            "values": values,
        }
    )
    assert found.status["appVersion"] == "1.18.1"
    assert found.status["version"] == "12.1.0+standin"
    assert json.dumps(found.state["resourceNames"]).count(f"{namespace}/") == 7
    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/velero"
    assert api.request("GET", deployment)["spec"]["strategy"] == {"type": "Recreate"}
    plugin.delete(found)


@pytest.mark.stand_in
def test_a_hook_that_does_not_end_is_named(plugin: Plugin, namespace: str) -> None:
    monitors = {"serviceMonitor": {"enabled": False}, "nodeAgentPodMonitor": {"enabled": False}}
    inputs: Props = {
        "chart": str(STAND_IN),
        "name": "velero",
        "namespace": namespace,
        "timeout": 4,
        "values": {**BASE, "metrics": {"enabled": True, **monitors}},
    }
    with pytest.raises(PartlyMadeError) as failed:
        plugin.create(inputs)
    assert str(failed.value) == (
        f"Helm release {namespace}/velero: install failed: hook Job velero-upgrade-crds failed or "
        f"did not end, see `kubectl describe pods -n {namespace} -l job-name=velero-upgrade-crds`"
    )
