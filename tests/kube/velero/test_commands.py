"""Schedules, plugins, leaving, and the command line, on a real API server."""

import json
from typing import Any

import pytest

from kube.velero.__main__ import main
from kube.velero.api import Velero, VeleroError
from kube.velero.leaving import leave
from kube.velero.schedules import wait_enabled
from kube.velero.server import check_plugins
from tests.kube import kubeconfigs
from tests.kube.velero.conftest import Hands, request
from tests.support.kube_api import KubeApi
from tests.support.ports import free_port

pytestmark = pytest.mark.tools

FINALIZER = "restores.velero.io/external-resources-finalizer"


def schedule(hands: Hands, name: str, **status: Any) -> None:
    spec = {"schedule": "0 2 * * *", "template": {}}
    hands.make("schedules", "Schedule", name, spec=spec)
    if status:
        hands.answer("schedules", name, **status)


def test_schedules_are_waited_for(velero: Velero, hands: Hands) -> None:
    schedule(hands, "daily", phase="Enabled")
    schedule(hands, "weekly")
    hands.deeds = [lambda: hands.answer("schedules", "weekly", phase="Enabled")]
    wait_enabled(velero, ["daily", "weekly"], 60)


def test_a_refused_schedule_is_told_with_veleros_reason(velero: Velero, hands: Hands) -> None:
    schedule(hands, "daily", phase="FailedValidation", validationErrors=["invalid schedule: x"])
    with pytest.raises(VeleroError, match=r"daily is refused by Velero \(invalid schedule: x\)"):
        wait_enabled(velero, ["daily"], 60)


def test_a_schedule_nobody_looks_at_is_told(velero: Velero, hands: Hands) -> None:
    schedule(hands, "daily")
    with pytest.raises(VeleroError, match="did not look at schedule daily within 10 s"):
        wait_enabled(velero, ["daily"], 10)


def served(hands: Hands, *plugins: str) -> None:
    (asked,) = hands.there("serverstatusrequests")
    hands.answer(
        "serverstatusrequests", asked["metadata"]["name"],
        phase="Processed", serverVersion="v1.18.1",
        plugins=[{"name": name, "kind": "ObjectStore"} for name in plugins],
    )  # fmt: skip


def test_the_server_says_its_version_and_plugins(velero: Velero, hands: Hands) -> None:
    hands.deeds = [lambda: served(hands, "velero.io/aws")]
    assert check_plugins(velero, ["velero.io/aws"], 60) == "v1.18.1"
    assert hands.there("serverstatusrequests") == []


def test_a_missing_plugin_is_told(velero: Velero, hands: Hands) -> None:
    hands.deeds = [lambda: served(hands, "velero.io/pod")]
    with pytest.raises(VeleroError, match=r"has no plugin velero.io/aws"):
        check_plugins(velero, ["velero.io/aws"], 60)


def test_a_server_that_does_not_answer_is_told(velero: Velero) -> None:
    with pytest.raises(VeleroError, match="did not answer within 10 s"):
        check_plugins(velero, [], 10)


def of_location(name: str) -> dict[str, Any]:
    return {"labels": {"velero.io/storage-location": name}}


def populate(hands: Hands) -> None:
    for name in ("default", "other"):
        spec = {"provider": "aws", "objectStorage": {"bucket": name}}
        hands.make("backupstoragelocations", "BackupStorageLocation", name, spec=spec)
        hands.make("backups", "Backup", f"b-{name}", metadata=of_location(name), spec={})
        repository = {
            "backupStorageLocation": name, "repositoryType": "kopia", "volumeNamespace": "app",
            "resticIdentifier": "", "maintenanceFrequency": "1h0m0s",
        }  # fmt: skip
        hands.make("backuprepositories", "BackupRepository", f"r-{name}",
                   metadata=of_location(name), spec=repository)  # fmt: skip


def names(hands: Hands, kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in hands.there(kind)]


