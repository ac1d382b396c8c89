"""A claim finds its volume again: the decisions on plain objects, then on a real API server."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from kube.claim.__main__ import main
from kube.claim.binding import CLAIM_LABEL, ClaimError, Object, Wanted, find, settle
from kube.claim.request import ClaimRequest
from kube.client import Clock
from kube.payload import PayloadError, read
from kube.waiting import until
from tests.support.kube_api import KubeApi

BY_SOURCE = Wanted("dev", "object-store", "minio-data", "object-store-minio")
BY_CLASS = Wanted("dev", "object-store", "minio-data")


def merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    new = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key), value)
    return new


class Cluster:
    """Volumes and one claim. A volume freed of its uid is bound, as by the real controller."""

    def __init__(self, *volumes: dict[str, Any], claim: dict[str, Any] | None = None) -> None:
        self.stored = {one["metadata"]["name"]: copy.deepcopy(one) for one in volumes}
        self._claim = copy.deepcopy(claim)
        self.patches: list[tuple[str, Mapping[str, Any]]] = []

    def volume(self, name: str) -> Object | None:
        return self.stored.get(name)

    def volumes(self, labels: Mapping[str, str]) -> list[Object]:
        return [
            one
            for one in self.stored.values()
            if labels.items() <= one["metadata"].get("labels", {}).items()
        ]

    def claim(self, namespace: str, name: str) -> Object | None:
        assert (namespace, name) == ("object-store", "minio-data")
        return self._claim

    def patch_volume(self, name: str, patch: Mapping[str, Any]) -> None:
        self.patches.append((name, patch))
        self.stored[name] = merged(self.stored[name], patch)
        reference = self.stored[name]["spec"].get("claimRef", {})
        if self._claim is not None and "uid" not in reference:
            reference["uid"] = self._claim["metadata"]["uid"]
            self.stored[name]["status"] = self._claim["status"] = {"phase": "Bound"}


def volume(
    name: str = "object-store-minio",
    *,
    uid: str | None = "u1",
    phase: str = "Bound",
    namespace: str = "object-store",
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    reference = {"namespace": namespace, "name": "minio-data", **({"uid": uid} if uid else {})}
    return {
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": {"claimRef": reference, "persistentVolumeReclaimPolicy": "Delete"},
        "status": {"phase": phase},
    }


def claim(uid: str = "u1", phase: str = "Bound", on: str = "object-store-minio") -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "spec": {"volumeName": on}, "status": {"phase": phase}}


def settled(cluster: Cluster, wanted: Wanted = BY_SOURCE) -> str:
    time = [0.0]
    return settle(
        cluster, wanted, 5, lambda: time[0], lambda seconds: time.__setitem__(0, time[0] + seconds)
    )


def test_a_bound_claim_is_left_alone() -> None:
    cluster = Cluster(volume(), claim=claim())
    assert settled(cluster) == "object-store-minio"
    assert cluster.patches == []


def test_a_released_volume_loses_the_uid_of_its_dead_claim_only() -> None:
    cluster = Cluster(volume(uid="dead", phase="Released"), claim=claim("new", "Pending"))
    assert settled(cluster) == "object-store-minio"
    stale = {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
    assert cluster.patches == [("object-store-minio", stale)]


def test_a_volume_that_still_serves_a_claim_is_never_freed() -> None:
    cluster = Cluster(volume(uid="other", phase="Bound"), claim=claim("new", "Pending"))
    with pytest.raises(ClaimError, match="is Pending and its volume object-store-minio is Bound"):
        settled(cluster)
    assert cluster.patches == []


def test_another_claims_volume_is_refused_and_not_touched() -> None:
    foreign = volume(namespace="shop", uid="dead", phase="Released")
    for wanted in (BY_SOURCE, BY_CLASS):
        cluster = Cluster(foreign, claim=claim("new", "Pending"))
        with pytest.raises(ClaimError, match="belongs to claim shop/minio-data, not to claim"):
            settled(cluster, wanted)
        assert cluster.patches == []


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(volume()), "does not exist: was it deleted while this ran"),
        (Cluster(claim=claim()), "volume object-store-minio of claim .* does not exist"),
        (Cluster(volume(phase="Failed"), claim=claim("u1", "Lost")), "is Lost and .* is Failed"),
    ],
)
def test_what_does_not_bind_is_said_after_the_deadline(cluster: Cluster, said: str) -> None:
    with pytest.raises(ClaimError, match=said + ".*waited 5 s"):
        settled(cluster)


def test_a_class_that_makes_no_volume_is_named() -> None:
    with pytest.raises(ClaimError, match="has no volume yet: does its storage class work"):
        settled(Cluster(claim=claim("u1", "Pending", on="")), BY_CLASS)


def test_the_volume_of_a_class_is_kept_and_marked() -> None:
    cluster = Cluster(volume("pvc-1"), claim=claim(on="pvc-1"))
    assert settled(cluster, BY_CLASS) == "pvc-1"
    kept = cluster.stored["pvc-1"]
    assert kept["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert kept["metadata"]["labels"][CLAIM_LABEL] == "object-store.minio-data"
    assert kept["metadata"]["labels"]["backstop-site"] == "dev"


def test_a_new_empty_volume_beside_the_old_one_is_refused() -> None:
    old = volume("pvc-1", uid="dead", phase="Released", labels=BY_CLASS.labels)
    cluster = Cluster(old, volume("pvc-2"), claim=claim(on="pvc-2"))
    with pytest.raises(ClaimError, match="got the new volume pvc-2, while pvc-1 holds"):
        settled(cluster, BY_CLASS)
    assert cluster.patches == []


def test_before_the_claim_is_made_its_earlier_volume_is_found_and_freed() -> None:
    old = volume("pvc-1", uid="dead", phase="Released", labels=BY_CLASS.labels)
    cluster = Cluster(old, volume("pvc-9", labels={"backstop-site": "dev"}))
    assert find(cluster, BY_CLASS) == "pvc-1"
    assert "uid" not in cluster.stored["pvc-1"]["spec"]["claimRef"]


def test_without_an_earlier_volume_nothing_is_found() -> None:
    other_site = Wanted("prod", "object-store", "minio-data").labels
    assert find(Cluster(volume("pvc-1", labels=other_site)), BY_CLASS) == ""


def test_a_claim_that_is_there_keeps_what_it_has() -> None:
    cluster = Cluster(volume("pvc-1", labels=BY_CLASS.labels), claim=claim(on="pvc-1"))
    assert find(cluster, BY_CLASS) == "pvc-1"
    assert cluster.patches == []


def test_two_earlier_volumes_are_a_question_for_a_person() -> None:
    both = [volume(name, phase="Released", labels=BY_CLASS.labels) for name in ("pvc-1", "pvc-2")]
    with pytest.raises(ClaimError, match="pvc-1, pvc-2 all say that they are the volume of claim"):
        find(Cluster(*both), BY_CLASS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        (json.dumps({"schema": 1, "kubeconfig": "SENTINEL", "site": "dev"}), "namespace: "),
        (json.dumps({"schema": 1, "kubeconfig": "SENTINEL", "sight": "dev"}), "sight|site"),
    ],
)
def test_bad_input_is_one_sentence_without_the_kubeconfig(text: str, said: str) -> None:
    with pytest.raises(PayloadError, match=said) as caught:
        read(ClaimRequest, text)
    assert "SENTINEL" not in str(caught.value)


def test_a_command_that_does_not_exist_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["take"], "{}") == 2
    assert "usage:" in capsys.readouterr().err


# On a real API server with its volume controller: what Kubernetes itself makes of the patches.

VOLUMES = "/api/v1/persistentvolumes"


def payload(api: KubeApi, **changes: Any) -> str:
    request = {
        "schema": 1,
        "kubeconfig": api.kubeconfig,
        "site": "dev",
        "namespace": "object-store",
        "claim": "minio-data",
        "volume": "object-store-minio",
        "seconds": 60,
    }
    return json.dumps({**request, **changes})


def create_claim(api: KubeApi, namespace: str) -> None:
    api.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/persistentvolumeclaims",
        {
            "metadata": {"name": "minio-data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "",
                "volumeName": f"{namespace}-minio",
            },
        },
    )


def create_volume(api: KubeApi, namespace: str) -> None:
    api.request(
        "POST",
        VOLUMES,
        {
            "metadata": {"name": f"{namespace}-minio"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {"namespace": namespace, "name": "minio-data"},
                "nfs": {"server": "10.0.0.5", "path": "/export"},
            },
        },
    )


def create_namespace(api: KubeApi, namespace: str) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})


def phase_of(api: KubeApi, volume: str) -> str:
    return str(api.request("GET", f"{VOLUMES}/{volume}")["status"]["phase"])


def gone(api: KubeApi, path: str) -> None:
    import time  # noqa: PLC0415

    end = time.monotonic() + 120
    while api.exists(path):
        assert time.monotonic() < end, f"{path} is still there"
        time.sleep(0.5)


@pytest.mark.tools
def test_after_the_namespace_died_a_new_claim_gets_the_old_volume(
    api: KubeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = "claim-again"
    wanted = {"namespace": namespace, "volume": f"{namespace}-minio"}
    create_namespace(api, namespace)
    create_volume(api, namespace)
    create_claim(api, namespace)
    assert main(["settle"], payload(api, **wanted)) == 0, capsys.readouterr().err
    first = api.request("GET", f"{VOLUMES}/{namespace}-minio")
    assert first["status"]["phase"] == "Bound"

    api.request("DELETE", f"/api/v1/namespaces/{namespace}")
    gone(api, f"/api/v1/namespaces/{namespace}")
    # The controller of volumes hears of the claim's end by itself, maybe after the namespace's.
    until(lambda: phase_of(api, f"{namespace}-minio") == "Released" or None, Clock(), 60.0)

    create_namespace(api, namespace)
    create_claim(api, namespace)
    assert main(["settle"], payload(api, **wanted)) == 0, capsys.readouterr().err
    again = api.request("GET", f"{VOLUMES}/{namespace}-minio")
    assert again["status"]["phase"] == "Bound"
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert again["spec"]["claimRef"]["uid"] != first["spec"]["claimRef"]["uid"]


@pytest.mark.tools
def test_another_cluster_is_refused_before_anything_is_patched(
    api: KubeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "00000000-0000-0000-0000-000000000000"
    assert main(["settle"], payload(api, uid=other)) == 1
    assert "and this site's has 00000000-" in capsys.readouterr().err
