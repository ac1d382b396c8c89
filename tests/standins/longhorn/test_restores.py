"""From a class with `fromBackup` to a volume that holds what the backup does."""

import pytest

from standins.longhorn import records
from standins.longhorn.kinds import (
    BACKUP,
    BACKUP_VOLUME,
    CLASS,
    EVENT,
    PERSISTENT_VOLUME,
    SECRET,
    SETTING,
    VOLUME,
    Object,
)
from standins.longhorn.restores import FAILURE_MESSAGE, RefusedError, decoded
from standins.longhorn.restoring import Origin
from standins.longhorn.selection import DEFAULT_GROUP
from standins.longhorn.store_sync import object_name
from tests.standins.longhorn.sites import NAMESPACE, URL, Bench, noise, persistent_volume

BACKUP_URL = f"{URL}?backup=backup-1&volume=pvc-source"
NONE = '[{"name":"backstop-drill-none","isGroup":true}]'


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """With a volume of 32 MiB and a backup of it."""
    bench.give_volume("pvc-source", content=noise(3))
    bench.turn()
    bench.give_target()
    bench.turn()
    bench.ask_backup("pvc-source", "backup-1")
    return bench


def ask(bench: Bench, name: str = "pvc-a", url: str = BACKUP_URL, **more: str) -> None:
    """Somebody makes a class with `fromBackup` and a claim of it; the driver made the folder."""
    bench.give_volume(
        name, running=False, storage_class="restore", parameters={"fromBackup": url, **more}
    )
    bench.turn()


def volume(bench: Bench, name: str = "pvc-a") -> Object:
    found: Object = bench.api.get(VOLUME, name)
    return found


def condition(bench: Bench, name: str = "pvc-a") -> tuple[str, str, str, str]:
    (found,) = volume(bench, name)["status"]["conditions"]
    return found["type"], found["status"], found["reason"], found["message"]


def events(bench: Bench) -> list[tuple[str, str, str]]:
    return [
        (one["involvedObject"]["kind"], one["reason"], one["message"])
        for one in bench.api.listing(EVENT, "").items
    ]


def block(bench: Bench) -> str:
    return min(key for key in bench.store.objects if key.endswith(".blk"))


def test_the_volume_gets_what_the_backup_holds(bench: Bench) -> None:
    ask(bench, recurringJobSelector=NONE)
    found = volume(bench)
    assert found["spec"]["fromBackup"] == BACKUP_URL
    assert found["metadata"]["labels"] == {
        "recurring-job-group.longhorn.io/backstop-drill-none": "enabled",
        "backup-target": "default",
        "backup-volume": "pvc-source",
    }
    status = found["status"]
    assert (status["restoreRequired"], status["restoreInitiated"]) == (False, True)
    assert (status["state"], status["robustness"]) == ("detached", "unknown")
    assert status["kubernetesStatus"]["pvcName"] == "claim-pvc-a"
    assert condition(bench) == ("Restore", "False", "", "")
    source = bench.images.image("snap-backup-1").read_bytes()
    assert bench.folders.contents == {"pvc-a": source}
    assert events(bench) == []
    bench.api.requests.clear()
    bench.turn()
    assert bench.api.requests == []


def test_while_it_lasts_nobody_else_has_it(bench: Bench) -> None:
    bench.tasks.held = {}
    ask(bench)
    status = volume(bench)["status"]
    assert (status["restoreRequired"], status["restoreInitiated"]) == (True, True)
    assert (status["state"], status["currentNodeID"]) == ("attached", "cp1")
    assert condition(bench) == ("Restore", "True", "RestoreInProgress", "")
    bench.clock.sleep(30)
    began = volume(bench)["status"]["conditions"][0]["lastTransitionTime"]
    bench.turn()
    assert volume(bench)["status"] == status, "nothing is written again meanwhile"
    bench.tasks.finish()
    bench.turn()
    (ended,) = volume(bench)["status"]["conditions"]
    assert ended["lastTransitionTime"] > began
    assert volume(bench)["status"]["restoreRequired"] is False


def test_without_a_selector_it_joins_the_default_group(bench: Bench) -> None:
    ask(bench)
    assert volume(bench)["metadata"]["labels"][DEFAULT_GROUP] == "enabled"


def test_size_and_target_are_the_backups(bench: Bench) -> None:
    bench.give_volume(
        "pvc-a",
        size="1Gi",
        storage_class="restore",
        parameters={"fromBackup": BACKUP_URL, "backupTargetName": "second"},
    )
    bench.turn()
    assert volume(bench)["spec"]["size"] == str(32 << 20)
    assert volume(bench)["spec"]["backupTargetName"] == "default"
    assert volume(bench)["metadata"]["labels"]["backup-target"] == "default"


