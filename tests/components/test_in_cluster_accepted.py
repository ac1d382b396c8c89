"""A real API server takes every object of a store in the cluster, and its pod passes admission."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from components.object_store.in_cluster import objects
from components.settings import InClusterStore
from tests.components.test_in_cluster import AFFINITY, ISCSI, LOCAL, NFS, stored_on
from tests.support.kube_api import KubeApi, RefusedError, running_kube_api

pytestmark = pytest.mark.tools
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "PersistentVolumeClaim": "/api/v1/namespaces/object-store/persistentvolumeclaims",
    "Secret": "/api/v1/namespaces/object-store/secrets",
    "Service": "/api/v1/namespaces/object-store/services",
    "Pod": "/api/v1/namespaces/object-store/pods",
    "StatefulSet": "/apis/apps/v1/namespaces/object-store/statefulsets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/object-store/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/object-store/poddisruptionbudgets",
}
FC = {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0}}
CSI = {"csi": {"driver": "nfs.csi.k8s.io", "volumeHandle": "nas#store"}}
CHAP = {
    "iscsi": {
        **ISCSI["iscsi"],
        "chapAuthSession": True,
        "secretRef": {"name": "chap", "namespace": "kube-system"},
    }
}
HOST_PATH = {"hostPath": {"path": "/srv/minio", "type": "Directory"}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("kube")) as running:
        running.request("POST", PATHS["Namespace"], objects.namespace("dev", stored_on(volume=NFS)))
        account = "/api/v1/namespaces/object-store/serviceaccounts/default"
        end = time.monotonic() + 120
        while not running.exists(account):  # a controller makes it; pods are refused before
            assert time.monotonic() < end, "the namespace got no service account"
            time.sleep(0.2)
        yield running


def complete(store: InClusterStore) -> list[dict[str, Any]]:
    """Every object as it is sent, with stand-ins for the Secrets' data."""
    found = copy.deepcopy(objects.objects("dev", store, "digest"))
    for made in found:
        if made["kind"] == "Secret":
            keys = ("tls.crt", "tls.key", "ca.crt") if "tls" in made["type"] else ("accessKey",)
            made["data"] = dict.fromkeys(keys, "eA==")
    return found


def dry_run(api: KubeApi, made: dict[str, Any]) -> dict[str, Any]:
    """Server-side apply as the plugin does it, strict about unknown fields; nothing is stored."""
    query = "?dryRun=All&fieldManager=test&fieldValidation=Strict&force=true"
    path = f"{PATHS[made['kind']]}/{made['metadata']['name']}"
    return api.request("PATCH", path + query, made, "application/apply-patch+yaml")


@pytest.mark.parametrize(
    "storage",
    [
        {"volume": NFS, "mountOptions": ["hard", "nfsvers=4.1"]},
        {"volume": ISCSI},
        {"volume": CHAP},
        {"volume": FC},
        {"volume": CSI},
        LOCAL,
        {"volume": HOST_PATH, "nodeAffinity": AFFINITY},
        {"class": "longhorn", "accessMode": "ReadWriteOncePod", "folder": "."},
    ],
    ids=lambda storage: next(iter(storage.get("volume") or {"class": ""})),
)
def test_every_object_is_taken_with_no_unknown_field(api: KubeApi, storage: dict[str, Any]) -> None:
    for made in complete(stored_on(**storage)):
        taken = dry_run(api, made)
        assert taken["metadata"]["labels"].items() >= made["metadata"]["labels"].items()


def test_the_server_keeps_what_was_asked_of_the_pod(api: KubeApi) -> None:
    store = stored_on(volume=NFS)
    made = objects.server("dev", store, "digest")
    kept = dry_run(api, made)["spec"]["template"]["spec"]
    asked = made["spec"]["template"]["spec"]
    assert kept["securityContext"] == asked["securityContext"]
    assert kept["containers"][0]["securityContext"] == asked["containers"][0]["securityContext"]
    assert kept["enableServiceLinks"] is False


def pod(store: InClusterStore) -> dict[str, Any]:
    template = copy.deepcopy(objects.server("dev", store, "digest")["spec"]["template"])
    template["metadata"]["name"] = "minio-0"
    return {"apiVersion": "v1", "kind": "Pod", **template}


def test_the_pod_passes_the_restricted_standard_of_its_namespace(api: KubeApi) -> None:
    assert dry_run(api, pod(stored_on(volume=NFS)))["kind"] == "Pod"


def test_a_pod_with_more_rights_does_not(api: KubeApi) -> None:
    rough = pod(stored_on(volume=NFS))
    del rough["spec"]["containers"][0]["securityContext"]
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted'):
        dry_run(api, rough)


def test_a_field_that_does_not_exist_is_refused_here(api: KubeApi) -> None:
    made = objects.service("dev", stored_on(volume=NFS))
    made["spec"]["nodePorts"] = 1
    with pytest.raises(RefusedError, match="nodePorts"):
        dry_run(api, made)
