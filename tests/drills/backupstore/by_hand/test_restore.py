"""`restore`: what is chosen, what is told, and what is left by an interruption."""

import hashlib
import json
from pathlib import Path

import pytest

from drills.backupstore.by_hand import restoring
from drills.backupstore.rebuild import rebuild
from tests.drills.backupstore.by_hand.command_line import GENUINE, command
from tests.drills.backupstore.samples import TRUTH, chain, store_in
from tests.support.longhorn_store import BLOCK, VolumeWriter, content


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_every_backup_of_the_engine(tmp_path: Path, name: str) -> None:
    truth, image = TRUTH[name], tmp_path / "image"
    ended = command(
        "restore", GENUINE, "--volume", truth["volume"], "--backup", name, "-o", image, "--json"
    )
    assert (ended.code, ended.err) == (0, "")
    assert sha256_of(image) == truth["sha256"]
    assert ended.document["bytes"] == truth["size"]
    assert ended.document["sha256"] is None


def test_the_newest_backup_is_taken_and_told(tmp_path: Path) -> None:
    image = tmp_path / "image"
    ended = command("restore", GENUINE, "--volume", "pvc-app", "-o", image, "--sha256")
    assert ended.code == 0
    assert ended.lines == [
        f"{image}: volume pvc-app as of 2026-11-21 04:13:52Z, 32 MiB",
        "backup backup-pvc-app-3: 3 blocks checked; 1.0 MiB read from the store",
        f"sha256 {TRUTH['backup-pvc-app-3']['sha256']}",
    ]


def test_a_backup_url_of_a_folder(tmp_path: Path) -> None:
    image = tmp_path / "image"
    url = f"file://{GENUINE}?backup=backup-pvc-app-1&volume=pvc-app"
    assert command("restore", url, "-o", image).code == 0
    assert sha256_of(image) == TRUTH["backup-pvc-app-1"]["sha256"]


def test_the_newest_by_its_data_where_the_record_names_none(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    _, truth = chain(put, edit_volume=lambda record: record.update(LastBackupName="gone"))
    image = tmp_path / "image"
    assert command("restore", tmp_path / "store", "-o", image).code == 0
    assert sha256_of(image) == truth["backup-3"]


def test_a_volume_by_its_claim(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    chain(put, "pvc-1")
    labels = {"KubernetesStatus": json.dumps({"namespace": "shop", "pvcName": "data"})}
    _, truth = chain(put, "pvc-2", labels=labels)
    image = tmp_path / "image"
    ended = command("restore", tmp_path / "store", "--volume", "shop/data", "-o", image)
    assert ended.code == 0
    assert sha256_of(image) == truth["backup-3"]
    other = command("restore", tmp_path / "store", "--volume", "shop/other", "-o", image)
    assert (other.code, "0 volumes of claim shop/other" in other.err) == (2, True)


def test_which_of_several_volumes_is_asked(tmp_path: Path) -> None:
    ended = command("restore", GENUINE, "-o", tmp_path / "image")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "python -m drills longhorn: the target holds 3 volumes: pvc-app, pvc-gzip, pvc-none; "
        "name one with --volume, as ls lists it\n"
    )


def test_an_image_that_exists_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"precious")
    ended = command("restore", GENUINE, "--volume", "pvc-app", "-o", image)
    assert (ended.code, image.read_bytes()) == (21, b"precious")
    assert f"{image} exists and is not overwritten" in ended.err


def test_damage_is_broken_and_names_what_is_kept(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    volume, _ = chain(put)
    (tmp_path / "store" / volume.block_key(volume.latest.blocks[0])).unlink()
    image = tmp_path / "image"
    ended = command("restore", tmp_path / "store", "-o", image)
    assert (ended.code, ended.out) == (20, "")
    assert "1 of the 4 blocks of backup backup-3 cannot be restored" in ended.err
    assert f"everything else is in {image}.part" in ended.err
    assert not image.exists()


@pytest.mark.parametrize("blocks", [0, 2])
def test_an_interruption_tells_what_is_kept_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    _, put = store_in(tmp_path / "store")
    _, truth = chain(put)
    image = tmp_path / "image"
    words = ("restore", tmp_path / "store", "-o", image, "--sha256")

    def interrupted(*given: object, **more: object) -> object:
        def progress(done: int, _all: int) -> None:
            if done == blocks:
                raise KeyboardInterrupt

        return rebuild(*given, **more | {"progress": progress, "workers": 1})  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "rebuild", interrupted)
        ended = command(*words)
    assert (ended.code, ended.out) == (21, "")
    kept = f"interrupted; the same command goes on with what is in {image}.part\n"
    nothing = "interrupted before anything was written\n"
    assert ended.err == f"python -m drills longhorn: {kept if blocks else nothing}"
    ended = command(*words)
    assert (ended.code, sha256_of(image)) == (0, truth["backup-3"])
    told = f"4 blocks checked{', 2 of them there from before' if blocks else ''}; "
    assert told in ended.lines[1]


def test_an_unfinished_backup_that_is_named_cannot_be_restored(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    volume = VolumeWriter(put, "pvc-data", 2 * BLOCK)
    volume.backup("backup-1", [0], content("x", noise=0.001))
    volume.begin("backup-2")
    words = ("restore", tmp_path / "store", "--volume", "pvc-data", "-o", tmp_path / "image")
    ended = command(*words, "--backup", "backup-2")
    assert ended.code == 21
    assert "the backup is still being made" in ended.err
    assert command(*words).code == 0


def test_an_image_in_a_pipe(tmp_path: Path) -> None:
    ended = command("restore", GENUINE, "--volume", "pvc-app", "-o", "-")
    sha256 = TRUTH["backup-pvc-app-3"]["sha256"]
    assert (ended.code, ended.out) == (0, "")
    assert hashlib.sha256(ended.data).hexdigest() == sha256
    assert ended.err == f"pvc-app as of 2026-11-21 04:13:52Z, 32 MiB, sha256 {sha256}\n"
    _, put = store_in(tmp_path)
    volume, _ = chain(put)
    (tmp_path / volume.block_key(volume.latest.blocks[0])).unlink()
    ended = command("restore", tmp_path, "-o", "-")
    assert (ended.code, len(ended.data)) == (20, 0)
    assert "the backup store has no such object" in ended.err