def test_the_driver_tells_of_the_backup_when_the_class_is_gone(bench: Bench) -> None:
    found = persistent_volume("pvc-a", "gone", "32Mi")
    found["spec"]["csi"]["volumeAttributes"] = {"fromBackup": BACKUP_URL}
    bench.folders.waiting.add("pvc-a")
    bench.api.put(PERSISTENT_VOLUME, found)
    bench.turn()
    assert not bench.api.has(CLASS, "gone", "")
    assert volume(bench)["spec"]["fromBackup"] == BACKUP_URL
    assert "pvc-a" in bench.folders.contents


def test_an_empty_parameter_is_none(bench: Bench) -> None:
    bench.give_volume("pvc-a", storage_class="chart", parameters={"fromBackup": ""})
    bench.turn()
    assert "fromBackup" not in volume(bench)["spec"]
    status = volume(bench)["status"]
    assert status["restoreRequired"] is False
    assert "restoreInitiated" not in status
    assert "conditions" not in status


def test_other_volumes_are_not_restored(bench: Bench) -> None:
    assert volume(bench, "pvc-source")["status"]["restoreRequired"] is False
    assert bench.folders.contents == {}


def test_a_backup_that_the_cluster_does_not_know_makes_no_volume(bench: Bench) -> None:
    url = f"{URL}?backup=backup-2&volume=pvc-source"
    ask(bench, url=url)
    assert bench.api.names(VOLUME) == ["pvc-source"]
    ((kind, reason, message),) = events(bench)
    assert (kind, reason) == ("PersistentVolume", "ProvisioningFailed")
    assert 'cannot get backup backup-2: backups.longhorn.io "backup-2" not found' in message
    bench.turn()
    assert len(events(bench)) == 1, "it is told once"
    bench.ask_backup("pvc-source", "backup-2")
    assert volume(bench)["status"]["restoreRequired"] is False, "later it is known, and restored"


def test_a_backup_without_its_backup_volume_makes_none(bench: Bench) -> None:
    bench.tasks.held = {}  # or the next look at the target would bring it back
    bench.api.drop(BACKUP_VOLUME, object_name("pvc-source", "default"), NAMESPACE)
    ask(bench)
    assert bench.api.names(VOLUME) == ["pvc-source"]
    assert "cannot get backup volume for backup target default" in events(bench)[0][2]


def test_a_backup_on_a_backing_image_makes_none(bench: Bench) -> None:
    changes = {"status": {"volumeBackingImageName": "debian"}}
    bench.api.patch(BACKUP, NAMESPACE, "backup-1", changes, "status")
    ask(bench)
    assert bench.api.names(VOLUME) == ["pvc-source"]
    assert "failed to get backing image debian" in events(bench)[0][2]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://b@r/",
        "s3://b@r/?backup=b-1",
        "s3://b@r/?volume=v-1",
        "http://[",
        f"{URL}?backup=/",
    ],
)
def test_what_is_no_backups_url_is_said(url: str) -> None:
    with pytest.raises(RefusedError, match="cannot get backup and volume name from backup URL"):
        decoded(url)


def test_names_come_out_of_a_url() -> None:
    assert decoded(BACKUP_URL) == Origin("backup-1", "pvc-source")


def failed(bench: Bench, said: str) -> None:
    """The volume is as Longhorn leaves one whose restore failed, and stays so."""
    status = volume(bench)["status"]
    assert (status["state"], status["robustness"]) == ("detached", "faulted")
    assert (status["restoreRequired"], status["restoreInitiated"]) == (True, True)
    assert condition(bench) == ("Restore", "False", "RestoreFailure", FAILURE_MESSAGE)
    ((kind, reason, message),) = events(bench)
    assert (kind, reason) == ("Volume", "FailedRestore")
    assert said in message
    assert bench.folders.contents == {}
    assert bench.folders.faults == {"pvc-a"}
    bench.restart()
    bench.pass_time(minutes=5)
    assert volume(bench)["status"] == status, "nor does another process try again"
    assert len(events(bench)) == 1


def test_a_block_that_is_missing_faults_the_volume(bench: Bench) -> None:
    del bench.store.objects[block(bench)]
    ask(bench)
    failed(bench, "failed after 3 attempts: failed to read block")


def test_a_block_with_another_content_faults_the_volume(bench: Bench) -> None:
    first, second, *_ = sorted(key for key in bench.store.objects if key.endswith(".blk"))
    bench.store.objects[first] = bench.store.objects[second]
    ask(bench)
    failed(bench, "checksum verification failed for block")


def test_a_record_that_is_gone_faults_the_volume(bench: Bench) -> None:
    del bench.store.objects[records.backup_key("pvc-source", "backup-1")]
    ask(bench)
    failed(bench, "cannot find backupstore/volumes/")


def test_a_store_that_is_away_faults_the_volume(bench: Bench) -> None:
    bench.store.broken = "dial tcp store: connect: connection refused"
    ask(bench)
    failed(bench, "connection refused")


