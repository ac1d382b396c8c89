"""The check with the file systems' own tools, on images that a kernel left and on damaged ones."""

import hashlib
from pathlib import Path

import pytest

from drills.images.check import check
from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.images.xfs.log_records import Log
from drills.images.xfs.superblock import LARGEST_SECTOR, parse
from tests.drills.images.images import (
    RECORDED,
    fill,
    made_ext,
    made_xfs,
    recorded_file,
    recorded_tree,
    run,
)

LIVE = [name for name in RECORDED if "live" in name]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_images_are_sound_and_stay_as_they_are(name: str, tmp_path: Path) -> None:
    path = recorded_file(name, tmp_path)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    found = check(path, run)
    assert (found.clean, found.detail) == (True, found.detail)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", LIVE)
def test_without_a_replay_the_tools_find_faults_in_a_sound_live_image(
    name: str, tmp_path: Path
) -> None:
    """The reason why there is a replay at all."""
    path = recorded_file(name, tmp_path)
    if "xfs" in name:
        ran = run(["xfs_repair", "-n", "-f", "-o", "force_geometry", str(path)])
        assert ran.code == 1
        assert "valuable metadata changes in a log" in ran.output
    else:
        ran = run(["e2fsck", "-f", "-n", str(path)])
        assert ran.code == 4
        assert "skipping journal recovery" in ran.output


@pytest.mark.parametrize("name", LIVE)
def test_an_image_that_may_be_changed_holds_the_same_after_the_check(
    name: str, tmp_path: Path
) -> None:
    path = recorded_file(name, tmp_path)
    before = path.read_bytes()
    assert check(path, run, disposable=True).clean is True
    assert path.read_bytes() != before
    with FileSource(path) as source:
        system = open_image(source)
        assert system.unfinished == ""
        assert list(system.entries(xattrs=True)) == recorded_tree(name)


@pytest.mark.parametrize("made", ["ext2", "ext3", "ext4", "xfs"])
def test_what_mkfs_made_is_sound(made: str, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    root = fill(tmp_path / "root")
    path = tmp_path / "image"
    if made == "xfs":
        # With smaller groups mkfs.xfs 6.1 writes a large file over the next group's header.
        made_xfs(path, root=root, mebibytes=96)
    else:
        made_ext(path, made, root=root, mebibytes=24)
    assert check(path, run).clean is True


def test_a_single_group_is_no_fault(tmp_path: Path) -> None:
    path = made_xfs(tmp_path / "image", "-d", "agcount=1")
    assert check(path, run).clean is True


@pytest.mark.parametrize("name", [name for name in RECORDED if "ext" in name])
def test_a_damaged_ext_is_found_out(name: str, tmp_path: Path) -> None:
    """A directory's block is overwritten, wherever it lies: at home or in the journal."""
    path = recorded_file(name, tmp_path)
    raw = path.read_bytes()
    begins = raw.index(b"a-name-of-some-length-00000") // 1024 * 1024
    path.write_bytes(raw[:begins] + b"\xff" * 1024 + raw[begins + 1024 :])
    found = check(path, run)
    assert found.clean is False
    assert found.detail


@pytest.mark.parametrize("name", ["xfs-forms", "xfs-live"])
def test_a_damaged_xfs_is_found_out(name: str, tmp_path: Path) -> None:
    """Also a live one: what is excused there is no excuse for this."""
    path = recorded_file(name, tmp_path)
    raw = path.read_bytes()
    with FileSource(path) as source:
        log = Log(source, parse(source.read(0, LARGEST_SECTOR)))
    at = raw.index(b"a-name-of-some-length-01999")
    while log.start <= at < log.start + log.length:
        at = raw.index(b"a-name-of-some-length-01999", at + 1)
    path.write_bytes(raw[:at] + b"A-NAME" + raw[at + 6 :])
    assert check(path, run).clean is False
