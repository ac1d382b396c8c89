"""What a change does, kind by kind: update in place, replacement, or nothing at all."""

import copy
from typing import Any

import pytest

from tests.standins.kubernetes.conftest import settings_of
from tests.standins.kubernetes.harness import Plugin, Props, running_plugin
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.tools]

IN_PLACE, REPLACED, NOTHING = "update", "replace", "nothing"
LABELS = {"app": "x"}
CONTAINER = {"name": "c", "image": "docker.io/lab/pause:1"}
POD = {"containers": [CONTAINER]}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
SELECTED = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}
RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
NETWORK = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}

# Token, the object without its metadata, path that changes, its new value, what comes of it.
CASES: dict[str, tuple[str, Props, tuple[str | int, ...], Any, str]] = {
    "config map data": (
        "core/v1:ConfigMap", {"data": {"a": "1"}}, ("data", "a"), "2", IN_PLACE),
    "config map without a change": (
        "core/v1:ConfigMap", {"data": {"a": "1"}}, ("data", "a"), "1", NOTHING),
    "config map label": (
        "core/v1:ConfigMap", {"data": {"a": "1"}}, ("metadata", "labels"), {"b": "c"}, IN_PLACE),
    "config map name": (
        "core/v1:ConfigMap", {"data": {"a": "1"}}, ("metadata", "name"), "other", REPLACED),
    "config map namespace": (
        "core/v1:ConfigMap", {"data": {"a": "1"}}, ("metadata", "namespace"), "default", REPLACED),
    "immutable config map data": (
        "core/v1:ConfigMap", {"data": {"a": "1"}, "immutable": True},
        ("data", "a"), "2", REPLACED),
    "secret data": (
        "core/v1:Secret", {"stringData": {"a": "1"}}, ("stringData", "a"), "2", IN_PLACE),
    "secret as text or encoded": (
        "core/v1:Secret", {"stringData": {"a": "1"}}, ("data",), {"a": "MQ=="}, NOTHING),
    "secret type": (
        "core/v1:Secret", {"stringData": {"a": "1"}}, ("type",), "example.com/x", REPLACED),
    "service port": (
        "core/v1:Service", {"spec": {"ports": [{"port": 80}]}},
        ("spec", "ports", 0, "port"), 81, IN_PLACE),
    "service address": (
        "core/v1:Service", {"spec": {"ports": [{"port": 80}], "clusterIP": "None"}},
        ("spec", "clusterIP"), "10.96.77.77", REPLACED),
    "service account": (
        "core/v1:ServiceAccount", {"automountServiceAccountToken": False},
        ("automountServiceAccountToken",), True, IN_PLACE),
    "claim size": (
        "core/v1:PersistentVolumeClaim", {"spec": CLAIM["spec"]},
        ("spec", "resources", "requests", "storage"), "2Gi", IN_PLACE),
    "claim size in other words": (
        "core/v1:PersistentVolumeClaim", {"spec": CLAIM["spec"]},
        ("spec", "resources", "requests", "storage"), "1024Mi", NOTHING),
    "claim class": (
        "core/v1:PersistentVolumeClaim", {"spec": CLAIM["spec"]},
        ("spec", "storageClassName"), "fast", REPLACED),
    "claim access": (
        "core/v1:PersistentVolumeClaim", {"spec": CLAIM["spec"]},
        ("spec", "accessModes", 0), "ReadWriteMany", REPLACED),
    "volume source": (
        "core/v1:PersistentVolume",
        {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                  "nfs": {"server": "a", "path": "/"}}},
        ("spec", "nfs", "server"), "b", REPLACED),
    "volume reclaim policy": (
        "core/v1:PersistentVolume",
        {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                  "nfs": {"server": "a", "path": "/"},
                  "persistentVolumeReclaimPolicy": "Retain"}},
        ("spec", "persistentVolumeReclaimPolicy"), "Delete", IN_PLACE),
    "deployment image": (
        "apps/v1:Deployment", {"spec": SELECTED},
        ("spec", "template", "spec", "containers", 0, "image"), "docker.io/lab/demo:1", IN_PLACE),
    "deployment replicas": (
        "apps/v1:Deployment", {"spec": {**SELECTED, "replicas": 1}},
        ("spec", "replicas"), 0, IN_PLACE),
    "deployment selector": (
        "apps/v1:Deployment", {"spec": SELECTED},
        ("spec", "selector", "matchLabels"), {"app": "x", "b": "c"}, REPLACED),
    "daemon set argument": (
        "apps/v1:DaemonSet", {"spec": SELECTED},
        ("spec", "template", "spec", "containers", 0, "args"), ["a"], IN_PLACE),
    "stateful set image": (
        "apps/v1:StatefulSet", {"spec": {**SELECTED, "serviceName": "s"}},
        ("spec", "template", "spec", "containers", 0, "image"), "docker.io/lab/demo:1", IN_PLACE),
    "stateful set service": (
        "apps/v1:StatefulSet", {"spec": {**SELECTED, "serviceName": "s"}},
        ("spec", "serviceName"), "t", REPLACED),
    "stateful set claim": (
        "apps/v1:StatefulSet",
        {"spec": {**SELECTED, "serviceName": "s", "volumeClaimTemplates": [CLAIM]}},
        ("spec", "volumeClaimTemplates", 0, "spec", "resources", "requests", "storage"), "2Gi",
        REPLACED),
    "job template": (
        "batch/v1:Job", {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
        ("spec", "template", "spec", "containers", 0, "image"), "docker.io/lab/demo:1", REPLACED),
    "job deadline": (
        "batch/v1:Job", {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
        ("spec", "ttlSecondsAfterFinished"), 60, IN_PLACE),
    "pod image": ("core/v1:Pod", {"spec": POD},
                  ("spec", "containers", 0, "image"), "docker.io/lab/demo:1", REPLACED),
    "role rule": (
        "rbac.authorization.k8s.io/v1:Role", {"rules": [RULE]},
        ("rules", 0, "verbs"), ["get", "list"], IN_PLACE),
    "role of a binding": (
        "rbac.authorization.k8s.io/v1:RoleBinding",
        {"roleRef": ROLE, "subjects": [{"kind": "ServiceAccount", "name": "s"}]},
        ("roleRef", "name"), "other", REPLACED),
    "subject of a binding": (
        "rbac.authorization.k8s.io/v1:RoleBinding",
        {"roleRef": ROLE, "subjects": [{"kind": "ServiceAccount", "name": "s"}]},
        ("subjects", 0, "name"), "other", IN_PLACE),
    "storage class parameter": (
        "storage.k8s.io/v1:StorageClass",
        {"provisioner": "p.example.com", "parameters": {"a": "1"}},
        ("parameters", "a"), "2", REPLACED),
    "storage class expansion": (
        "storage.k8s.io/v1:StorageClass", {"provisioner": "p.example.com"},
        ("allowVolumeExpansion",), True, IN_PLACE),
    "network policy": (
        "networking.k8s.io/v1:NetworkPolicy", {"spec": NETWORK},
        ("spec", "ingress"), [{"from": [{"podSelector": {}}]}], IN_PLACE),
    "disruption budget": (
        "policy/v1:PodDisruptionBudget",
        {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}},
        ("spec", "maxUnavailable"), 0, IN_PLACE),
    "namespace label": ("core/v1:Namespace", {}, ("metadata", "labels"), {"a": "b"}, IN_PLACE),
}  # fmt: skip
CLUSTER_WIDE = {"PersistentVolume", "StorageClass", "Namespace"}


