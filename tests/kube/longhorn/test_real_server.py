"""The commands on a real API server with Longhorn's own definitions, which drop unknown fields."""

import datetime
import json
from typing import Any

import pytest

from kube.client import Clock, connect
from kube.kubeconfig import parse
from kube.longhorn.__main__ import main
from kube.longhorn.api import GROUP, NAMESPACE, Longhorn, object_path
from kube.longhorn.available import Wanted, today, wait_available
from kube.longhorn.first_backup import first_backups
from kube.longhorn.volumes import read_expected
from kube.writer import open_writer
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools


class Manager:
    """What Longhorn's manager does, one round of it in each pause of the command."""

    def __init__(self, api: KubeApi) -> None:
        self.api = api
        self.now = 0.0

    def longhorn(self) -> Longhorn:
        cluster = parse(self.api.kubeconfig)
        clock = Clock(lambda: self.now, self._sleep)
        return Longhorn(connect(cluster, patience=0), open_writer(cluster), NAMESPACE, clock)

    def make(self, kind: str, singular: str, name: str, **content: Any) -> None:
        labels = content.pop("labels", {})
        body = {
            "apiVersion": GROUP, "kind": singular,
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, **content,
        }  # fmt: skip
        held = body.pop("status", None)
        self.api.request("POST", object_path(NAMESPACE, kind), body)
        if held:
            self.status(kind, name, **held)

    def status(self, kind: str, name: str, **held: Any) -> None:
        path = object_path(NAMESPACE, kind, name) + "/status"
        self.api.patch(path, {"status": held}, "longhorn-manager")

    def all(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.request("GET", object_path(NAMESPACE, kind))["items"]
        return found

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        for one in self.all("backuptargets"):
            asked = one["spec"].get("syncRequestedAt")
            if asked:
                self.status("backuptargets", one["metadata"]["name"], lastSyncedAt=asked)
        for one in self.all("snapshots"):
            self.status("snapshots", one["metadata"]["name"], readyToUse=True)
        for one in self.all("backups"):
            state = (one.get("status") or {}).get("state") or ""
            following = {"": "InProgress", "InProgress": "Completed"}.get(state, state)
            self.status("backups", one["metadata"]["name"], state=following, progress=50)


@pytest.fixture(scope="module")
def manager(api: KubeApi) -> Manager:
    made = Manager(api)
    spec = {"backupTargetURL": "s3://b@r/", "credentialSecret": "store", "pollInterval": "5m0s"}
    made.make("backuptargets", "BackupTarget", "default", spec=spec,
              status={"available": True, "lastSyncedAt": "2026-01-01T00:00:00Z"})  # fmt: skip
    made.make("recurringjobs", "RecurringJob", "nightly",
              spec={"task": "backup", "cron": "0 2 * * *", "groups": ["default"], "retain": 3,
                    "concurrency": 1, "labels": {}})  # fmt: skip
    made.make("volumes", "Volume", "pvc-1",
              spec={"size": "1048576", "backupTargetName": "default", "numberOfReplicas": 1},
              status={"state": "attached", "robustness": "healthy"})  # fmt: skip
    made.api.request(
        "POST",
        "/api/v1/persistentvolumes",
        {
            "metadata": {"name": "pvc-1"},
            "spec": {
                "capacity": {"storage": "1Mi"},
                "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "driver.longhorn.io", "volumeHandle": "pvc-1", "fsType": "ext4"},
                "claimRef": {"namespace": "app", "name": "data"},
            },
        },
    )
    return made


def test_the_expected_volumes_are_read(manager: Manager) -> None:
    found = read_expected(manager.longhorn().client, NAMESPACE)
    (one,) = [held for held in found.claimed if held.name == "pvc-1"]
    assert (one.claim, one.fs_type) == ("data", "ext4")
    assert one.volume is not None
    assert one.volume.size == 1048576


def test_a_target_is_asked_for_a_look_that_its_schema_takes(manager: Manager) -> None:
    began = today().replace(microsecond=0)
    (found,) = wait_available(manager.longhorn(), [Wanted("default", "s3://b@r/", "store")], 60)
    assert found.last_synced is not None
    assert found.last_synced >= began


def test_a_first_backup_loses_no_field_to_the_schema(manager: Manager) -> None:
    made = first_backups(
        manager.longhorn(), seconds=60, say=lambda _: None,
        now=lambda: datetime.datetime.now(datetime.UTC),
    )["made"]  # fmt: skip
    assert [one["volume"] for one in made] == ["pvc-1"]
    (snapshot,), (backup,) = manager.all("snapshots"), manager.all("backups")
    assert snapshot["spec"]["createSnapshot"] is True
    assert snapshot["spec"]["labels"] == {"RecurringJob": "nightly"}
    assert backup["spec"]["snapshotName"] == snapshot["metadata"]["name"]
    assert backup["spec"]["backupMode"] == "incremental"
    assert backup["spec"]["labels"] == {"RecurringJob": "nightly"}
    assert backup["metadata"]["labels"]["backup-volume"] == "pvc-1"


def request(api: KubeApi, **more: Any) -> str:
    base = {"schema": 1, "kubeconfig": api.kubeconfig, "seconds": 5}
    return json.dumps({**base, **more})


def test_the_command_prints_one_object_and_finds_nothing_to_do(
    api: KubeApi, manager: Manager, capsys: pytest.CaptureFixture[str]
) -> None:
    # A worker may have this test alone, with a server of its own.
    first_backups(
        manager.longhorn(), seconds=60, say=lambda _: None,
        now=lambda: datetime.datetime.now(datetime.UTC),
    )  # fmt: skip
    assert main(["first-backup"], request(api)) == 0
    assert json.loads(capsys.readouterr().out)["held"] == ["pvc-1"]


def test_another_cluster_is_refused_before_anything_is_asked_of_it(
    api: KubeApi, manager: Manager, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "11111111-2222-3333-4444-555555555555"
    assert manager.all("backuptargets")
    before = len(manager.all("backups"))
    assert main(["first-backup"], request(api, uid=wrong)) == 1
    assert wrong in capsys.readouterr().err
    assert len(manager.all("backups")) == before
