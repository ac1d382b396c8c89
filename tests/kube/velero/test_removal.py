"""A restore goes with all that belongs to it, by Velero's hand or, said so, by ours."""

from typing import Any

import pytest

from kube.errors import ClusterError
from kube.velero.api import Velero, VeleroError
from kube.velero.removal import Removal, release, remove_restore
from tests.kube.fakes import Server, items, ok, status
from tests.kube.velero.conftest import NAMESPACE, Hands
from tests.support.kube_api import KubeApi

FINALIZER = "restores.velero.io/external-resources-finalizer"
VOLUME_FINALIZER = "velero.io/pod-volume-finalizer"
DATA = f"/apis/velero.io/v2alpha1/namespaces/{NAMESPACE}/datadownloads"


def restore(hands: Hands, finalizers: tuple[str, ...] = (FINALIZER,)) -> str:
    metadata = {"finalizers": list(finalizers)}
    made = hands.make("restores", "Restore", "r1", metadata=metadata, spec={"backupName": "b"})
    return str(made["metadata"]["uid"])


def volume(hands: Hands, uid: str) -> None:
    spec = {
        "pod": {"namespace": "app", "name": "db-0"}, "volume": "data", "snapshotID": "s",
        "backupStorageLocation": "default", "repoIdentifier": "", "sourceNamespace": "app",
        "uploaderType": "kopia",
    }  # fmt: skip
    metadata = {"labels": {"velero.io/restore-uid": uid}, "finalizers": [VOLUME_FINALIZER]}
    hands.make("podvolumerestores", "PodVolumeRestore", "v1", metadata=metadata, spec=spec)


def download(hands: Hands, uid: str, name: str) -> None:
    spec = {
        "targetVolume": {"namespace": "app", "pvc": "data", "pv": "p"}, "snapshotID": "s",
        "backupStorageLocation": "default", "sourceNamespace": "app", "operationTimeout": "10m",
    }  # fmt: skip
    metadata = {"name": name, "labels": {"velero.io/restore-uid": uid}}
    body = {"apiVersion": "velero.io/v2alpha1", "kind": "DataDownload", "metadata": metadata}
    hands.api.request("POST", DATA, {**body, "spec": spec})


def let_go(hands: Hands, kind: str, name: str) -> Any:
    return lambda: hands.api.patch(hands.path(kind, name), {"metadata": {"finalizers": None}})


def remove(velero: Velero, uid: str, said: list[str] | None = None, seconds: float = 30) -> Removal:
    say = (said if said is not None else []).append
    return remove_restore(velero, "r1", uid, seconds=seconds, say=say)


@pytest.mark.tools
def test_it_goes_by_veleros_hand(velero: Velero, hands: Hands) -> None:
    uid = restore(hands)
    volume(hands, uid)
    hands.deeds = [let_go(hands, "podvolumerestores", "v1"), let_go(hands, "restores", "r1")]
    said: list[str] = []
    assert remove(velero, uid, said) == Removal()
    assert said == []
    assert hands.pauses == 2


@pytest.mark.tools
def test_what_nobody_lets_go_is_taken_and_said(velero: Velero, hands: Hands) -> None:
    uid = restore(hands)
    volume(hands, uid)
    download(hands, uid, "ours")
    download(hands, "other", "theirs")
    try:
        said: list[str] = []
        found = remove(velero, uid, said, seconds=10)
        assert found.released == ("restores/r1", "podvolumerestores/v1")
        assert [line.split()[0] for line in said] == ["restores/r1", "podvolumerestores/v1"]
        assert hands.there("restores") == []
        assert hands.there("podvolumerestores") == []
        (left,) = hands.api.request("GET", DATA)["items"]
        assert left["metadata"]["name"] == "theirs"
    finally:
        hands.api.request("DELETE", f"{DATA}/theirs")


@pytest.mark.tools
def test_removing_twice_is_removing_once(velero: Velero, hands: Hands) -> None:
    uid = restore(hands, ())
    for _ in range(2):
        assert remove(velero, uid) == Removal()


@pytest.mark.tools
def test_another_restore_of_that_name_stays(velero: Velero, hands: Hands, api: KubeApi) -> None:
    restore(hands)
    assert remove(velero, "11111111-2222-3333-4444-555555555555") == Removal()
    found = api.request("GET", hands.path("restores", "r1"))
    assert "deletionTimestamp" not in found["metadata"]


@pytest.mark.tools
def test_finalizers_of_another_object_of_that_name_stay(velero: Velero, hands: Hands) -> None:
    restore(hands)
    former = {"metadata": {"name": "r1", "uid": "11111111-2222-3333-4444-555555555555"}}
    release(velero, "restores", former)
    (found,) = hands.there("restores")
    assert found["metadata"]["finalizers"] == [FINALIZER]


def held(uid: str = "u") -> tuple[int, bytes]:
    return ok({"metadata": {"name": "r1", "uid": uid}})


def test_one_that_somebody_holds_on_to_is_told() -> None:
    server = Server([held()])

    def answer(method: str, path: str, query: Any) -> tuple[int, bytes]:
        del method, query
        return held() if path.endswith("/r1") else items()

    server._answer = answer  # type: ignore[method-assign]
    velero = Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())
    with pytest.raises(VeleroError, match="restores/r1 does not go"):
        remove(velero, "u")


def test_a_cluster_that_refuses_is_an_error() -> None:
    server = Server([status(403, "no")])
    velero = Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())
    with pytest.raises(ClusterError):
        remove(velero, "u")


def test_a_server_that_starts_is_waited_for() -> None:
    server = Server([status(429, "storage is (re)initializing"), ok({}), items(), items()])
    velero = Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())
    server.answers += [status(503, "starting"), status(404, "gone"), items(), items()]
    assert remove(velero, "u") == Removal()
    away = Server([status(503, "starting")])
    velero = Velero(away.client(), away.writer(), NAMESPACE, away.time.clock())
    with pytest.raises(ClusterError, match="starting"):
        remove(velero, "u", seconds=10)
