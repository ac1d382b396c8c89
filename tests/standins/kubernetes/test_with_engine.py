"""The stand-in under the real Pulumi engine: deploy, repeat, drift, outage, import, destroy."""

import json
from pathlib import Path

import pytest

from tests.standins.kubernetes.harness import OFFICIAL_VARIABLE, official_plugin
from tests.standins.project import Project, new_project
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.tools]

PASSWORD = "correct-horse-battery"
PROGRAM = """
import os, pulumi, pulumi_kubernetes as k8s
from pulumi_kubernetes.apiextensions import CustomResource, CustomResourcePatch
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Secret, Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding
cluster = k8s.Provider(
    "cluster", kubeconfig=pulumi.Output.secret(open(os.environ["CLUSTER"]).read()), context="test",
    cluster_identifier="site", enable_secret_mutable=True, enable_config_map_mutable=True)
def o(*after, **more):
    return pulumi.ResourceOptions(provider=cluster, depends_on=list(after), **more)
crd = CustomResourceDefinition("crd", metadata={"name": "places.example.com"}, opts=o(), spec={
    "group": "example.com", "scope": "Namespaced", "names": {"kind": "Place", "plural": "places"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": {
        "type": "object", "x_kubernetes_preserve_unknown_fields": True}}}]})
ns = Namespace("ns", metadata={"name": "backup"}, opts=o())
inside = {"namespace": ns.metadata.name}
sa = ServiceAccount("sa", metadata={**inside, "name": "velero"}, opts=o())
Role("role", metadata={**inside, "name": "velero"}, opts=o(), rules=[
    {"api_groups": [""], "resources": ["pods"], "verbs": ["get"]}])
RoleBinding("binding", metadata={**inside, "name": "velero"}, opts=o(),
    role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": "velero"},
    subjects=[{"kind": "ServiceAccount", "name": sa.metadata.name, "namespace": "backup"}])
secret = Secret("secret", metadata={**inside, "name": "keys"}, opts=o(),
    string_data={"cloud": pulumi.Output.secret(os.environ["CLIENT_PASSWORD"])})
ConfigMap("settings", metadata={**inside, "name": "settings"}, opts=o(),
    data={"a": os.environ.get("SETTING", "1")})
Service("service", metadata={**inside, "name": "web"}, opts=o(), spec={"ports": [{"port": 80}]})
CustomResource("place", "example.com/v1", "Place", metadata={**inside, "name": "here"},
    spec={"size": 1, "credential": {"name": secret.metadata.name}}, opts=o(crd))
CustomResourcePatch("patch", api_version="example.com/v1", kind="Place", opts=o(crd),
    metadata={**inside, "name": "theirs", "annotations": {"pulumi.com/patchForce": "true"}},
    spec={"ours": True})
pulumi.export("data", secret.data)
pulumi.export("uid", ns.metadata.uid)
"""
QUIET = ("--expect-no-changes",)
CONFIG_MAP = "/api/v1/namespaces/backup/configmaps/settings"


@pytest.fixture
def project(tmp_path: Path, api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> Project:
    if official_plugin() is not None:
        pytest.skip(f"{OFFICIAL_VARIABLE}: the engine runs plugins through its own installation")
    made = new_project(tmp_path, PROGRAM)
    made.environment = {"CLUSTER": str(api.kubeconfig_file), "CLIENT_PASSWORD": PASSWORD}
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return made


def names(project: Project) -> set[str]:
    state = json.loads(project.must("stack", "export").stdout)
    urns = [str(found["urn"]) for found in state["deployment"].get("resources", [])]
    return {urn.rpartition("::")[2] for urn in urns if "::kubernetes:" in urn}


def test_a_deployment_is_quiet_when_repeated_heals_drift_and_survives_an_outage(
    project: Project, api: KubeApi
) -> None:
    assert "stand-in" in project.must("preview").text
    up = ("up", "--yes", "--skip-preview")
    first = project.run(*up)
    # The object that is patched is somebody else's, so a first update makes it with the patch.
    assert first.code == 0, first.text
    everything = names(project)
    assert len(everything) == 10
    project.must(*up, *QUIET)
    project.must("refresh", "--yes", "--skip-preview", *QUIET)
    project.must("preview", *QUIET)

    api.patch(CONFIG_MAP, {"data": {"a": "by hand"}}, manager="kubectl")
    api.request("DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/backup/roles/velero")
    project.must("refresh", "--yes", "--skip-preview")
    assert names(project) == everything - {"role"}
    project.must(*up)
    assert api.request("GET", CONFIG_MAP)["data"] == {"a": "1"}
    assert names(project) == everything

    api.stop("kube-apiserver")
    try:
        refused = project.run("refresh", "--yes", "--skip-preview")
        looked = project.run("preview")
    finally:
        api.start()
    for failed in (refused, looked):
        assert failed.code != 0
        assert "cannot be reached" in failed.text
    assert names(project) == everything

    kept = [path for path in project.folder.parent.rglob("*") if path.is_file()]
    assert [path for path in kept if PASSWORD.encode() in path.read_bytes()] == []
    assert PASSWORD not in first.text

    project.must("state", "delete", "--yes", _urn(project, "settings"))
    project.must(
        "import",
        "--yes",
        "--protect=false",
        "--generate-code=false",
        "--provider=cluster=" + _urn(project, "cluster"),
        "kubernetes:core/v1:ConfigMap",
        "settings",
        "backup/settings",
    )
    project.must("preview", *QUIET)
    project.must("destroy", "--yes", "--skip-preview")
    assert names(project) == set()
    assert not api.exists("/api/v1/namespaces/backup")


def test_a_field_that_somebody_else_changed_stops_the_update_and_keeps_the_state(
    project: Project, api: KubeApi
) -> None:
    project.up()
    everything = names(project)
    api.patch(CONFIG_MAP, {"data": {"a": "by hand"}}, manager="somebody")
    project.must("refresh", "--yes", "--skip-preview")
    refused = project.run("up", "--yes", "--skip-preview")
    assert refused.code != 0
    assert ".data.a (somebody)" in refused.text
    assert names(project) == everything
    project.must("destroy", "--yes", "--skip-preview")


def _urn(project: Project, name: str) -> str:
    state = json.loads(project.must("stack", "export").stdout)
    urns = [str(found["urn"]) for found in state["deployment"]["resources"]]
    return next(urn for urn in urns if urn.endswith(f"::{name}"))
