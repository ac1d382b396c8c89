"""Images lie in a folder of the run's own, which goes with it, or with the next run."""

import subprocess
import sys
from pathlib import Path

from drills.scratch import LOCK, PREFIX, UNLOCKED_SECONDS, Scratch, sweep
from tests.support.open_files import open_files


def test_the_folder_is_made_late_private_and_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    scratch.remove()
    assert list(tmp_path.iterdir()) == []
    image = scratch.image("pvc-1")
    assert image.parent.stat().st_mode & 0o077 == 0
    image.write_bytes(b"x")
    image.with_name(f"{image.name}.part").write_bytes(b"x")
    scratch.drop(image)
    assert [one.name for one in image.parent.iterdir()] == [LOCK]
    image.write_bytes(b"x")
    scratch.remove()
    assert list(tmp_path.iterdir()) == []
    assert scratch.image("pvc-2").parent.is_dir()
    scratch.remove()


def test_it_goes_with_whoever_holds_it(tmp_path: Path) -> None:
    before = open_files()
    scratch = Scratch(tmp_path)
    scratch.tree("pvc-1").write_bytes(b"x")
    del scratch
    assert list(tmp_path.iterdir()) == []
    assert open_files() == before


def test_what_lives_is_left_and_what_was_killed_is_swept(tmp_path: Path) -> None:
    living = Scratch(tmp_path)
    living.image("a").write_bytes(b"x")
    code = (
        "import os, pathlib, sys; from drills.scratch import Scratch; "
        "held = Scratch(pathlib.Path(sys.argv[1])); held.image('b').write_bytes(b'x'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
    assert sweep(tmp_path) == 1
    assert [one.name for one in tmp_path.rglob("*.img")] == ["a.img"]
    living.remove()


def test_a_folder_without_a_lock_is_left_until_it_is_old(tmp_path: Path) -> None:
    folder = tmp_path / f"{PREFIX}x"
    folder.mkdir()
    made = folder.stat().st_mtime
    assert sweep(tmp_path, made + UNLOCKED_SECONDS - 1) == 0
    assert sweep(tmp_path, made + UNLOCKED_SECONDS + 1) == 1


def test_nothing_is_swept_that_only_looks_like_one(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (elsewhere / "kept").write_bytes(b"x")
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").write_bytes(b"x")
    assert sweep(tmp_path) == 0
    assert (elsewhere / "kept").exists()
    assert (tmp_path / f"{PREFIX}file").exists()
