"""The list of volumes as Velero 1.18 writes it, each method and each way to be unreadable."""

from typing import Any

import pytest

from drills.coverage import volume_info
from drills.coverage.volume_info import Method, VolumeInfoError, VolumeRecord
from kube.velero.api import moment

BASE = {"pvcName": "data", "pvcNamespace": "shop", "pvName": "pv-1", "snapshotDataMoved": False,
        "preserveLocalSnapshot": False, "skipped": False,
        "pvInfo": {"reclaimPolicy": "Delete", "labels": None}}  # fmt: skip
COPY = {
    **BASE,
    "backupMethod": "PodVolumeBackup",
    "startTimestamp": "2026-11-21T10:00:00Z",
    "completionTimestamp": "2026-11-21T10:00:09Z",
    "result": "succeeded",
    "pvbInfo": {
        "snapshotHandle": "f00d", "size": 4096, "incrementalSize": 10, "uploaderType": "kopia",
        "volumeName": "data", "podName": "web-0", "podNamespace": "shop", "nodeName": "cp1",
        "Phase": "Completed",
    },
}  # fmt: skip
MOVED = {
    **BASE,
    "backupMethod": "CSISnapshot",
    "snapshotDataMoved": True,
    "startTimestamp": "2026-11-21T10:00:00Z",
    "result": "succeeded",
    "csiSnapshotInfo": {"snapshotHandle": "unknown", "size": 0, "driver": "driver.longhorn.io",
                        "vscName": "unknown", "operationID": "unknown", "ReadyToUse": None},
    "snapshotDataMovementInfo": {"dataMover": "velero", "uploaderType": "kopia",
                                 "snapshotHandle": "beef", "operationID": "du-1", "size": 33554432,
                                 "Phase": "Completed"},
}  # fmt: skip
SNAPSHOT = {
    **BASE,
    "backupMethod": "CSISnapshot",
    "preserveLocalSnapshot": True,
    "result": "succeeded",
    "csiSnapshotInfo": {"snapshotHandle": "bak://1", "size": 1073741824, "vscName": "c1",
                        "driver": "driver.longhorn.io", "operationID": "x", "ReadyToUse": True},
}  # fmt: skip
NATIVE = {**BASE, "backupMethod": "NativeSnapshot", "result": "succeeded",
          "nativeSnapshotInfo": {"snapshotHandle": "snap-1", "volumeType": "gp3", "volumeAZ": "a",
                                 "iops": "0", "Phase": "Completed"}}  # fmt: skip
SKIPPED = {**BASE, "skipped": True, "skippedReason": "any: skipped due to resource policy ;"}


def one(entry: dict[str, Any]) -> VolumeRecord:
    (record,) = volume_info.parse([entry], "b1")
    return record


@pytest.mark.parametrize(
    ("entry", "method", "size", "handle", "driver"),
    [
        (COPY, Method.FILE_SYSTEM, 4096, "f00d", ""),
        (MOVED, Method.DATA_MOVER, 33554432, "beef", "driver.longhorn.io"),
        (SNAPSHOT, Method.CSI_SNAPSHOT, 1073741824, "bak://1", "driver.longhorn.io"),
        (NATIVE, Method.NATIVE_SNAPSHOT, None, "snap-1", ""),
    ],
)
def test_each_method_tells_how_and_how_much(
    entry: dict[str, Any], method: Method, size: int | None, handle: str, driver: str
) -> None:
    record = one(entry)
    assert (record.namespace, record.claim, record.volume) == ("shop", "data", "pv-1")
    assert (record.method, record.size, record.handle) == (method, size, handle)
    assert (record.driver, record.reclaim) == (driver, "Delete")
    assert record.has_data


def test_a_copy_tells_its_pod_and_when() -> None:
    record = one(COPY)
    assert (record.pod, record.pod_volume) == ("web-0", "data")
    assert record.at == moment("2026-11-21T10:00:09Z")
    assert one(MOVED).at == moment("2026-11-21T10:00:00Z")
    assert one(SNAPSHOT).at is None


def test_a_skipped_volume_has_no_data_and_a_reason() -> None:
    record = one(SKIPPED)
    assert record.method is None
    assert not record.has_data
    assert record.why == "any: skipped due to resource policy ;"


