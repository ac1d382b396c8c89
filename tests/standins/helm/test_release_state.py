"""A release as helm reports it, and what becomes the resource's state."""

import json
from typing import Any

import pytest

from standins.pulumi.kubernetes import helm_errors, helm_state
from standins.pulumi.kubernetes.helm_values import annotated, stripped_map
from standins.pulumi.values import is_unknown, unknown, wrap

REPORT: dict[str, Any] = {
    "name": "velero",
    "namespace": "backup",
    "version": 3,
    "info": {"status": "deployed", "last_deployed": "2026-01-02T03:04:05.678+00:00"},
    "chart": {"metadata": {"name": "velero", "version": "12.1.0", "appVersion": "1.18.1"}},
    "config": {"a": 2, "more": True},
    "manifest": """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: velero, namespace: backup}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
---
# nothing
""",
}


def live(**changed: Any) -> helm_state.Live:
    return helm_state.parsed(json.dumps({**REPORT, **changed}))


def test_a_report_becomes_outputs() -> None:
    ours = {"chart": "charts/velero", "name": "velero", "namespace": "backup", "values": {"a": 1}}
    assert helm_state.with_live(ours, live()) == {
        "chart": "charts/velero",
        "name": "velero",
        "namespace": "backup",
        "version": "12.1.0",
        "values": {"a": 2, "more": True},
        "resourceNames": {
            "ConfigMap/v1": ["one", "two"],
            "Deployment.apps/apps/v1": ["backup/velero"],
        },
        "status": {
            "appVersion": "1.18.1",
            "chart": "velero",
            "name": "velero",
            "namespace": "backup",
            "revision": 3,
            "status": "deployed",
            "version": "12.1.0",
        },
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1}'])
def test_something_else_is_no_report(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        helm_state.parsed(text)


@pytest.mark.parametrize(
    ("status", "pending"),
    [
        ("deployed", False),
        ("failed", False),
        ("pending-install", True),
        ("pending-upgrade", True),
        ("pending-rollback", True),
        ("uninstalling", False),
    ],
)
def test_an_operation_that_has_not_ended_is_known(status: str, pending: bool) -> None:
    assert live(info={"status": status}).pending is pending


def test_ids_name_namespace_and_release() -> None:
    assert helm_state.resource_id("velero", "v") == "velero/v"
    assert helm_state.resource_id("", "v") == "v"
    assert helm_state.parsed_id("velero/v") == ("velero", "v")
    assert helm_state.parsed_id("v") == ("", "v")


def test_a_record_of_a_killed_helm_says_which_one_to_remove() -> None:
    found = live(info={"status": "pending-upgrade", "last_deployed": "2026-01-02T03:04:05.678Z"})
    sentence = helm_errors.in_use("backup/velero", found)
    assert "revision 3 is pending-upgrade since 2026-01-02T03:04:05;" in sentence
    assert "kubectl delete secret -n backup sh.helm.release.v1.velero.v3`" in sentence
    assert "another operation" in sentence


def test_a_name_in_use_says_how_to_take_it_over() -> None:
    sentence = helm_errors.in_use("backup/velero", live())
    assert "cannot re-use a name that is still in use" in sentence
    assert "status deployed, revision 3" in sentence
    assert "import it by its id backup/velero" in sentence


STDERR = [
    ("Error: INSTALLATION FAILED: cannot re-use a name", "cannot re-use a name"),
    ("Error: UPGRADE FAILED: a\n\tb\nc\n", "a; b; c"),
    ("WARNING: Kubernetes configuration file is open\nError: release: not found\n", "not found"),
    ("W1121 12:00:00.1 x.go:1] old API\nError: one\n", "one"),
    ("", "helm failed and said nothing"),
]


@pytest.mark.parametrize(("stderr", "sentence"), STDERR)
def test_helms_error_is_one_line(stderr: str, sentence: str) -> None:
    found = helm_errors.said(stderr)
    assert found == sentence or found.endswith(sentence)
    assert "\n" not in found
    assert "WARNING" not in found


def test_a_timeout_names_what_is_not_ready() -> None:
    report = {
        "info": {
            "resources": {
                "v1/Deployment": [
                    {
                        "kind": "Deployment",
                        "metadata": {"name": "velero"},
                        "spec": {"replicas": 1},
                        "status": {},
                    },
                    {
                        "kind": "Deployment",
                        "metadata": {"name": "fine"},
                        "spec": {"replicas": 1},
                        "status": {"readyReplicas": 1},
                    },
                ],
                "v1/Pod(related)": [
                    {
                        "kind": "PodList",
                        "items": [
                            {
                                "kind": "Pod",
                                "metadata": {"name": "velero-1"},
                                "status": {
                                    "containerStatuses": [
                                        {
                                            "name": "velero",
                                            "state": {"waiting": {"reason": "ImagePullBackOff"}},
                                        }
                                    ]
                                },
                            }
                        ],
                    }
                ],
            }
        }
    }
    unready = helm_errors.not_ready(json.dumps(report))
    assert (
        unready == "Deployment velero has 0 of 1 pods ready, Pod velero-1: velero ImagePullBackOff"
    )
    sentence = helm_errors.failed("install", "n/r", "context deadline exceeded", unready, 300)
    assert "not everything was ready within its timeout of 300 s: Deployment velero" in sentence
    assert helm_errors.not_ready("nothing") == ""


def test_marks_go_back_to_where_they_were() -> None:
    ins = {
        "values": wrap({"a": {"b": wrap("x").with_secret(True), "c": unknown()}, "d": 1}),
        "chart": wrap("c"),
    }
    outs = annotated({name: wrap(value) for name, value in stripped_map(ins).items()}, ins)
    values: Any = outs["values"].value
    assert not outs["values"].is_secret
    assert values["a"].value["b"].is_secret
    assert is_unknown(values["a"].value["c"])
    assert not values["d"].is_secret


def test_a_list_with_a_secret_is_secret_as_a_whole() -> None:
    ins = {"values": wrap({"list": [1, wrap("x").with_secret(True)]})}
    outs = annotated({"values": wrap({"list": ["y", 2, 3]})}, ins)
    values: Any = outs["values"].value
    assert values["list"].is_secret
