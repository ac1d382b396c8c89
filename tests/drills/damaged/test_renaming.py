"""A renamed backup is one that Velero reads as new, and that no schedule is known by."""

import gzip
import json
from typing import Any

import pytest

from drills.damaged.renaming import Renaming, RenamingError
from tests.drills.damaged import samples

MARKS = {"backstop-site": "dev", "backstop.io/drill-run": "r1"}
RENAMING = Renaming("nightly-1", "backstop-drill-r1-nightly-1", MARKS)
NEW = "backups/backstop-drill-r1-nightly-1"


def renamed(content: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RENAMING.backup(json.dumps(content).encode()))
    return found


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("backups/nightly-1/nightly-1.tar.gz", f"{NEW}/backstop-drill-r1-nightly-1.tar.gz"),
        ("backups/nightly-1/nightly-1-logs.gz", f"{NEW}/backstop-drill-r1-nightly-1-logs.gz"),
        ("backups/nightly-1/velero-backup.json", f"{NEW}/velero-backup.json"),
        ("backups/nightly-1/something-else", f"{NEW}/something-else"),
    ],
)
def test_every_file_lies_below_the_new_name(key: str, expected: str) -> None:
    assert RENAMING.key(key) == expected


def test_a_backup_that_is_called_like_velero_s_own_file_keeps_that_file() -> None:
    renaming = Renaming("velero", "other", {})
    assert renaming.key("backups/velero/velero-backup.json") == "backups/other/velero-backup.json"
    assert renaming.key("backups/velero/velero-logs.gz") == "backups/other/other-logs.gz"


@pytest.mark.parametrize("key", ["backups/nightly-10/nightly-10.tar.gz", "kopia/a/p1", "backups/"])
def test_a_foreign_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no file of backup nightly-1"):
        RENAMING.key(key)


def test_only_the_files_that_name_the_backup_are_rewritten() -> None:
    rewritten = {key for key in samples.backup_files() if RENAMING.rewrite(key) is not None}
    assert {key.rpartition("/")[2] for key in rewritten} == {
        "velero-backup.json", "nightly-1-podvolumebackups.json.gz",
        "nightly-1-itemoperations.json.gz",
    }  # fmt: skip


def test_the_backup_bears_the_marks_and_no_schedule() -> None:
    metadata = renamed(samples.document())["metadata"]
    assert metadata["name"] == "backstop-drill-r1-nightly-1"
    assert metadata["labels"] == {"velero.io/storage-location": "default", "team": "a", **MARKS}
    assert metadata["annotations"] == {"velero.io/resource-timeout": "10m0s"}
    gone = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
            "ownerReferences")  # fmt: skip
    assert not set(gone) & set(metadata)


def test_what_was_saved_and_how_it_ended_stay_as_they_are() -> None:
    held = samples.document()
    found = renamed(held)
    assert (found["spec"], found["status"]) == (held["spec"], held["status"])


@pytest.mark.parametrize("content", [[], {}, {"metadata": None}, samples.document("other")])
def test_a_document_of_another_backup_is_refused(content: Any) -> None:
    with pytest.raises(RenamingError, match="does not bear its name"):
        renamed(content)


def test_copies_of_volumes_follow_the_backup_under_names_of_their_own() -> None:
    held = [samples.pod_volume_backup("a"), samples.pod_volume_backup("b")]
    first, second = json.loads(gzip.decompress(RENAMING.copies(samples.packed(held))))
    metadata = first["metadata"]
    # Velero restores the copies that bear this label, and puts the new uid into both places.
    assert metadata["labels"]["velero.io/backup-name"] == RENAMING.new
    assert "velero.io/backup-uid" in metadata["labels"]
    assert [one["name"] for one in metadata["ownerReferences"]] == [RENAMING.new]
    assert metadata["labels"].items() >= MARKS.items()
    assert metadata["name"].startswith(RENAMING.new)
    assert metadata["name"] != second["metadata"]["name"]
    assert len(metadata["name"]) <= 63
    assert not {"uid", "resourceVersion", "generateName"} & set(metadata)
    assert (first["spec"], first["status"]) == (held[0]["spec"], held[0]["status"])


def test_a_list_that_go_wrote_as_null_stays_one() -> None:
    nothing = gzip.compress(b"null", mtime=0)
    assert RENAMING.copies(nothing) == nothing


def test_operations_name_the_new_backup() -> None:
    held = [{"spec": {"backupName": "nightly-1", "operationID": "1"}},
            {"spec": {"backupName": "else"}}]  # fmt: skip
    found = json.loads(gzip.decompress(RENAMING.operations(samples.packed(held))))
    assert [one["spec"]["backupName"] for one in found] == [RENAMING.new, "else"]


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (b"no gzip", "is no gzip file"),
        (gzip.compress(b"[]", mtime=0)[:-9], "is no gzip file"),
        (gzip.compress(b"{", mtime=0), "is no JSON"),
        (gzip.compress(b'{"a": 1}', mtime=0), "is no list of objects"),
        (gzip.compress(b"[1]", mtime=0), "is no list of objects"),
    ],
)
def test_a_list_that_is_none_is_said(packed: bytes, said: str) -> None:
    with pytest.raises(RenamingError, match=said):
        RENAMING.copies(packed)


def test_a_document_that_is_no_json_is_said() -> None:
    with pytest.raises(RenamingError, match="is no JSON"):
        RENAMING.backup(b"\x00")