def test_leaving_takes_the_locations_records_and_no_others(velero: Velero, hands: Hands) -> None:
    populate(hands)
    said: list[str] = []
    leave(velero, ["default"], restores=False, seconds=60, say=said.append)
    for kind, left in (("backupstoragelocations", "other"), ("backups", "b-other"),
                       ("backuprepositories", "r-other")):  # fmt: skip
        assert names(hands, kind) == [left]
    assert said == [
        "location default: 1 backups taken out of the cluster's records",
        "location default: 1 backuprepositories taken out of the cluster's records",
    ]


def test_leaving_twice_is_leaving_once(velero: Velero, hands: Hands) -> None:
    populate(hands)
    for _ in range(2):
        leave(velero, ["default", "other"], restores=True, seconds=60, say=lambda _: None)
    assert names(hands, "backups") == []


def restore(hands: Hands) -> None:
    metadata = {"finalizers": [FINALIZER]}
    hands.make("restores", "Restore", "r1", metadata=metadata, spec={"backupName": "b-default"})


def test_restores_go_first_by_the_servers_hand(velero: Velero, hands: Hands) -> None:
    populate(hands)
    restore(hands)
    seen: list[list[str]] = []

    def server_lets_go() -> None:
        seen.append(names(hands, "backupstoragelocations"))
        hands.api.patch(hands.path("restores", "r1"), {"metadata": {"finalizers": []}})

    hands.deeds = [server_lets_go]
    leave(velero, ["default"], restores=True, seconds=60, say=lambda _: None)
    assert seen == [["default", "other"]]
    assert names(hands, "restores") == []


def test_restores_of_a_dead_server_are_let_go_all_the_same(velero: Velero, hands: Hands) -> None:
    restore(hands)
    said: list[str] = []
    leave(velero, [], restores=True, seconds=60, say=said.append)
    assert names(hands, "restores") == []
    assert "1 restores are not removed by the server" in said[0]


@pytest.mark.parametrize(
    ("command", "stdin", "code", "said"),
    [
        ("available", "no json", 2, "no JSON"),
        ("available", "{}", 2, "schema: field required"),
        ("enabled", {"schedules": ["Not A Name"]}, 2, "schedules.0"),
        ("enabled", {"schedules": [], "kubeconfig": "SENTINEL"}, 2, "the kubeconfig cannot be"),
        ("enabled", {"schedules": [], "extra": 1}, 2, "extra"),
        ("burn", "{}", 2, "usage:"),
    ],
)
def test_bad_input_is_one_sentence(
    command: str, stdin: Any, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = {"schema": 1, "kubeconfig": kubeconfigs.text(), "namespace": "velero", "seconds": 1}
    text = stdin if isinstance(stdin, str) else json.dumps({**base, **stdin})
    assert main([command], text) == code
    error = capsys.readouterr().err
    assert said in error
    assert "SENTINEL" not in error


def test_a_command_prints_one_object(
    api: KubeApi, hands: Hands, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule(hands, "daily", phase="Enabled")
    assert main(["enabled"], request(api, schedules=["daily"])) == 0
    assert json.loads(capsys.readouterr().out) == {"schedules": ["daily"]}


def test_an_api_server_that_restarts_is_waited_for(
    api: KubeApi, velero: Velero, hands: Hands
) -> None:
    schedule(hands, "daily")

    def restart() -> None:
        api.stop("kube-apiserver")

    def enable() -> None:
        api.start()
        hands.answer("schedules", "daily", phase="Enabled")

    hands.deeds = [restart, lambda: None, enable]
    wait_enabled(velero, ["daily"], 60)
    assert hands.pauses == 3


def test_a_cluster_that_is_away_is_told_when_time_is_up(
    api: KubeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    away = api.kubeconfig.replace(api.url, f"https://127.0.0.1:{free_port()}")
    assert main(["enabled"], request(api, kubeconfig=away, schedules=["daily"], seconds=1)) == 1
    error = capsys.readouterr().err
    assert "does not answer" in error
    assert len(error.splitlines()) == 1
