"""When a target is looked at, and what it says then."""

from typing import Any

import pytest

from standins.longhorn.kinds import BACKUP, BACKUP_VOLUME, SECRET, TARGET, VOLUME, Object
from standins.longhorn.store_errors import StoreError
from tests.standins.longhorn.sites import NAMESPACE, START, URL, Bench


def status(bench: Bench, name: str = "default") -> Object:
    found: Object = bench.api.get(TARGET, name).get("status", {})
    return found


def condition(bench: Bench) -> Object:
    (found,) = status(bench)["conditions"]
    assert found["type"] == "Unavailable"
    result: Object = found
    return result


def change(bench: Bench, **spec: Any) -> None:
    bench.api.patch(TARGET, NAMESPACE, "default", {"spec": spec})
    bench.turn()


def test_without_an_url_it_is_not_available_and_says_why(bench: Bench) -> None:
    bench.turn()
    assert status(bench)["available"] is False
    assert condition(bench)["message"] == "backup target URL is empty"
    assert "lastSyncedAt" not in status(bench)
    assert bench.opened == []


def test_with_an_url_it_is_looked_at_at_once(bench: Bench) -> None:
    bench.turn()
    bench.give_target()
    bench.turn()
    assert status(bench)["available"] is True
    assert status(bench)["lastSyncedAt"] == "2026-03-01T12:00:30Z"
    assert status(bench)["ownerID"] == "cp1"
    assert condition(bench)["status"] == "False"
    assert bench.credentials == {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert bench.opened == [URL]


def test_what_the_store_says_is_the_conditions_message(bench: Bench) -> None:
    bench.store.broken = "operation error S3: ListObjectsV2, api error AccessDenied: Access Denied."
    bench.turn()
    bench.give_target()
    bench.turn()
    assert status(bench)["available"] is False
    assert condition(bench)["status"] == "True"
    assert condition(bench)["reason"] == "Unavailable"
    assert condition(bench)["message"] == (
        f"failed to list system backups in {URL}: {bench.store.broken}"
    )
    assert "lastSyncedAt" not in status(bench)
    opened = len(bench.opened)
    bench.turn()
    assert len(bench.opened) == opened, "not again before something changes or the poll comes"
    bench.store.broken = ""
    bench.pass_time(minutes=6)
    assert status(bench)["available"] is True


def test_every_poll_asks_and_looks(bench: Bench) -> None:
    bench.turn()
    bench.give_target(pollInterval="60s")
    bench.turn()
    opened = len(bench.opened)
    bench.pass_time(seconds=60)
    found = bench.api.get(TARGET, "default")
    assert found["spec"]["syncRequestedAt"] == "2026-03-01T12:01:30Z"
    assert found["status"]["lastSyncedAt"] == "2026-03-01T12:01:30Z"
    assert found["spec"]["pollInterval"] == "1m0s", "as the manager writes it back"
    assert len(bench.opened) == opened + 1
    bench.pass_time(minutes=3)
    assert len(bench.opened) == opened + 4


def test_without_an_interval_nobody_polls(bench: Bench) -> None:
    bench.turn()
    bench.give_target(pollInterval="0s")
    assert bench.turn() == 60.0
    bench.pass_time(minutes=30)
    assert len(bench.opened) == 1


def test_a_request_leads_to_a_look_and_a_new_url_alone_does_not(bench: Bench) -> None:
    bench.turn()
    bench.give_target(pollInterval="0s")
    bench.turn()
    bench.clock.sleep(10)
    change(bench, backupTargetURL="s3://longhorn@eu-west-1/other/")
    assert bench.opened == [URL]
    change(bench, syncRequestedAt="2026-03-01T12:00:40Z")
    assert bench.opened == [URL, "s3://longhorn@eu-west-1/other/"]
    assert status(bench)["lastSyncedAt"] == "2026-03-01T12:00:40Z"


def test_a_request_for_later_is_done_then(bench: Bench) -> None:
    bench.turn()
    bench.give_target(pollInterval="0s")
    bench.turn()
    change(bench, syncRequestedAt="2026-03-01T12:00:33Z")
    assert len(bench.opened) == 1
    assert bench.turn() == 3.0
    bench.clock.sleep(3)
    bench.turn()
    assert len(bench.opened) == 2
    assert status(bench)["lastSyncedAt"] == "2026-03-01T12:00:33Z"


def test_a_new_secret_of_the_default_target_leads_to_a_look(bench: Bench) -> None:
    bench.turn()
    bench.give_target(pollInterval="0s")
    bench.turn()
    bench.clock.sleep(5)
    bench.api.patch(SECRET, NAMESPACE, "s3", {"data": {"AWS_ACCESS_KEY_ID": "b3RoZXI="}})
    bench.turn()
    assert bench.credentials["AWS_ACCESS_KEY_ID"] == "other"
    assert status(bench)["lastSyncedAt"] == "2026-03-01T12:00:35Z"


def test_without_its_secret_the_manager_says_nothing_until_it_comes(bench: Bench) -> None:
    bench.turn()
    bench.give_target(credentialSecret="later")
    bench.turn()
    assert condition(bench)["message"] == "backup target URL is empty"
    data = bench.api.get(SECRET, "s3")["data"]
    bench.api.put(SECRET, {"metadata": {"name": "later"}, "data": data}, namespace=NAMESPACE)
    bench.turn()
    assert status(bench)["available"] is True


def test_an_url_that_no_driver_has_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("the stand-in has no driver for nfs, only s3")

    monkeypatch.setattr(bench, "_open", refuse)
    bench.restart()
    bench.turn()
    bench.give_target(backupTargetURL="nfs://host/path")
    bench.turn()
    assert "no driver for nfs" in condition(bench)["message"]


def test_taking_the_url_away_leaves_the_data_and_takes_the_objects(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.give_target()
    bench.ask_backup("pvc-a", "backup-1")
    held = dict(bench.store.objects)
    change(bench, backupTargetURL="")
    assert bench.api.names(BACKUP) == bench.api.names(BACKUP_VOLUME) == []
    assert bench.store.objects == held
    change(bench, backupTargetURL=URL)
    assert bench.api.names(BACKUP) == ["backup-1"]
    assert bench.store.objects == held


def test_a_target_that_goes_takes_its_objects_along(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.turn()
    bench.give_target("second")
    volume = {"spec": {"backupTargetName": "second"}}
    bench.api.patch(VOLUME, NAMESPACE, "pvc-a", volume)
    bench.ask_backup("pvc-a", "backup-1")
    assert bench.api.get(BACKUP, "backup-1")["status"]["state"] == "Completed"
    held = dict(bench.store.objects)
    bench.api.drop(TARGET, "second", NAMESPACE)
    bench.turn()
    assert bench.api.names(BACKUP) == bench.api.names(BACKUP_VOLUME) == []
    assert bench.store.objects == held


def test_the_time_of_a_change_stays_while_nothing_changes(bench: Bench) -> None:
    bench.turn()
    bench.give_target(pollInterval="30s")
    bench.turn()
    since = condition(bench)["lastTransitionTime"]
    bench.pass_time(minutes=2)
    assert condition(bench)["lastTransitionTime"] == since == START.strftime("%Y-%m-%dT%H:%M:%SZ")