def test_a_folder_that_awaits_nothing_faults_the_volume(bench: Bench) -> None:
    bench.give_volume(
        "pvc-a", running=False, storage_class="restore", parameters={"fromBackup": BACKUP_URL}
    )
    bench.folders.waiting.clear()
    bench.turn()
    failed(bench, "has no volume pvc-a that awaits a backup")


def test_a_removal_that_holds_the_lock_is_waited_for(bench: Bench) -> None:
    lock = b'{"Name":"lock-0","Type":2,"Acquired":true}'
    bench.store.put(records.lock_key("pvc-source", "lock-0"), lock)
    ask(bench)
    assert volume(bench)["status"]["restoreRequired"] is True
    assert condition(bench)[2] == "RestoreInProgress"
    bench.store.delete(records.lock_key("pvc-source", "lock-0"))
    bench.turn()
    assert bench.folders.contents == {}, "not before its time"
    bench.pass_time(seconds=30)
    assert volume(bench)["status"]["restoreRequired"] is False
    assert events(bench) == []


def test_a_secret_that_is_missing_is_waited_for(bench: Bench) -> None:
    secret = bench.api.get(SECRET, "s3")
    bench.api.drop(SECRET, "s3", NAMESPACE)
    ask(bench)
    assert volume(bench)["status"]["restoreRequired"] is True
    bench.api.put(SECRET, secret, namespace=NAMESPACE)
    bench.pass_time(seconds=30)
    assert volume(bench)["status"]["restoreRequired"] is False


def test_a_restore_that_was_killed_begins_anew(bench: Bench) -> None:
    bench.tasks.held = {}
    ask(bench)
    assert volume(bench)["status"]["restoreRequired"] is True
    bench.tasks.held = None  # the process that held it is gone
    bench.restart()
    bench.turn()
    assert volume(bench)["status"]["restoreRequired"] is False
    assert "pvc-a" in bench.folders.contents


def test_content_that_was_handed_over_before_a_kill_is_not_read_again(bench: Bench) -> None:
    bench.tasks.held = {}
    ask(bench)
    bench.folders.contents["pvc-a"] = b"handed over"
    bench.tasks.held = None
    bench.restart()
    bench.turn()
    assert volume(bench)["status"]["restoreRequired"] is False
    assert bench.folders.contents["pvc-a"] == b"handed over"


def test_a_restored_volume_whose_folder_goes_first_is_not_restored_again(bench: Bench) -> None:
    ask(bench)
    bench.folders.contents.clear()
    bench.folders.waiting.clear()
    bench.turn()
    assert volume(bench)["status"]["restoreRequired"] is False
    assert events(bench) == []


def test_a_volume_that_is_deleted_meanwhile_is_let_go(bench: Bench) -> None:
    bench.tasks.held = {}
    ask(bench)
    bench.api.drop(PERSISTENT_VOLUME, "pvc-a")
    bench.folders.waiting.clear()
    bench.turn()
    assert bench.api.names(VOLUME) == ["pvc-source"]
    bench.tasks.finish()
    bench.turn()
    assert bench.api.names(VOLUME) == ["pvc-source"]
    assert bench.folders.faults == set()
    assert events(bench) == []
    assert bench.folders.sweeps > 0


def test_a_deleted_volume_whose_content_came_goes_as_any_other(bench: Bench) -> None:
    ask(bench)
    bench.api.drop(PERSISTENT_VOLUME, "pvc-a")
    bench.turn()
    assert bench.api.names(VOLUME) == ["pvc-source"]
    assert bench.api.has(BACKUP, "backup-1")


@pytest.mark.parametrize(("limit", "under_way"), [("0", 0), ("2", 2), ("5", 3)])
def test_no_more_are_restored_at_a_time_than_the_setting_allows(
    bench: Bench, limit: str, under_way: int
) -> None:
    setting = "concurrent-volume-backup-restore-per-node-limit"
    bench.api.patch(SETTING, NAMESPACE, setting, {"value": limit})
    bench.tasks.held = {}
    for name in ("pvc-a", "pvc-b", "pvc-c"):
        ask(bench, name)
    assert len([key for key in bench.tasks.held if key.startswith("restore ")]) == under_way
    assert volume(bench, "pvc-c")["status"]["restoreRequired"] is True


def test_a_restored_volume_can_be_backed_up_and_used(bench: Bench) -> None:
    ask(bench)
    bench.give_volume(
        "pvc-a", storage_class="restore", parameters={"fromBackup": BACKUP_URL}, content=noise(1)
    )
    bench.turn()
    status = volume(bench)["status"]
    assert (status["state"], status["robustness"]) == ("attached", "healthy")
    assert condition(bench) == ("Restore", "False", "", "")
    bench.ask_backup("pvc-a", "backup-of-a")
    assert bench.api.get(BACKUP, "backup-of-a")["status"]["state"] == "Completed"
    assert volume(bench)["status"]["lastBackup"] == "backup-of-a"
