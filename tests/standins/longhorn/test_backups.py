"""From a Snapshot and a Backup to a backup in the store, and out of it again."""

import json
from datetime import timedelta

import pytest

from standins.longhorn import records
from standins.longhorn.kinds import (
    BACKUP,
    BACKUP_VOLUME,
    SNAPSHOT,
    TARGET,
    VOLUME,
    Object,
)
from standins.longhorn.store_sync import ONLY_OBJECT, object_name
from tests.standins.longhorn.backups import comes_back
from tests.standins.longhorn.sites import NAMESPACE, URL, Bench, noise

VOLUME_OBJECT = object_name("pvc-a", "default")


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """With a volume of three blocks and a target that is there."""
    bench.give_volume("pvc-a", content=noise(3))
    bench.turn()
    bench.give_target()
    bench.turn()
    return bench


def backup(bench: Bench, name: str = "backup-1") -> Object:
    found: Object = bench.api.get(BACKUP, name)
    return found


def state(bench: Bench, name: str = "backup-1") -> str:
    return str(backup(bench, name).get("status", {}).get("state", ""))


def keys(bench: Bench, suffix: str) -> list[str]:
    return [key for key in bench.store.objects if key.endswith(suffix)]


def test_a_backup_is_made_and_everything_tells_of_it(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    found = backup(bench)
    assert found["metadata"]["labels"] == {"backup-target": "default", "backup-volume": "pvc-a"}
    assert found["metadata"]["finalizers"] == ["longhorn.io"]
    status = found["status"]
    assert status["state"] == "Completed"
    assert (status["progress"], status["error"]) == (100, "")
    assert status["url"] == f"{URL}?backup=backup-1&volume=pvc-a"
    assert status["volumeSize"] == str(32 << 20)
    assert status["size"] == str(6 << 20)
    assert status["snapshotName"] == "snap-backup-1"
    assert status["snapshotCreatedAt"] == "2026-03-01T12:00:30Z"
    assert status["backupTargetName"] == "default"
    assert status["volumeName"] == "pvc-a"
    assert status["compressionMethod"] == "lz4"
    assert status["labels"] == {"longhorn.io/volume-access-mode": "rwo"}
    volume = bench.api.get(VOLUME, "pvc-a")["status"]
    assert volume["lastBackup"] == "backup-1"
    assert volume["lastBackupAt"] == status["snapshotCreatedAt"]
    behind = bench.api.get(BACKUP_VOLUME, VOLUME_OBJECT)
    assert behind["spec"] == {"backupTargetName": "default", "volumeName": "pvc-a"}
    assert behind["status"]["lastBackupName"] == "backup-1"
    assert behind["status"]["storageClassName"] == "longhorn"
    assert len(keys(bench, ".blk")) == 3
    assert not keys(bench, ".lck")
    assert comes_back(bench.store, bench.images.image("snap-backup-1"), "backup-1", "pvc-a")


def test_the_record_bears_the_labels_of_the_backup(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1", labels={"RecurringJob": "nightly"}, backupMode="full")
    record = records.parse_backup(bench.store.objects[records.backup_key("pvc-a", "backup-1")])
    assert record.labels == {
        "RecurringJob": "nightly",
        "longhorn.io/volume-access-mode": "rwo",
        "VolumeRecurringJobInfo": "{}",
    }
    assert record.parameters == {"backup-mode": "full", "backup-block-size": str(2 << 20)}
    assert backup(bench)["status"]["labels"]["RecurringJob"] == "nightly"


def test_a_snapshot_shows_the_moment_it_was_asked_for(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    snapshot = bench.api.get(SNAPSHOT, "snap-backup-1")
    assert snapshot["status"]["readyToUse"] is True
    assert snapshot["status"]["creationTime"] == "2026-03-01T12:00:30Z"
    assert snapshot["metadata"]["ownerReferences"][0]["name"] == "pvc-a"
    first = bench.images.image("snap-backup-1").read_bytes()
    bench.images.contents["pvc-a"] = noise(3, seed=1)
    bench.ask_backup("pvc-a", "backup-2")
    assert bench.images.image("snap-backup-1").read_bytes() == first
    record = records.parse_backup(bench.store.objects[records.backup_key("pvc-a", "backup-2")])
    assert record.incremental
    assert len(keys(bench, ".blk")) == 6


def test_removing_the_object_removes_the_backup(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    bench.images.contents["pvc-a"] = noise(2, seed=1)
    bench.ask_backup("pvc-a", "backup-2")
    bench.api.delete(BACKUP, NAMESPACE, "backup-1")
    bench.turn()
    assert bench.api.names(BACKUP) == ["backup-2"]
    assert len(keys(bench, ".blk")) == 2
    assert comes_back(bench.store, bench.images.image("snap-backup-2"), "backup-2", "pvc-a")
    bench.api.delete(BACKUP, NAMESPACE, "backup-2")
    bench.turn()
    assert keys(bench, ".blk") == keys(bench, "backup_backup-2.cfg") == []
    assert bench.api.get(VOLUME, "pvc-a")["status"]["lastBackup"] == ""


@pytest.mark.parametrize("how", ["label", "unavailable"])
def test_the_data_stay_where_it_is_said_or_the_target_is_not_there(bench: Bench, how: str) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    held = dict(bench.store.objects)
    if how == "label":
        label = {"metadata": {"labels": {ONLY_OBJECT: "true"}}}
        bench.api.patch(BACKUP, NAMESPACE, "backup-1", label)
    else:
        bench.api.patch(TARGET, NAMESPACE, "default", {"status": {"available": False}}, "status")
        bench.turn()
    bench.api.delete(BACKUP, NAMESPACE, "backup-1")
    bench.turn()
    assert bench.api.names(BACKUP) == []
    assert bench.store.objects == held
    bench.pass_time(minutes=6)
    assert bench.api.names(BACKUP) == ["backup-1"], "the next look finds it again"
    assert backup(bench)["status"]["state"] == "Completed"
    assert backup(bench)["status"]["url"] == f"{URL}?backup=backup-1&volume=pvc-a"


def test_a_removal_that_a_restore_holds_up_is_tried_again(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    lock = records.lock_key("pvc-a", "lock-0")
    bench.store.put(lock, b'{"Name":"lock-0","Type":1,"Acquired":true}')
    bench.api.delete(BACKUP, NAMESPACE, "backup-1")
    bench.turn()
    assert "failed to acquire lock" in backup(bench)["status"]["messages"]["error"]
    bench.store.delete(lock)
    bench.pass_time(seconds=60)
    assert bench.api.names(BACKUP) == []
    assert not keys(bench, ".blk")


def test_a_backup_volume_goes_with_everything_in_it(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    bench.api.delete(BACKUP_VOLUME, NAMESPACE, VOLUME_OBJECT)
    bench.turn()
    assert bench.store.objects == {}
    assert bench.api.names(BACKUP_VOLUME) == []
    bench.api.delete(BACKUP, NAMESPACE, "backup-1")  # as its owner's end does in a cluster
    bench.turn()
    assert bench.api.names(BACKUP) == []


def test_what_is_lost_in_the_store_is_lost_in_the_cluster_at_the_next_look(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    bench.store.objects.clear()
    bench.pass_time(minutes=6)
    assert bench.api.names(BACKUP) == bench.api.names(BACKUP_VOLUME) == []
    assert bench.api.get(VOLUME, "pvc-a")["status"]["lastBackup"] == ""


def test_a_volume_without_its_record_is_a_ghost_that_says_so(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    del bench.store.objects[records.volume_key("pvc-a")]
    bench.pass_time(minutes=6)
    messages = bench.api.get(BACKUP_VOLUME, VOLUME_OBJECT)["status"]["messages"]
    assert messages == {"error": f"cannot find {records.volume_key('pvc-a')} in backupstore"}
    assert bench.api.names(BACKUP) == ["backup-1"]


def test_a_store_that_refuses_is_the_backups_error(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-0")
    bench.store.broken = "operation error S3: PutObject, api error AccessDenied: Access Denied."
    bench.ask_backup("pvc-a", "backup-1")
    status = backup(bench)["status"]
    assert (status["state"], status["error"]) == ("Error", bench.store.broken)
    bench.store.broken = ""
    bench.pass_time(minutes=10)
    assert state(bench) == "Error", "one that failed is not made again"
    bench.clock.sleep(24 * 3600)
    bench.pass_time(minutes=6)
    assert bench.api.names(BACKUP) == ["backup-0"], "failed-backup-ttl"


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"snapshotName": "none"}, "failed to get the snapshot none"),
        ({"snapshotName": "failed"}, "the snapshot failed has failed: the storage has no folder"),
        ({"snapshotName": "other"}, "the snapshot other is of another volume than pvc-a"),
    ],
    ids=["no-snapshot", "failed-snapshot", "other-volume"],
)
def test_a_backup_that_cannot_be_is_an_error(
    bench: Bench, spec: dict[str, str], error: str
) -> None:
    bench.give_volume("pvc-b")
    bench.turn()
    for name, volume in (("failed", "pvc-a"), ("other", "pvc-b")):
        if name == "failed":
            content = bench.images.contents.pop("pvc-a")
        body = {"metadata": {"name": name}, "spec": {"volume": volume, "createSnapshot": True}}
        bench.api.put(SNAPSHOT, body, namespace=NAMESPACE)
        bench.turn()
        bench.images.contents["pvc-a"] = content
    labels = {"backup-volume": "pvc-a", "backup-target": "default"}
    body = {"metadata": {"name": "backup-1", "labels": labels}, "spec": spec}
    bench.api.put(BACKUP, body, namespace=NAMESPACE)
    bench.pass_time(minutes=2)
    assert state(bench) == "Error"
    assert error in backup(bench)["status"]["error"]


def test_a_backup_waits_for_its_snapshot(bench: Bench) -> None:
    bench.tasks.held = {}
    bench.ask_backup("pvc-a", "backup-1")
    assert state(bench) == "Pending"
    assert "snap-backup-1" in backup(bench)["status"]["messages"]["info"]
    bench.tasks.finish()
    bench.turn()
    assert state(bench) == "Completed"
    assert "messages" not in backup(bench)["status"]


def test_a_snapshot_that_nobody_wanted_taken_is_not(bench: Bench) -> None:
    body = {"metadata": {"name": "old"}, "spec": {"volume": "pvc-a"}}
    bench.api.put(SNAPSHOT, body, namespace=NAMESPACE)
    bench.turn()
    assert "none is asked for" in bench.api.get(SNAPSHOT, "old")["status"]["error"]
    assert bench.images.names() == set()


def test_a_snapshot_that_the_node_lost_is_not_ready(bench: Bench) -> None:
    bench.ask_backup("pvc-a", "backup-1")
    bench.images.remove("snap-backup-1")
    bench.turn()
    assert bench.api.get(SNAPSHOT, "snap-backup-1")["status"]["readyToUse"] is False
    bench.ask_backup("pvc-a", "backup-2")
    record = records.parse_backup(bench.store.objects[records.backup_key("pvc-a", "backup-2")])
    assert not record.incremental, "without the last snapshot a backup begins anew"


def test_a_killed_process_makes_its_backup_again(bench: Bench) -> None:
    bench.tasks.held = {}
    bench.ask_backup("pvc-a", "backup-1")
    bench.tasks.finish()  # the snapshot
    bench.turn()
    status = {"status": {"state": "InProgress", "lastSyncedAt": None}}
    bench.api.patch(BACKUP, NAMESPACE, "backup-1", status, "status")
    bench.restart()
    bench.turn()
    assert state(bench) == "Completed"
    assert comes_back(bench.store, bench.images.image("snap-backup-1"), "backup-1", "pvc-a")


def test_images_that_belong_to_no_snapshot_go(bench: Bench) -> None:
    bench.images.image("left").write_bytes(b"")
    bench.turn()
    assert bench.images.names() == set()


def test_a_late_watch_does_not_undo_what_is_known(bench: Bench) -> None:
    before = bench.api.listing(BACKUP, "")
    bench.ask_backup("pvc-a", "backup-1")
    done = backup(bench)
    for old in before.items:
        bench.site.cluster.note(BACKUP, old)
    pending = json.loads(json.dumps(done))
    pending["metadata"]["resourceVersion"] = "1"
    pending["status"] = {"state": "InProgress"}
    bench.site.cluster.note(BACKUP, pending)
    bench.site.cluster.replace(BACKUP, [pending])
    bench.turns.once()
    assert state(bench) == "Completed"
    assert len([one for one in bench.store.puts if one.endswith("backup_backup-1.cfg")]) == 2


def test_a_failed_backup_stays_for_a_day(bench: Bench) -> None:
    bench.store.broken = "no"
    bench.ask_backup("pvc-a", "backup-1")
    bench.store.broken = ""
    bench.ask_backup("pvc-a", "backup-2")
    bench.clock.now += timedelta(hours=23)
    bench.turn()
    assert state(bench) == "Error"
