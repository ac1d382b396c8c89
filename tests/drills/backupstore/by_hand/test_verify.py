"""`verify`: sound, broken and doubtful stores, as lines, codes and JSON."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.drills.backupstore.by_hand.command_line import GENUINE, NOW, command
from tests.drills.backupstore.samples import chain, store_in
from tests.support.longhorn_store import BLOCK, VolumeWriter, folder_of


@pytest.fixture
def volume(tmp_path: Path) -> VolumeWriter:
    _, put = store_in(tmp_path)
    return chain(put)[0]


def path_of(root: Path, volume: VolumeWriter, place: int) -> Path:
    """Of a block that the latest backup lists."""
    return root / volume.block_key(volume.latest.blocks[place * BLOCK])


def test_the_engines_store_is_sound() -> None:
    for words in ([], ["--full"]):
        ended = command("verify", GENUINE, *words)
        assert (ended.code, ended.err) == (0, "")
        assert ended.lines == [
            "pvc-app: sound: 8 blocks of 3 backups read, 5.2 MiB in the store",
            "pvc-gzip: sound: 1 block of 1 backup read, 493 KiB in the store",
            "pvc-none: sound: 1 block of 1 backup read, 2 MiB in the store",
        ]


def test_one_volume_and_one_backup(tmp_path: Path, volume: VolumeWriter) -> None:
    ended = command("verify", tmp_path, "--volume", "pvc-data", "--backup", "backup-1")
    assert ended.code == 0
    assert ended.out.startswith("pvc-data: sound: 3 blocks of 1 backup read, ")
    path_of(tmp_path, volume, 4).unlink()
    assert command("verify", tmp_path, "--volume", "pvc-data", "--backup", "backup-1").code == 0
    assert command("verify", tmp_path, "--volume", "pvc-data").code == 20


def test_damage_is_told_with_the_backups_that_need_the_block(
    tmp_path: Path, volume: VolumeWriter
) -> None:
    lost, damaged = path_of(tmp_path, volume, 4), path_of(tmp_path, volume, 3)
    lost.unlink()
    damaged.write_bytes(b"no lz4")
    ended = command("verify", tmp_path)
    assert ended.code == 20
    told = dict(line.strip().split(": ", 1) for line in ended.lines[1:3])
    assert told.keys() == {lost.name, damaged.name}
    assert told[lost.name].startswith("the backup store has no such object")
    assert told[damaged.name].startswith("the block is damaged, or is no lz4")
    assert [ended.lines[0], *ended.lines[3:]] == [
        "pvc-data: BROKEN: of 6 blocks of 3 backups, 2 lost or damaged",
        "  cannot be restored: backup-2, backup-3",
        "  need none of these: backup-1",
    ]
    found = command("verify", tmp_path, "--json")
    (document,) = found.document["volumes"]
    assert (found.code, document["faulty"], document["broken"]) == (20, 2, True)
    assert document["affected"] == ["backup-2", "backup-3"]
    assert {one["fault"] for one in document["faults"]} == {"block-missing", "block-undecodable"}


@pytest.mark.usefixtures("volume")
def test_the_quick_depth_reads_each_block_once_in_so_many_days(tmp_path: Path) -> None:
    days = 3
    read = 0
    for day in range(days):
        ended = command("verify", tmp_path, "--quick", str(days), now=NOW + timedelta(days=day))
        assert ended.code == 0
        assert ended.lines[1:] == ["run every day, this reads each block within 3 days"]
        asked = ("verify", tmp_path, "--quick", str(days), "--json")
        (found,) = command(*asked, now=NOW + timedelta(days=day)).document["volumes"]
        assert found["blocks"] == 6
        read += found["read"]
    assert read == 6


def test_the_quick_depth_misses_no_block_that_is_lost(tmp_path: Path, volume: VolumeWriter) -> None:
    path_of(tmp_path, volume, 4).unlink()
    for day in range(3):
        ended = command("verify", tmp_path, "--quick", "3", now=NOW + timedelta(days=day))
        assert ended.code == 20
        assert "1 lost or damaged" in ended.out


def test_a_record_that_cannot_be_read_is_broken_and_an_unfinished_one_is_not(
    tmp_path: Path, volume: VolumeWriter
) -> None:
    volume.begin("backup-4")
    ended = command("verify", tmp_path)
    assert ended.code == 0
    assert ended.lines[1] == "  unfinished, not looked at: backup-4"
    (tmp_path / volume.latest.key).write_bytes(b"{")
    ended = command("verify", tmp_path)
    assert ended.code == 20
    assert ended.lines[0] == "pvc-data: BROKEN: 1 record cannot be read"
    assert volume.latest.key in ended.lines[1]


def test_a_volume_that_lost_its_record_is_broken(tmp_path: Path, volume: VolumeWriter) -> None:
    (tmp_path / volume.folder / "volume.cfg").unlink()
    for words in ([], ["--volume", "pvc-data"]):
        ended = command("verify", tmp_path, *words)
        assert ended.code == 20
        assert ended.lines[0] == "pvc-data: BROKEN: 1 record cannot be read"
    # What versions leave of a deleted volume is no fault.
    for path in (tmp_path / volume.folder / "backups").iterdir():
        path.unlink()
    ended = command("verify", tmp_path)
    assert (ended.code, ended.lines) == (21, [f"no volume with a backup in {tmp_path}"])


def test_another_compression_than_known_is_not_proven(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    volume = VolumeWriter(put, "pvc-data", 2 * BLOCK)
    volume.backup(
        "backup-1", [0], lambda _: bytes(BLOCK),
        edit=lambda record: record.update(CompressionMethod="zstd"),
    )  # fmt: skip
    ended = command("verify", tmp_path)
    assert ended.code == 21
    assert ended.lines[0] == "pvc-data: not proven: 1 record cannot be read"


def test_nothing_to_verify_is_not_green(tmp_path: Path) -> None:
    _, put = store_in(tmp_path)
    volume, _ = chain(put)
    for path in (tmp_path / volume.folder / "backups").iterdir():
        path.unlink()
    ended = command("verify", tmp_path)
    assert (ended.code, ended.lines) == (21, ["pvc-data: not proven: no finished backup"])
    assert folder_of("pvc-data") == volume.folder


def test_a_volume_or_backup_that_is_not_there(tmp_path: Path, volume: VolumeWriter) -> None:
    ended = command("verify", tmp_path, "--volume", "pvc-none")
    assert (ended.code, ended.out) == (21, "")
    assert "pvc-none/volume.cfg: the backup store has no such object" in ended.err
    ended = command("verify", tmp_path, "--volume", volume.name, "--backup", "backup-9")
    assert (ended.code, ended.out) == (21, "")
