"""Where the server keeps an object, and whether it is there."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kube import marks
from kube.client import Client
from kube.errors import Cause, ClusterError
from kube.places import find, object_path

SERVED: dict[str, dict[str, Any]] = {
    "/api/v1": {
        "resources": [
            {"name": "secrets", "kind": "Secret", "namespaced": True},
            {"name": "namespaces/status", "kind": "Namespace", "namespaced": False},
            {"name": "namespaces", "kind": "Namespace", "namespaced": False},
        ]
    },
    "/apis/velero.io/v1": {
        "resources": [{"name": "schedules", "kind": "Schedule", "namespaced": True}]
    },
    "/api/v1/namespaces/velero/secrets/store": {
        "metadata": {"name": "store", "labels": marks.labels("dev")}
    },
}


def client(refuse: int = 0) -> Client:
    def send(path: str, _query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        if refuse:
            return refuse, json.dumps({"kind": "Status", "message": "no"}).encode()
        if path in SERVED:
            return 200, json.dumps(SERVED[path]).encode()
        return 404, json.dumps({"kind": "Status", "message": "not found"}).encode()

    return Client(send, "https://127.0.0.1:6443", patience=0)


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Secret", "/api/v1/namespaces/velero/secrets/x"),
        ("v1", "Namespace", "/api/v1/namespaces/x"),
        ("velero.io/v1", "Schedule", "/apis/velero.io/v1/namespaces/velero/schedules/x"),
        ("velero.io/v1", "Backup", None),
        ("longhorn.io/v1beta2", "Volume", None),
    ],
)
def test_the_server_says_where_a_kind_is_kept(
    api_version: str, kind: str, path: str | None
) -> None:
    assert object_path(client(), api_version, kind, "velero", "x") == path


def test_an_object_is_found_with_its_mark_or_is_not_there() -> None:
    there = find(client(), "v1", "Secret", "velero", "store")
    assert there is not None
    assert marks.owner(there) == "dev"
    assert find(client(), "v1", "Secret", "velero", "other") is None
    assert find(client(), "longhorn.io/v1beta2", "Volume", "x", "y") is None


def test_no_answer_is_never_taken_for_not_there() -> None:
    with pytest.raises(ClusterError) as caught:
        find(client(refuse=403), "v1", "Secret", "velero", "store")
    assert caught.value.cause is Cause.FORBIDDEN


def test_an_object_without_labels_belongs_to_nobody() -> None:
    assert marks.owner({"metadata": {}}) is None
    assert marks.owner({}) is None
    assert marks.labels("dev")["app.kubernetes.io/managed-by"] == "backstop"
