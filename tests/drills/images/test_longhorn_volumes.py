"""Backups that Longhorn's own engine wrote: files come out of them, fetched block by block."""

from pathlib import Path

import pytest

from drills.backupstore.backup_image import BackupImage
from drills.images.check import check
from drills.images.file_system import open_image
from drills.images.recognise import Kind, contents
from tests.drills.backupstore.samples import TRUTH, genuine
from tests.drills.images.images import run

EXT4 = sorted(name for name in TRUTH if not name.startswith("backup-pvc-none"))
FILES = {
    "backup-pvc-app-1": {b"db/data.bin": 3 << 20, b"empty": 0, b"hello.txt": 19},
    "backup-pvc-app-2": {
        b"db/data.bin": 3 << 20, b"empty": 0, b"hello.txt": 12, b"new/log.txt": 100_000,
    },
    "backup-pvc-app-3": {
        b"db/data2.bin": 1 << 20, b"empty": 0, b"hello.txt": 12, b"new/log.txt": 100_000,
    },
    "backup-pvc-gzip-1": {b"a": 100_000, b"b": 500_000},
}  # fmt: skip


def image_of(backup: str) -> BackupImage:
    store = genuine()
    volume = store.volume(TRUTH[backup]["volume"])
    return BackupImage(store, volume, store.backup(volume, backup))


@pytest.mark.parametrize("backup", EXT4)
def test_files_come_out_of_a_backup(backup: str) -> None:
    with image_of(backup) as image:
        system = open_image(image)
        entries = list(system.entries())
        assert system.version == "ext4"
        for path in FILES[backup]:
            assert len(b"".join(system.read(path))) == FILES[backup][path]
    assert not [entry for entry in entries if entry.error]
    assert {one.path: one.size for one in entries if one.type == "file"} == FILES[backup]


def test_what_did_not_change_between_two_backups_is_the_same() -> None:
    digests = []
    for backup in ("backup-pvc-app-1", "backup-pvc-app-2", "backup-pvc-app-3"):
        with image_of(backup) as image:
            digests.append({one.path: one.sha256 for one in open_image(image).entries()})
    first, second, third = digests
    assert first[b"db/data.bin"] == second[b"db/data.bin"]
    assert first[b"hello.txt"] != second[b"hello.txt"] == third[b"hello.txt"]
    assert second[b"new/log.txt"] == third[b"new/log.txt"]


@pytest.mark.parametrize("backup", EXT4)
def test_the_file_system_in_a_backup_is_sound(backup: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    with image_of(backup) as image:
        path.write_bytes(image.read(0, image.size))
    assert check(path, run).clean is True


def test_raw_bytes_are_no_file_system() -> None:
    with image_of("backup-pvc-none-1") as image:
        assert contents(image).kind is Kind.UNKNOWN
