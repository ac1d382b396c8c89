"""Keys and records are, byte for byte, those that Longhorn's own engine wrote."""

import json
from pathlib import Path

import pytest

from standins.longhorn import records
from standins.longhorn.records import BackupRecord, VolumeRecord
from tests.drills.backupstore.samples import FIXTURE

BUCKET = FIXTURE / "bucket"
VOLUMES = sorted(BUCKET.rglob("volume.cfg"))
BACKUPS = sorted(BUCKET.rglob("backup_*.cfg"))


def key(path: Path) -> str:
    return str(path.relative_to(BUCKET))


def test_there_is_something_genuine_to_compare_with() -> None:
    assert (len(VOLUMES), len(BACKUPS)) == (3, 5)


@pytest.mark.parametrize("path", VOLUMES, ids=lambda path: path.parent.name)
def test_a_volumes_record_is_written_as_the_engine_writes_it(path: Path) -> None:
    record = records.parse_volume(path.read_bytes())
    assert records.volume_bytes(record) == path.read_bytes()
    assert records.volume_key(record.name) == key(path)


@pytest.mark.parametrize("path", BACKUPS, ids=lambda path: path.stem)
def test_a_backups_record_is_written_as_the_engine_writes_it(path: Path) -> None:
    record = records.parse_backup(path.read_bytes())
    assert record.finished
    assert records.backup_bytes(record) == path.read_bytes()
    assert records.backup_key(record.volume, record.name) == key(path)
    assert records.backup_of(path.name) == record.name
    for _, digits in record.blocks:
        assert (BUCKET / records.block_key(record.volume, digits)).exists()


def test_a_backup_that_is_begun_says_nothing_but_its_names() -> None:
    raw = json.loads(records.backup_bytes(BackupRecord("backup-1", "pvc-a", "lz4")))
    assert raw["CreatedTime"] == ""
    assert raw["Labels"] is None
    assert raw["ProcessingBlocks"] is None
    assert "Blocks" not in raw
    assert not records.parse_backup(json.dumps(raw).encode()).finished


def test_texts_and_maps_are_encoded_as_go_encodes_them() -> None:
    record = VolumeRecord(
        "pvc-a",
        1 << 30,
        "2026-03-01T12:00:00Z",
        "gzip",
        storage_class='<&"\u2028>',
        labels={"b": "ä", "a": "1"},
    )
    text = records.volume_bytes(record).decode()
    assert '"Labels":{"a":"1","b":"ä"}' in text
    assert r'"StorageClassName":"\"\\u003c\\u0026\\\"\\u2028\\u003e\""' in text
    assert records.parse_volume(text.encode()) == record


def test_an_old_record_without_a_method_was_compressed_with_gzip() -> None:
    raw = b'{"Name":"pvc-a","Size":"2097152"}'
    assert records.parse_volume(raw).compression == "gzip"


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"Name":"x"}', b'{"Name":"x","Size":"y"}'])
def test_what_is_no_record_is_an_error_that_callers_know(raw: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        records.parse_volume(raw)


@pytest.mark.parametrize("file", ["volume.cfg", "backup_x", "x.cfg", "backup_.cfg"])
def test_other_files_among_the_backups_are_none(file: str) -> None:
    assert records.backup_of(file) == ""
