"""The plugin's rules on plain data: quantities, paths, waits, kubeconfigs, readiness, owners."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from standins.pulumi.kubernetes import managed_fields, readiness, replacing
from standins.pulumi.kubernetes.changes import Change, difference, parse_path, path_text
from standins.pulumi.kubernetes.conditions import parse_condition, select
from standins.pulumi.kubernetes.kinds import Kind, parse_token
from standins.pulumi.kubernetes.kubeconfig import KubeconfigError, endpoint
from standins.pulumi.kubernetes.objects import Kept, normalize
from standins.pulumi.kubernetes.quantities import canonical
from standins.pulumi.kubernetes.settings import Settings, load
from standins.pulumi.kubernetes.values import UNKNOWN, Props


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1", "1"),
        (2, "2"),
        (0.1, "100m"),
        ("1024Mi", "1Gi"),
        ("0.5Gi", "512Mi"),
        ("1.5Gi", "1536Mi"),
        ("128974848", "128974848"),
        ("1000", "1k"),
        ("1500M", "1500M"),
        ("0", "0"),
        ("512", "512"),
        ("words", "words"),
        (True, True),
    ],
)
def test_a_quantity_has_one_form(written: Any, kept: Any) -> None:
    assert canonical(written) == kept


def test_only_fields_that_are_quantities_are_rewritten() -> None:
    spec: Props = {
        "containers": [{"resources": {"limits": {"cpu": "1000m"}}, "args": ["1000m"]}],
        "nodeSelector": {"limits": "1000m"},
    }
    pod: Props = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec}
    assert normalize(pod)["spec"] == {
        "containers": [{"resources": {"limits": {"cpu": "1"}}, "args": ["1000m"]}],
        "nodeSelector": {"limits": "1000m"},
    }
    custom: Props = {**pod, "apiVersion": "example.com/v1", "kind": "Place"}
    assert normalize(custom) == custom


@pytest.mark.parametrize(
    "written", ["spec.ports[0].port", 'metadata.labels["a.b/c"].d', "data", 'a["x\\"y"]']
)
def test_a_path_is_read_as_it_is_written(written: str) -> None:
    assert path_text(parse_path(written)) == written


def compared(old: Props, new: Props, ignored: tuple[str, ...] = ()) -> dict[str, Change]:
    kept = Kept(old, old)
    found = difference(
        kept, new, namespaced=True, known_kind=True, fixed=("metadata.name",), ignored=ignored
    )
    return found.changes


def named(**fields: Any) -> Props:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, **fields}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"spec.a": Change.UPDATE}),
        ({"a": 1}, {"a": UNKNOWN}, {"spec.a": Change.UPDATE}),
        ({}, {"a": UNKNOWN}, {"spec.a": Change.ADD}),
        ({"a": [1, 2]}, {"a": [1]}, {"spec.a[1]": Change.DELETE}),
        ({"a": [1]}, {"a": [1, 2]}, {"spec.a[1]": Change.ADD}),
        ({"a": {"b": 1}}, {"a": [1]}, {"spec.a": Change.UPDATE}),
        ({"a": {"b.c": 1}}, {"a": {}}, {'spec.a["b.c"]': Change.DELETE}),
    ],
)
def test_what_differs_is_named_where_it_differs(
    old: Props, new: Props, changes: dict[str, Change]
) -> None:
    assert compared(named(spec=old), named(spec=new)) == changes


def test_ignored_paths_are_left_out_with_all_that_is_in_them() -> None:
    old, new = named(spec={"a": {"b": 1}, "c": [1]}), named(spec={"a": {"b": 2}, "c": [2]})
    assert compared(old, new, ("spec.a", "spec.c[*]")) == {}
    assert compared(old, new, ("spec.a.x",)) == {
        "spec.a.b": Change.UPDATE,
        "spec.c[0]": Change.UPDATE,
    }


def test_a_whole_object_that_appears_replaces_when_it_holds_a_fixed_field() -> None:
    kind = Kind("", "v1", "Service")
    fixed = replacing.fields(kind, {}, Settings(kubeconfig=""), patch=False)
    assert replacing.replaces(("spec",), {"clusterIP": "None"}, fixed)
    assert not replacing.replaces(("spec",), {"type": "ClusterIP"}, fixed)
    assert replacing.replaces(("spec", "clusterIP"), None, fixed)
    pod = replacing.fields(Kind("", "v1", "Pod"), {}, Settings(kubeconfig=""), patch=False)
    assert replacing.replaces(("spec", "containers", 1, "image"), "x", pod)
    assert not replacing.replaces(("spec", "containers", 1, "name"), "x", pod)


LIVE: Props = {
    "metadata": {"generation": 2},
    "status": {
        "observedGeneration": 2,
        "phase": "Available",
        "ready": True,
        "count": 3,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Fine"},
            {"type": "Old", "status": "True", "observedGeneration": 1},
        ],
    },
}


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ("jsonpath={.status.phase}=Available", True),
        ("jsonpath={.status.phase}=Unavailable", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.nothing}", False),
        ("jsonpath={ $.status['phase'] }=Available", True),
        ("jsonpath={.status.ready}=true", True),
        ("jsonpath={.status.count}=3", True),
        ("jsonpath={.status.conditions[0].type}=Ready", True),
        ("jsonpath={.status.conditions[-1].type}=Old", True),
        ("jsonpath={.status.conditions[*].type}=Ready", True),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
        ('jsonpath={.status.conditions[?(@.type=="Gone")].status}=True', False),
        ("jsonpath={.status.conditions[?(@.type!='Ready')].type}=Old", True),
        ("condition=Ready", True),
        ("condition=ready=true", True),
        ("condition=Ready=False", False),
        ("condition=Gone", False),
        ("condition=Old", False),
    ],
)
def test_a_wait_holds_or_not(written: str, holds: bool) -> None:
    assert parse_condition(written).check(LIVE).holds is holds


def test_a_status_of_an_older_generation_does_not_count() -> None:
    stale: Props = {**LIVE, "metadata": {"generation": 3}}
    assert not parse_condition("jsonpath={.status.phase}=Available").check(stale).holds
    assert not parse_condition("condition=Ready").check(stale).holds


def test_a_path_selects_nothing_from_what_is_no_list_or_object() -> None:
    assert select("{.a[0].b}", {"a": "text"}) == []
    assert select("{.a[5]}", {"a": [1]}) == []


@pytest.mark.parametrize(
    ("token", "kind", "expected", "patch"),
    [
        ("kubernetes:core/v1:Secret", "Secret", Kind("", "v1", "Secret"), False),
        ("kubernetes:core/v1:SecretPatch", "Secret", Kind("", "v1", "Secret"), True),
        (
            "kubernetes:kuma.io/v1:ProxyPatch",
            "ProxyPatch",
            Kind("kuma.io", "v1", "ProxyPatch"),
            False,
        ),
        (
            "kubernetes:velero.io/v1:Schedule",
            "Schedule",
            Kind("velero.io", "v1", "Schedule"),
            False,
        ),
    ],
)
def test_a_token_names_a_kind(token: str, kind: str, expected: Kind, patch: bool) -> None:
    found = parse_token(token, kind)
    assert (found.kind, found.patch) == (expected, patch)


class Nothing:
    """No other objects are there."""

    def replica_sets(self, live: Props) -> list[Props]:  # noqa: ARG002
        return []

    def endpoints(self, live: Props) -> Props | None:  # noqa: ARG002
        return None

    def binding_mode(self, storage_class: str) -> str:  # noqa: ARG002
        return ""


@pytest.mark.parametrize(
    ("kind", "live", "reason"),
    [
        (("apps", "Deployment"), {}, "its ReplicaSet is not made yet"),
        (("apps", "Deployment"), {"metadata": {"generation": 2}}, "has not seen it"),
        (("apps", "StatefulSet"), {"spec": {"replicas": 2}}, "0 of 2 pods are ready"),
        (("apps", "DaemonSet"), {}, "has not seen it"),
        (
            ("apps", "DaemonSet"),
            {"status": {"desiredNumberScheduled": 1}},
            "0 of 1 pods are scheduled",
        ),
        (("", "Pod"), {"status": {"phase": "Pending"}}, "it is Pending"),
        (("", "Service"), {"spec": {"selector": {"a": "b"}}}, "endpoints are not made"),
        (("", "PersistentVolumeClaim"), {"status": {"phase": "Pending"}}, "not bound"),
        (("", "PersistentVolume"), {"status": {"phase": "Released"}}, "it is Released"),
        (("", "Secret"), {"type": "kubernetes.io/service-account-token"}, "its token"),
        (("apiextensions.k8s.io", "CustomResourceDefinition"), {}, "not established"),
        (("networking.k8s.io", "Ingress"), {}, "no ingress controller"),
        (("batch", "Job"), {}, "not complete"),
        (("", "ResourceQuota"), {"spec": {"hard": {"pods": "1"}}}, "has not seen it"),
    ],
)
def test_what_is_not_ready_says_what_it_waits_for(
    kind: tuple[str, str], live: Props, reason: str
) -> None:
    rule = readiness.rule_of(Kind(kind[0], "v1", kind[1]))
    assert rule is not None
    verdict = rule(live, Nothing())
    assert not verdict.ready
    assert reason in verdict.reason


def test_kinds_without_a_rule_are_ready_at_once() -> None:
    assert readiness.rule_of(Kind("", "v1", "ConfigMap")) is None
    assert readiness.rule_of(Kind("velero.io", "v1", "Schedule")) is None


def test_the_creators_fields_are_taken_over_and_those_of_others_are_not() -> None:
    def entry(manager: str, operation: str, field: str, **more: Any) -> Props:
        fields: Props = {"f:data": {f"f:{field}": {}}}
        return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}

    live: Props = {
        "metadata": {
            "resourceVersion": "7",
            "managedFields": [
                entry("pulumi-kubernetes", "Update", "a"),
                entry("pulumi-kubernetes-1", "Apply", "b"),
                entry("kube-controller-manager", "Update", "c", subresource="status"),
                entry("kubectl-edit", "Update", "d"),
            ],
        }
    }
    patch: Any = managed_fields.take_over(live, "pulumi-kubernetes-1")
    managers = [one["manager"] for one in patch[0]["value"]]
    assert managers == ["kube-controller-manager", "kubectl-edit", "pulumi-kubernetes-1"]
    assert patch[0]["value"][-1]["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}}
    assert patch[1]["value"] == "7"
    assert managed_fields.take_over({"metadata": {}}, "x") == []


def test_ignored_fields_are_left_to_others_or_kept_as_they_are() -> None:
    live: Props = {
        "metadata": {
            "managedFields": [
                {"manager": "other", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}}}},
                {"manager": "me", "fieldsV1": {"f:spec": {"f:b": {}}}},
            ]
        },
        "spec": {"a": 1, "b": 2},
    }
    wanted: Props = {"spec": {"a": 5, "b": 5, "c": 5}}
    ignored = ("spec.a", "spec.b", "spec.c")
    applied = managed_fields.without_ignored(wanted, live, "me", ignored)
    assert applied == {"spec": {"b": 2, "c": 5}}
    assert wanted == {"spec": {"a": 5, "b": 5, "c": 5}}


def kubeconfig(**user: Any) -> str:
    return json.dumps(
        {
            "current-context": "a",
            "clusters": [{"name": "c", "cluster": {"server": "https://h:6443/"}}],
            "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
            "users": [{"name": "u", "user": user}],
        }
    )


def test_a_kubeconfig_gives_server_namespace_and_credential(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("KEY")
    data = base64.b64encode(b"CERT").decode()
    text = kubeconfig(**{"client-certificate-data": data, "client-key": str(key)})
    found = endpoint(text)
    assert (found.server, found.namespace) == ("https://h:6443", "n")
    assert (found.certificate, found.key) == ("CERT", "KEY")
    assert "KEY" not in repr(found)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (kubeconfig(**{"auth-provider": {}}), "auth-provider"),
        (kubeconfig(**{"client-key": "/no/such"}), "cannot be read"),
        (kubeconfig(**{"client-key-data": "!"}), "no base64"),
        ("[]", "no list of clusters"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(text: str, complaint: str) -> None:
    with pytest.raises(KubeconfigError) as refused:
        endpoint(text)
    assert complaint in str(refused.value)
    assert "kubeconfig" in str(refused.value)


def test_without_a_setting_the_file_that_kubectl_uses_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("text")
    assert load({}, {"KUBECONFIG": str(path)}, tmp_path).kubeconfig == "text"
    missing = load({}, {}, tmp_path)
    assert missing.kubeconfig == ""
    assert str(tmp_path / ".kube" / "config") in missing.kubeconfig_problem


def test_a_credential_command_is_run_and_its_failure_says_no_secret(tmp_path: Path) -> None:
    from standins.pulumi.kubernetes.kubeconfig import run_exec_plugin  # noqa: PLC0415

    program = tmp_path / "credential"
    program.write_text('#!/bin/sh\necho \'{"status": {"token": "\'"$WORD"\'"}}\'\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {"command": str(program), "env": [{"name": "WORD", "value": "hush"}]}
    assert run_exec_plugin(plugin)[0] == "hush"
    program.write_text("#!/bin/sh\necho hush; exit 1\n")
    with pytest.raises(KubeconfigError) as refused:
        run_exec_plugin(plugin)
    assert "hush" not in str(refused.value)
    assert str(program) in str(refused.value)