def built(token: str, body: Props, name: str, namespace: str) -> Props:
    group_version, _, kind = token.partition(":")
    metadata: Props = {"name": name, "annotations": {"pulumi.com/skipAwait": "true"}}
    if kind not in CLUSTER_WIDE:
        metadata["namespace"] = namespace
    version = group_version.removeprefix("core/")
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **copy.deepcopy(body)}


def altered(inputs: Props, path: tuple[str | int, ...], value: Any) -> Props:
    changed = copy.deepcopy(inputs)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_change_of_an_input(plugin: Plugin, namespace: str, case: str) -> None:
    token, body, path, value, expected = CASES[case]
    inputs = built(token, body, f"it-{namespace}", namespace)
    made = plugin.create(token, inputs)
    assert plugin.changes(token, made, inputs) == {}
    assert plugin.changes(token, plugin.read(token, made), inputs) == {}
    wanted = altered(inputs, path, value)
    if case == "secret as text or encoded":
        del wanted["stringData"]
    reply = plugin.diff(token, made, wanted)
    seen = REPLACED if reply.replaces else IN_PLACE if reply.detailedDiff else NOTHING
    assert seen == expected, dict(reply.detailedDiff)
    # A claim that is not bound cannot grow, and none is bound without a node.
    if expected == IN_PLACE and case != "claim size":
        made = plugin.update(token, made, wanted)
        assert plugin.changes(token, made, wanted) == {}
    moved = path in (("metadata", "name"), ("metadata", "namespace"))
    assert reply.deleteBeforeReplace == (expected == REPLACED and not moved)


def test_without_the_settings_secrets_and_config_maps_are_replaced(
    api: KubeApi, namespace: str
) -> None:
    settings = settings_of(api, enableSecretMutable="false", enableConfigMapMutable="false")
    with running_plugin() as fixed:
        fixed.configure(settings)
        for token, key in (("core/v1:ConfigMap", "data"), ("core/v1:Secret", "stringData")):
            inputs = built(token, {key: {"a": "1"}}, "fixed", namespace)
            made = fixed.create(token, inputs)
            reply = fixed.diff(token, made, altered(inputs, (key, "a"), "2"))
            assert list(reply.replaces) == ["data.a"]
            assert reply.deleteBeforeReplace


def test_an_automatic_name_is_replaced_without_deleting_first(
    plugin: Plugin, namespace: str
) -> None:
    token = "core/v1:Secret"
    inputs = built(token, {"stringData": {"a": "1"}}, "", namespace)
    del inputs["metadata"]["name"]
    made = plugin.create(token, inputs)
    reply = plugin.diff(token, made, {**inputs, "type": "example.com/x"})
    assert list(reply.replaces) == ["type"]
    assert not reply.deleteBeforeReplace
