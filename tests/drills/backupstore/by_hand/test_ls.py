"""`ls`: what people read and machines parse, of sound stores and others."""

import json
from pathlib import Path

from tests.drills.backupstore.by_hand.command_line import GENUINE, command
from tests.drills.backupstore.samples import chain, store_in
from tests.support.longhorn_store import folder_of, put_backing_image, put_system_backup

CLAIM = {"KubernetesStatus": json.dumps({"namespace": "shop", "pvcName": "data"})}


def test_the_engines_volumes() -> None:
    ended = command("ls", GENUINE)
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines == [
        "VOLUME    CLAIM    SIZE  BACKUPS  NEWEST DATA           COMPRESSION",
        "pvc-app   -      32 MiB        3  2026-11-21 04:13:52Z  lz4",
        "pvc-gzip  -      16 MiB        1  2026-11-21 04:14:03Z  gzip",
        "pvc-none  -      16 MiB        1  2026-11-21 04:14:13Z  none",
    ]


def test_the_engines_backups() -> None:
    ended = command("ls", GENUINE, "--volume", "pvc-app")
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines == [
        "pvc-app, 32 MiB",
        "BACKUP            DATA OF                DATA    ADDED  KIND         COMPRESSION",
        "backup-pvc-app-1  2026-11-21 04:13:44Z  6 MiB  3.0 MiB  full         lz4",
        "backup-pvc-app-2  2026-11-21 04:13:48Z  6 MiB  1.2 MiB  incremental  lz4",
        "backup-pvc-app-3  2026-11-21 04:13:52Z  6 MiB  1.0 MiB  incremental  lz4",
    ]


def test_for_machines() -> None:
    found = command("ls", GENUINE, "--json").document
    assert [one["name"] for one in found["volumes"]] == ["pvc-app", "pvc-gzip", "pvc-none"]
    assert found["volumes"][0] == {
        "name": "pvc-app", "backups": 3, "claim": None, "size": 33554432,
        "lastBackup": "backup-pvc-app-3", "lastBackupAt": "2026-11-21T04:13:52+00:00",
        "compression": "lz4", "dataEngine": "v1", "backingImage": None,
    }  # fmt: skip
    found = command("ls", GENUINE, "--volume", "pvc-gzip", "--json").document
    assert found["backups"][0]["blocks"] == 1
    assert found["backups"][0]["snapshotCreatedAt"] == "2026-11-21T04:14:03+00:00"


def test_whose_a_volume_is_and_what_else_lies_there(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put, "pvc-1", labels=CLAIM)
    put(folder_of("pvc-ghost") + "backups/backup_b-1.cfg", b"{}")
    put_system_backup(put, "nightly")
    put_backing_image(put, "parrot")
    put("backupstore/volumes/00/00/stray one/x", b"")
    ended = command("ls", tmp_path)
    assert ended.code == 0
    assert ended.lines[1].split()[:2] == ["pvc-1", "shop/data"]
    assert ended.lines[2:] == [
        "folders without a volume's record: pvc-ghost",
        "system backups: nightly of v1.12.1",
        "backing images, which are not read: parrot",
        "not Longhorn's: backupstore/volumes/00/00/stray one/ (no name of a volume)",
    ]
    backups = command("ls", tmp_path, "--volume", "shop/data")
    assert backups.lines[0] == "pvc-1 of claim shop/data, 32 MiB"
    assert len(backups.lines) == 5


def test_records_that_cannot_be_read_are_told_and_the_others_listed(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    chain(put, "pvc-1")
    broken, _ = chain(put, "pvc-2")
    put(broken.folder + "volume.cfg", b"{")
    ended = command("ls", tmp_path)
    assert ended.code == 20
    assert [line.split()[0] for line in ended.lines] == ["VOLUME", "pvc-1", "pvc-2", "pvc-2:"]
    volume, _ = chain(put, "pvc-3")
    volume.begin("backup-4")
    ended = command("ls", tmp_path, "--volume", "pvc-3")
    assert ended.code == 0
    assert "backup-4: the backup is still being made" in ended.out
    put(volume.latest.key, b"{")
    ended = command("ls", tmp_path, "--volume", "pvc-3")
    assert ended.code == 20
    assert command("ls", tmp_path, "--volume", "pvc-3", "--json").code == 20


def test_a_store_without_volumes_is_not_green(tmp_path: Path) -> None:
    (tmp_path / "backupstore").mkdir()
    ended = command("ls", tmp_path)
    assert ended.code == 21
    assert ended.lines == [
        f"no volume with a backup in {tmp_path}; are bucket and prefix the right ones?"
    ]
    assert command("ls", tmp_path, "--json").code == 21


def test_what_a_stranger_wrote_is_printed_as_text(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    put("backupstore/volumes/00/00/a\x1b[31m\nb/x", b"")
    ended = command("ls", tmp_path)
    assert all(line.isprintable() for line in ended.lines)