@pytest.mark.parametrize("entry", [COPY, MOVED, SNAPSHOT, NATIVE])
def test_a_failed_result_is_no_data(entry: dict[str, Any]) -> None:
    assert not one({**entry, "result": "failed"}).has_data


@pytest.mark.parametrize(
    ("entry", "part", "good", "bad"),
    [
        (COPY, "pvbInfo", {"Phase": "Completed"}, {"Phase": "Canceled"}),
        (MOVED, "snapshotDataMovementInfo", {"Phase": "Completed"}, {"Phase": "InProgress"}),
        (SNAPSHOT, "csiSnapshotInfo", {"ReadyToUse": True}, {"ReadyToUse": None}),
        (SNAPSHOT, "csiSnapshotInfo", {"snapshotHandle": "x"}, {"snapshotHandle": ""}),
    ],
)
def test_without_a_result_only_what_was_complete_counts(
    entry: dict[str, Any], part: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    silent = {key: value for key, value in entry.items() if key != "result"}
    assert one({**silent, part: {**entry[part], **good}}).has_data
    assert not one({**silent, part: {**entry[part], **bad}}).has_data


def test_a_method_of_a_newer_velero_is_no_data() -> None:
    assert not one({**COPY, "backupMethod": "Telepathy"}).has_data


def test_a_copy_of_an_empty_volume_has_no_bytes_and_no_handle() -> None:
    part = {"uploaderType": "kopia", "volumeName": "data", "podName": "w", "podNamespace": "shop",
            "Phase": "Completed"}  # fmt: skip
    record = one({**COPY, "pvbInfo": part})
    assert (record.size, record.handle, record.has_data) == (0, "", True)


def test_a_copy_of_a_volume_without_a_claim_is_in_its_pods_namespace() -> None:
    record = one({**COPY, "pvcName": "", "pvcNamespace": "", "pvName": ""})
    assert (record.namespace, record.claim) == ("shop", "")


def test_a_backup_without_volumes_has_no_records() -> None:
    assert volume_info.parse([], "b1") == ()


@pytest.mark.parametrize("entry", ["text", None, {"pvcName": 3}, {"pvbInfo": {"size": "much"}}])
def test_an_entry_of_another_form_is_refused_with_its_place(entry: object) -> None:
    with pytest.raises(VolumeInfoError, match="backup b1 is not as Velero writes it, at 1"):
        volume_info.parse([COPY, entry], "b1")


def copied(pod: str = "web-0", volume: str = "data", claim: str = "data", **status: Any) -> Any:
    return {
        "metadata": {"annotations": {"velero.io/pvc-name": claim} if claim else {}},
        "spec": {"pod": {"namespace": "shop", "name": pod}, "volume": volume},
        "status": {"phase": "Completed", "snapshotID": "f00d", "progress": {"totalBytes": 7},
                   "completionTimestamp": "2026-11-21T10:00:09Z", **status},
    }  # fmt: skip


def test_a_copy_object_gives_the_same_as_its_record() -> None:
    (record,) = volume_info.from_copies([copied()])
    assert record == VolumeRecord(
        "shop", "data", "", Method.FILE_SYSTEM, succeeded=True, size=7, handle="f00d",
        at=moment("2026-11-21T10:00:09Z"), pod="web-0", pod_volume="data",
    )  # fmt: skip
    (failed,) = volume_info.from_copies([copied(phase="Failed")])
    assert not failed.has_data


def test_copies_that_the_list_forgot_are_added_and_nothing_twice() -> None:
    listed = volume_info.parse([COPY, {**SKIPPED, "pvcName": "logs"}], "b1")
    copies = volume_info.from_copies(
        [copied(), copied("web-1", "logs", "logs"), copied("web-1", "tmp", "")]
    )
    found = volume_info.completed_by(listed, copies)
    assert [(one.claim, one.pod, one.has_data) for one in found] == [
        ("data", "web-0", True), ("logs", "web-1", True), ("", "web-1", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry", ["text", None, {"spec": "text"}, {"status": {"progress": {"totalBytes": "much"}}}]
)
def test_what_is_no_copy_object_is_refused(entry: Any) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError)):
        volume_info.from_copies([entry])
