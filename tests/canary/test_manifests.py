"""The canary's objects: what they may, where they reach, what a backup does with them."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from canary import manifests, writer
from canary.contents import Method
from canary.settings import Canary, CanaryVolume, StoreAccess
from kube import marks
from tests.support.kube_api import KubeApi, RefusedError, running_kube_api
from tests.support.minio_server import issue_certificate

STORE = StoreAccess(
    "https://store1:9091", "eu-west-1", "dev-evidence", "canary/", "-----BEGIN…", 9091,
    networks=("10.0.0.7/32",),
)  # fmt: skip
CANARY = Canary(
    "dev",
    "docker.io/library/python:3.13-slim",
    (
        CanaryVolume("by-file", Method.FILE_SYSTEM, "local"),
        CanaryVolume("by-snapshot", Method.SNAPSHOT, "longhorn", labels={"a": "b"}),
        CanaryVolume("by-mover", Method.DATA_MOVER, "longhorn", annotations={"c": "d"}),
    ),
    STORE,
)


def by_kind(canary: Canary) -> dict[str, dict[str, Any]]:
    return {found["kind"]: found for found in manifests.objects(canary)}


def pod_of(canary: Canary) -> dict[str, Any]:
    template: dict[str, Any] = by_kind(canary)["Deployment"]["spec"]["template"]
    return template


def test_every_object_bears_the_mark_and_lies_in_its_namespace() -> None:
    found = manifests.objects(CANARY)
    assert all(marks.owner(one) == "dev" for one in found)
    assert {one["metadata"].get("namespace", one["metadata"]["name"]) for one in found} == {
        "backstop-canary"
    }
    assert [one["kind"] for one in found] == [
        "Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy", "PersistentVolumeClaim",
        "PersistentVolumeClaim", "PersistentVolumeClaim", "Deployment",
    ]  # fmt: skip


def test_the_pod_has_no_token_no_rights_and_one_life_at_a_time() -> None:
    deployment = by_kind(CANARY)["Deployment"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    pod = pod_of(CANARY)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert by_kind(CANARY)["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["resources"]["limits"]["memory"]


def test_as_root_it_may_give_files_away_and_no_more() -> None:
    pod = pod_of(replace(CANARY, user=0))["spec"]
    assert "fsGroup" not in pod["securityContext"]
    capabilities = pod["containers"][0]["securityContext"]["capabilities"]
    assert capabilities == {
        "drop": ["ALL"], "add": ["CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE"],
    }  # fmt: skip


def test_velero_reads_as_files_what_is_meant_so_and_nothing_else() -> None:
    annotations = pod_of(CANARY)["metadata"]["annotations"]
    assert annotations["backup.velero.io/backup-volumes"] == "by-file"
    others = annotations["backup.velero.io/backup-volumes-excludes"].split(",")
    assert others == ["by-snapshot", "by-mover", "state"]
    names = {volume["name"] for volume in pod_of(CANARY)["spec"]["volumes"]}
    assert {"by-file", *others} <= names
    without = replace(CANARY, volumes=CANARY.volumes[1:])
    assert "backup.velero.io/backup-volumes" not in pod_of(without)["metadata"]["annotations"]


def test_hooks_hold_the_volumes_with_commands_that_the_writer_knows() -> None:
    annotations = pod_of(CANARY)["metadata"]["annotations"]
    for moment, command in (("pre", "hold"), ("post", "release")):
        hook = {
            key.rpartition("/")[2]: value
            for key, value in annotations.items()
            if key.startswith(f"{moment}.hook.backup.velero.io/")
        }
        assert set(hook) == {"container", "command", "on-error", "timeout"}
        assert hook["container"] == pod_of(CANARY)["spec"]["containers"][0]["name"]
        assert command in json.loads(hook["command"])
    assert not [key for key in pod_of(replace(CANARY, hold=False))["metadata"]["annotations"]
                if "hook" in key]  # fmt: skip


def test_annotations_are_data() -> None:
    canary = replace(CANARY, pod_annotations={"example.com/x": "y"})
    assert pod_of(canary)["metadata"]["annotations"]["example.com/x"] == "y"
    claims = [one for one in manifests.objects(CANARY) if one["kind"] == "PersistentVolumeClaim"]
    assert claims[1]["metadata"]["labels"]["a"] == "b"
    assert claims[2]["metadata"]["annotations"] == {"c": "d"}
    assert [one["spec"]["storageClassName"] for one in claims] == ["local", "longhorn", "longhorn"]


def test_the_only_ways_out_are_the_store_and_names() -> None:
    spec = by_kind(CANARY)["NetworkPolicy"]["spec"]
    # Ingress without a rule: nothing comes in.
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    store, names = spec["egress"]
    assert store == {
        "to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}], "ports": [{"protocol": "TCP", "port": 9091}],
    }  # fmt: skip
    assert {port["port"] for port in names["ports"]} == {53}
    assert names["to"]
    inside = replace(CANARY, store=replace(STORE, networks=(), namespace="object-store"))
    assert len(by_kind(inside)["NetworkPolicy"]["spec"]["egress"][0]["to"]) == 1
    # A store whose place nobody tells must not open the way to everywhere.
    nowhere = replace(CANARY, store=replace(STORE, networks=()))
    assert [rule["to"] for rule in by_kind(nowhere)["NetworkPolicy"]["spec"]["egress"]] == [
        names["to"]
    ]
    assert by_kind(replace(CANARY, store=None))["NetworkPolicy"]["spec"]["egress"] == []


def test_the_writer_takes_its_config(tmp_path: Path) -> None:
    for canary in (CANARY, replace(CANARY, user=0), replace(CANARY, store=None)):
        data = by_kind(canary)["ConfigMap"]["data"]
        place = tmp_path / "config.json"
        place.write_text(data["config.json"])
        found = writer.read_config(str(place))
        assert [volume.name for volume in found.volumes] == ["by-file", "by-snapshot", "by-mover"]
        mounts = pod_of(canary)["spec"]["containers"][0]["volumeMounts"]
        assert {volume.path for volume in found.volumes} <= {one["mountPath"] for one in mounts}
        assert (found.store is None) is (canary.store is None)
    assert data["writer.py"] == Path(writer.__file__).read_text()
    assert sum(map(len, data.values())) < 900_000  # a ConfigMap holds 1 MiB


def test_no_secret_is_in_any_object_and_the_pod_mounts_one() -> None:
    text = json.dumps(manifests.objects(CANARY))
    assert "secretKeyRef" not in text
    assert "data" not in manifests.secret(CANARY)
    mounted = [one for one in pod_of(CANARY)["spec"]["volumes"] if "secret" in one]
    assert [one["secret"]["secretName"] for one in mounted] == ["canary-store"]
    assert manifests.secret(CANARY)["metadata"]["name"] == "canary-store"


def test_another_config_makes_another_pod() -> None:
    def digest(canary: Canary) -> str:
        return str(pod_of(canary)["metadata"]["annotations"][manifests.DIGEST])

    assert digest(CANARY) == digest(copy.deepcopy(CANARY))
    assert digest(CANARY) != digest(replace(CANARY, keep=9))


@pytest.mark.parametrize("name", ["state", "code", "store", "", "Upper", "a" * 60, "a_b", "-a"])
def test_a_volume_needs_a_name_that_can_be_one(name: str) -> None:
    with pytest.raises(ValueError, match="canary volume"):
        CanaryVolume(name, Method.SNAPSHOT, "longhorn")


def test_volumes_have_names_of_their_own() -> None:
    for volumes in ((), (CANARY.volumes[0], CANARY.volumes[0])):
        with pytest.raises(ValueError, match="canary of dev"):
            replace(CANARY, volumes=volumes)


PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/backstop-canary/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/backstop-canary/configmaps",
    "Secret": "/api/v1/namespaces/backstop-canary/secrets",
    "PersistentVolumeClaim": "/api/v1/namespaces/backstop-canary/persistentvolumeclaims",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/backstop-canary/networkpolicies",
    "Deployment": "/apis/apps/v1/namespaces/backstop-canary/deployments",
    "Pod": "/api/v1/namespaces/backstop-canary/pods",
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("kube"), ("serviceaccount-controller",)) as api:
        yield api


@pytest.mark.tools
def test_a_real_server_takes_every_object_and_admits_the_pod(api: KubeApi, tmp_path: Path) -> None:
    ca = issue_certificate(tmp_path / "ca").read_text()
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    canary = replace(CANARY, store=replace(STORE, ca_pem=ca), namespace_labels=restricted)
    for manifest in [*manifests.objects(canary), manifests.secret(canary)]:
        api.request("POST", f"{PATHS[manifest['kind']]}?fieldValidation=Strict", manifest)
    pod = pod_of(canary)
    content = {
        "metadata": {"name": "try", **pod["metadata"]},
        "spec": pod["spec"],
    }
    assert api.request("POST", f"{PATHS['Pod']}?fieldValidation=Strict", content)["spec"]
    # Root is more than a restricted namespace allows.
    rooted = pod_of(replace(canary, user=0))
    with pytest.raises(RefusedError, match="restricted"):
        api.request("POST", PATHS["Pod"], {"metadata": {"name": "root"}, "spec": rooted["spec"]})
