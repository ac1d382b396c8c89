"""Records of volumes, backups, locks and system backups: as every version wrote them, and broken.

One malformed record a rule; that nothing but BackupStoreError comes out of a parser is in
test_properties.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drills.backupstore import records
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.records import (
    Compression,
    LockType,
    VolumeRecord,
    check_rebuildable,
    parse_backup,
    parse_lock,
    parse_system_backup,
    parse_volume,
)
from tests.drills.backupstore.samples import (
    VOLUME,
    backup_record,
    fault_of,
    spelled,
    volume_record,
)
from tests.support.longhorn_store import MIB

KEY = "the/key.cfg"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEEP = b"[" * 200_000


def volume_of(**changes: Any) -> VolumeRecord:
    return parse_volume(KEY, spelled(volume_record(**changes)))


def backup_of(**changes: Any) -> records.BackupRecord:
    return parse_backup(KEY, spelled(backup_record(**changes)), VOLUME)


def block(offset: object, checksum: object = "c" * 64, **more: object) -> dict[str, object]:
    return {"Offset": offset, "BlockChecksum": checksum, **more}


def test_a_volume_of_a_version_before_data_engines_and_compression() -> None:
    volume = volume_of(
        CompressionMethod=None, StorageClassName=None, DataEngine=None, BackingImageName=None
    )
    assert (volume.compression, volume.data_engine) == (Compression.GZIP, "")
    assert (volume.storage_class, volume.backing_image) == ("", "")


def test_texts_in_quotes_within_quotes_and_plain_ones() -> None:
    assert volume_of(StorageClassName='"a\\"b"').storage_class == 'a"b'
    assert volume_of(StorageClassName="plain").storage_class == "plain"
    assert volume_of(CompressionMethod='""').compression is Compression.GZIP


def test_a_volume_whose_last_backup_was_deleted() -> None:
    volume = volume_of(LastBackupName="", LastBackupAt="", Labels=None)
    assert (volume.last_backup_name, volume.last_backup_at, volume.labels) == ("", None, {})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Name": None}, Fault.RECORD),
        ({"Name": "../up"}, Fault.RECORD),
        ({"Name": 5}, Fault.RECORD),
        ({"Size": None}, Fault.RECORD),
        ({"Size": 4194304}, Fault.RECORD),
        ({"Size": "0"}, Fault.RECORD),
        ({"Size": "-1"}, Fault.RECORD),
        ({"Size": "01"}, Fault.RECORD),
        ({"Size": "1e9"}, Fault.RECORD),
        ({"Size": "٤"}, Fault.RECORD),
        ({"Size": str(1 << 62)}, Fault.TOO_LARGE),
        ({"Size": "9" * 19}, Fault.TOO_LARGE),
        ({"Size": "9" * 99}, Fault.RECORD),
        ({"CreatedTime": "yesterday"}, Fault.RECORD),
        ({"LastBackupAt": 1700000000}, Fault.RECORD),
        ({"LastBackupName": "a/b"}, Fault.RECORD),
        ({"Labels": []}, Fault.RECORD),
        ({"Labels": {"a": 1}}, Fault.RECORD),
        ({"Labels": {"a": "\ud800"}}, Fault.RECORD),
        ({"StorageClassName": '"'}, Fault.RECORD),
        ({"StorageClassName": '"\\ud800"'}, Fault.RECORD),
        ({"StorageClassName": "x" * (2 << 20)}, Fault.RECORD),
        ({"CompressionMethod": '"zstd"'}, Fault.UNSUPPORTED),
        ({"DataEngine": '"v3"'}, Fault.UNSUPPORTED),
    ],
)
def test_a_volume_that_says_what_cannot_be(changes: dict[str, Any], fault: Fault) -> None:
    assert fault_of(lambda: volume_of(**changes), KEY) is fault


def test_a_volume_upon_a_backing_image_is_not_rebuilt() -> None:
    check_rebuildable(VOLUME)
    volume = volume_of(BackingImageName='"debian-13"')
    assert fault_of(lambda: check_rebuildable(volume), "pvc-data") is Fault.UNSUPPORTED


def test_a_backup_says_what_longhorn_wrote() -> None:
    backup = backup_of()
    assert [tuple(one) for one in backup.blocks] == [(0, "a" * 64), (4 * MIB, "b" * 64)]
    assert (backup.name, backup.volume, backup.snapshot) == ("backup-1", "pvc-data", "snapshot-1")
    assert backup.created - backup.snapshot_created == timedelta(seconds=5)
    assert (backup.block_size, backup.stored_size) == (2 * MIB, 4 * MIB)
    assert (backup.incremental, backup.compression) == (True, Compression.LZ4)
    assert (backup.uploaded_size, backup.labels) == (12345, {"RecurringJob": "daily"})


def test_a_backup_of_a_version_before_block_sizes_and_compression() -> None:
    backup = backup_of(
        Parameters=None,
        CompressionMethod=None,
        IsIncremental=None,
        NewlyUploadedDataSize=None,
        ProcessingBlocks=None,
        SingleFile=None,
        Labels=None,
    )
    assert (backup.block_size, backup.compression) == (2 * MIB, Compression.GZIP)
    assert (backup.incremental, backup.uploaded_size, backup.labels) == (False, 0, {})


def test_a_snapshot_without_a_time_is_as_old_as_its_backup() -> None:
    for none in ("", None):
        backup = backup_of(SnapshotCreatedAt=none)
        assert backup.snapshot_created == backup.created


@pytest.mark.parametrize(
    ("told", "size"), [("", 2), ("0", 2), ("2Mi", 2), ("16Mi", 16), ("16384Ki", 16)]
)
def test_block_sizes_as_longhorn_spells_them(told: str, size: int) -> None:
    blocks = [block(0), block(16 * MIB)]
    backup = backup_of(
        Parameters={"backup-block-size": told}, Blocks=blocks, Size=str(2 * size * MIB)
    )
    assert backup.block_size == size * MIB


def test_the_backup_of_a_volume_never_written_to_has_no_blocks() -> None:
    assert len(backup_of(Blocks=None, Size="0").blocks) == 0
    assert len(backup_of(Blocks=[], Size="0").blocks) == 0


def test_a_backup_that_is_being_made_is_unfinished() -> None:
    begun = spelled(
        {
            "Name": "backup-1",
            "VolumeName": "pvc-data",
            "SnapshotName": "",
            "CreatedTime": "",
            "Size": "0",
            "Labels": None,
            "CompressionMethod": "lz4",
            "ProcessingBlocks": None,
        }
    )
    assert fault_of(lambda: parse_backup(KEY, begun, VOLUME), KEY) is Fault.UNFINISHED


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Name": None}, Fault.RECORD),
        ({"VolumeName": "another"}, Fault.RECORD),
        ({"CreatedTime": "2026-03-01"}, Fault.RECORD),
        ({"CreatedTime": "2026-03-01T12:00:00"}, Fault.RECORD),
        ({"CreatedTime": "2026-02-30T12:00:00Z"}, Fault.RECORD),
        ({"CreatedTime": "0000-01-01T00:00:00Z"}, Fault.RECORD),
        ({"CreatedTime": "0001-01-01T00:00:00+23:59"}, Fault.RECORD),
        ({"CreatedTime": "2026-03-01T12:00:00Z\n"}, Fault.RECORD),
        ({"SnapshotCreatedAt": "2026-03-01 12:00:00 +0000 UTC m=+1.5"}, Fault.RECORD),
        ({"SnapshotName": None}, Fault.RECORD),
        ({"IsIncremental": "yes"}, Fault.RECORD),
        ({"CompressionMethod": "snappy"}, Fault.UNSUPPORTED),
        ({"CompressionMethod": 4}, Fault.RECORD),
        ({"Size": str(2 * MIB)}, Fault.RECORD),
        ({"Size": 4 * MIB}, Fault.RECORD),
        ({"Parameters": {"backup-block-size": "2M"}}, Fault.RECORD),
        ({"Parameters": {"backup-block-size": "-2"}}, Fault.RECORD),
        ({"Parameters": {"backup-block-size": "4096"}}, Fault.UNSUPPORTED),
        ({"Parameters": {"backup-block-size": "1024Mi"}}, Fault.UNSUPPORTED),
        ({"Parameters": {"backup-block-size": "9" * 10 + "Mi"}}, Fault.UNSUPPORTED),
        ({"Parameters": {"backup-block-size": 2}}, Fault.RECORD),
        ({"Parameters": {"backup-block-size": "64Mi"}}, Fault.RECORD),
        ({"SingleFile": {"FilePath": "a/b.bak"}}, Fault.UNSUPPORTED),
        ({"SingleFile": "a"}, Fault.RECORD),
        ({"Blocks": {}}, Fault.RECORD),
        ({"Blocks": ""}, Fault.RECORD),
        ({"Blocks": [None]}, Fault.RECORD),
        ({"Blocks": [[]]}, Fault.RECORD),
        ({"Blocks": [{"Offset": 0}]}, Fault.RECORD),
        ({"Blocks": [block(0, more=1)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(0)]}, Fault.RECORD),
        ({"Blocks": [block(4 * MIB), block(0)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(32 * MIB)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(1 << 62)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(1 << 64)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(1 << 9999)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(-2 * MIB)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(2 * MIB + 512)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(2.0 * MIB)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(True)]}, Fault.RECORD),
        ({"Blocks": [block(0), block("2097152")]}, Fault.RECORD),
        ({"Blocks": [block(0), block(2 * MIB, "C" * 64)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(2 * MIB, "../" + "c" * 61)]}, Fault.RECORD),
        ({"Blocks": [block(0), block(2 * MIB, 7)]}, Fault.RECORD),
        ({"Labels": block(0)}, Fault.RECORD),
        ({"ProcessingBlocks": {"blocks": {"c": [block(0)]}}}, Fault.RECORD),
    ],
)
def test_a_backup_that_says_what_cannot_be(changes: dict[str, Any], fault: Fault) -> None:
    assert fault_of(lambda: backup_of(**changes), KEY) is fault


def test_blocks_that_do_not_divide_the_volume() -> None:
    volume = volume_of(Size=str(33 * MIB))
    record = spelled(backup_record())
    assert fault_of(lambda: parse_backup(KEY, record, volume), KEY) is Fault.RECORD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{}x",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"Name": NaN}',
        b'{"Name": -Infinity}',
        b'{"Name": "ab", "Name": "cd"}',
        b'{"Labels": {"a": "1", "a": "2"}}',
        b'{"Name": ' + b"9" * 9999 + b"}",
        b'{"Name": "\xff"}',
        DEEP,
        b'{"a":' * 100_000,
        spelled(block(0)),
    ],
    ids=lambda content: f"{content[:24]!r}",
)
def test_what_is_no_record_at_all(content: bytes) -> None:
    for parse in (
        lambda: parse_volume(KEY, content),
        lambda: parse_backup(KEY, content, VOLUME),
        lambda: parse_lock(KEY, content, NOW),
        lambda: parse_system_backup(KEY, content),
    ):
        assert fault_of(parse, KEY) is Fault.RECORD


def test_a_record_beyond_every_size_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    large = b" " * (records.MOST_SMALL_RECORD_BYTES + 1)
    assert fault_of(lambda: parse_volume(KEY, large), KEY) is Fault.TOO_LARGE
    monkeypatch.setattr(records, "MOST_RECORD_BYTES", 100)
    assert fault_of(backup_of, KEY) is Fault.TOO_LARGE


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500000+00:00"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456+00:00"),
        ("2026-03-01T13:30:00+01:30", "2026-03-01T12:00:00+00:00"),
    ],
)
def test_times_as_go_writes_them(told: str, read: str) -> None:
    assert backup_of(CreatedTime=told).created.isoformat() == read


def lock(**changes: object) -> bytes:
    return json.dumps({"Name": "lock-1", "Type": 1, "Acquired": True} | changes).encode()


def test_a_lock_is_obeyed_for_150_seconds_after_it_was_last_written() -> None:
    found = parse_lock(KEY, lock(), NOW)
    assert (found.name, found.type, found.acquired) == ("lock-1", LockType.BACKUP_OR_RESTORE, True)
    assert not found.expired(NOW + timedelta(seconds=150))
    assert found.expired(NOW + timedelta(seconds=151))


@pytest.mark.parametrize(
    "changes", [{"Type": 3}, {"Type": "1"}, {"Type": True}, {"Name": "/"}, {"Acquired": 1}]
)
def test_what_is_no_lock(changes: dict[str, object]) -> None:
    assert fault_of(lambda: parse_lock(KEY, lock(**changes), NOW), KEY) is Fault.RECORD


def test_a_fault_names_the_object_in_one_printable_line() -> None:
    error = BackupStoreError(Fault.RECORD, "a/\x1b[2J\n" + "x" * 500, "the record is no record")
    assert str(error).isprintable()
    assert len(str(error)) < 200
    assert error.object.endswith("x" * 500)
