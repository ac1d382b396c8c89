"""A small program with objects of every sort in a cluster, under the driver and the real engine."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kube.marks import labels
from tests.stack.real_engine import Site, site_in
from tests.support.kube_api import KubeApi, RefusedError, tool

NAMESPACE = "crashes"
# The tiny project has no config, so its site is named like its stack.
MARKS = labels("dev")

PROGRAM = f"""
import json
import pathlib

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition
from pulumi_kubernetes.core.v1 import ConfigMap, NamespacePatch, Namespace, Secret, ServiceAccount
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.rbac.v1 import ClusterRole, Role

SIZE = json.loads(pathlib.Path("size.json").read_text())
MARKS = {MARKS!r}


def meta(name, namespaced=True):
    where = {{"namespace": "{NAMESPACE}"}} if namespaced else {{}}
    return {{"name": name, "labels": MARKS, **where}}


cluster = Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(pathlib.Path("kubeconfig").read_text()),
    cluster_identifier="dev",
    enable_secret_mutable=True,
    enable_config_map_mutable=True,
)


def options(*after):
    return pulumi.ResourceOptions(provider=cluster, depends_on=list(after))


space = Namespace("space", metadata=meta("{NAMESPACE}", False), opts=options())
definition = CustomResourceDefinition(
    "definition",
    metadata=meta("things.crash.test", False),
    spec={{
        "group": "crash.test",
        "names": {{
            "kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList",
        }},
        "scope": "Namespaced",
        "versions": [{{
            "name": "v1", "served": True, "storage": True,
            "schema": {{"openAPIV3Schema": {{"type": "object", "properties": {{
                "spec": {{"type": "object", "properties": {{"size": {{"type": "integer"}}}}}}}}}}}},
        }}],
    }},
    opts=options(),
)
account = ServiceAccount("account", metadata=meta("account"), opts=options(space))
store = Secret(
    "store",
    metadata=meta("store"),
    string_data={{"cloud": pulumi.Output.secret(f"SENTINEL-{{SIZE}}")}},
    opts=options(space),
)
RULES = [{{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}}]
Role("role", metadata=meta("role"), rules=RULES, opts=options(account))
ClusterRole("cluster-role", metadata=meta("crash-role", False), rules=RULES, opts=options())
DATA = {{"size": str(SIZE)}}
values = ConfigMap("values", metadata=meta("values"), data=DATA, opts=options(store))
NamespacePatch(
    "patch",
    metadata={{"name": "default", "annotations": {{"crash.test/size": str(SIZE)}}}},
    opts=options(),
)
CustomResource(
    "thing",
    api_version="crash.test/v1",
    kind="Thing",
    metadata=meta("thing"),
    spec={{"size": SIZE}},
    opts=options(definition, values),
)
Release(
    "release",
    name="small",
    namespace="{NAMESPACE}",
    chart="./small",
    values={{"size": SIZE}},
    skip_await=True,
    opts=options(values),
)
"""

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0\n",
    "values.yaml": "size: 0\n",
    "templates/one.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-one\n"
        'data:\n  size: "{{ .Values.size }}"\n'
    ),
    "templates/two.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-two\n"
        'data:\n  size: "{{ .Values.size }}"\n'
    ),
}
OBJECTS = {
    "namespace": f"/api/v1/namespaces/{NAMESPACE}",
    "patched": "/api/v1/namespaces/default",
    "definition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.crash.test",
    "account": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/account",
    "store": f"/api/v1/namespaces/{NAMESPACE}/secrets/store",
    "role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles/role",
    "cluster-role": "/apis/rbac.authorization.k8s.io/v1/clusterroles/crash-role",
    "values": f"/api/v1/namespaces/{NAMESPACE}/configmaps/values",
    "thing": f"/apis/crash.test/v1/namespaces/{NAMESPACE}/things/thing",
    "one": f"/api/v1/namespaces/{NAMESPACE}/configmaps/small-one",
    "two": f"/api/v1/namespaces/{NAMESPACE}/configmaps/small-two",
}
# What differs from one run to the next without meaning anything.
_METADATA = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"}
_HISTORY = {"created", "modified", "sequenceNumber", "sourcePosition", "stackTrace", "id"}


@dataclass
class ClusterSite(Site):
    """The tiny project on one API server."""

    api: KubeApi | None = None

    @property
    def folder(self) -> Path:
        return self.directory.parent

    @property
    def cluster(self) -> KubeApi:
        assert self.api is not None
        return self.api

    def resize(self, size: int) -> None:
        """Another input for half of the objects."""
        (self.directory / "size.json").write_text(json.dumps(size))

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        command, *others = arguments
        place = ["-s", "dev", "-C", str(self.directory)]
        return [sys.executable, "-m", "stack", command, *place, *others]

    def objects(self) -> dict[str, Any]:
        """The objects as the server holds them, None for one that is not there."""
        found: dict[str, Any] = {}
        for name, path in OBJECTS.items():
            try:
                found[name] = plain(self.cluster.request("GET", path))
            except RefusedError as refused:
                if refused.status != 404:
                    raise
                found[name] = None
        return found

    def state(self) -> dict[str, Any]:
        """Resources by name without what is random, and what is pending."""
        latest = self.latest()
        kept = {
            str(r["urn"]).rsplit("::", 1)[-1]: {
                key: plain(value) for key, value in r.items() if key not in _HISTORY
            }
            for r in latest.get("resources") or []
        }
        for resource in kept.values():
            if "provider" in resource:
                resource["provider"] = resource["provider"].rsplit("::", 1)[0]
            resource["dependencies"] = sorted(resource.get("dependencies") or [])
            needs = resource.get("propertyDependencies") or {}
            resource["propertyDependencies"] = {k: sorted(v or []) for k, v in needs.items()}
        return {"resources": kept, "pending": self.pending()}

    def clear(self) -> None:
        """Takes everything away: stack, state and objects."""
        done = self.stack("destroy", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        for file in self.state_file.parent.glob("dev.json*"):
            file.unlink()


def plain(value: Any) -> Any:
    """A value without times, numbers and ciphertexts that differ from run to run."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "ciphertext" in value:
        return "<secret>"
    return {
        key: plain(each)
        for key, each in value.items()
        if key not in _METADATA and key not in ("status", "__fieldManager", "conditions")
    }


@contextmanager
def cluster_site(folder: Path, api: KubeApi) -> Iterator[ClusterSite]:
    """A new project of the program above; skips the test without its tools."""
    helm = tool("helm")
    base = site_in(folder)
    env = {
        **base.env,
        "PATH": os.pathsep.join([str(helm.parent), base.env["PATH"]]),
        "PULUMI_DEBUG_COMMANDS": "true",  # makes --event-log available
    }
    site = ClusterSite(base.directory, env, api=api)
    site.write(PROGRAM)
    site.resize(1)
    (site.directory / "kubeconfig").write_text(json.dumps(yaml.safe_load(api.kubeconfig)))
    for name, text in CHART.items():
        file = site.directory / "small" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    try:
        yield site
    finally:
        site.end()
