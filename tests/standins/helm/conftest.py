"""A real API server, a plugin that talks to it, and a small chart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.helm.harness import ByHand, Plugin, official_plugin, running_plugin
from tests.support.kube_api import KubeApi, running_kube_api

TEMPLATES = {
    "map.yaml": """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  color: {{ .Values.color | quote }}
  inner: {{ .Values.outer.inner | quote }}
""",
    "extra.yaml": """
{{- if .Values.conflict }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: somebody-elses
{{- end }}
""",
    "workload.yaml": """
{{- if .Values.workload }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: it}}
  template:
    metadata: {labels: {app: it}}
    spec: {containers: [{name: it, image: nowhere.example/it}]}
{{- end }}
""",
    "hook.yaml": """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
data:
  revision: {{ .Release.Revision | quote }}
""",
}
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.backstop.example}
spec:
  group: backstop.example
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
"""
VALUES = "color: red\nouter: {inner: a, other: b}\nworkload: false\nconflict: false\nsecret: ''\n"
SCHEMA = '{"type": "object", "properties": {"color": {"type": "string"}}}'


def write_chart(folder: Path, version: str = "1.2.3") -> Path:
    for name, text in TEMPLATES.items():
        path = folder / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "crds").mkdir(exist_ok=True)
    (folder / "crds" / "things.yaml").write_text(DEFINITION)
    (folder / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: app\nversion: {version}\nappVersion: '9'\n"
    )
    (folder / "values.yaml").write_text(VALUES)
    (folder / "values.schema.json").write_text(SCHEMA)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "stand_in: behaviour that is the stand-in's alone (docs/stand-ins/)"
    )


@pytest.fixture(autouse=True)
def _only_for_the_stand_in(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("stand_in") and official_plugin() is not None:
        pytest.skip("this is how the stand-in differs from the official plugin")


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("kube")) as running:
        yield running


@pytest.fixture
def by_hand(api: KubeApi) -> ByHand:
    return ByHand(api)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program's folder, with the chart `app` in it."""
    found = tmp_path_factory.mktemp("program")
    write_chart(found / "app")
    return found


@pytest.fixture(scope="module")
def plugin(api: KubeApi, folder: Path) -> Iterator[Plugin]:
    with running_plugin(folder, {"kubeconfig": api.kubeconfig}) as running:
        yield running


@pytest.fixture
def namespace(api: KubeApi, request: pytest.FixtureRequest) -> str:
    """A new namespace for one test."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**10}"
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name
