"""A copy shows a folder as it was at one moment, or says that it does not."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from standins.longhorn import copying
from standins.longhorn.copying import CopyError, copy_at_rest

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A second passes with every look at it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volume"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_text("first")
    (root / "link").symlink_to("folder/file")
    os.link(root / "folder" / "file", root / "hard")
    os.mkfifo(root / "pipe")
    with (root / "sparse").open("wb") as file:
        file.truncate(8 << 20)
    os.setxattr(root / "folder" / "file", "user.colour", b"blue")
    os.utime(root / "folder" / "file", ns=(1, 1_600_000_000_123_456_789))
    (root / "folder").chmod(0o2750)
    return root


def test_everything_is_copied(volume: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    copied = copy_at_rest(volume, target, clock=Clock(), sleep=lambda _: None)
    assert (copied.still, copied.moment) == (True, START + timedelta(seconds=1))
    assert (target / "folder" / "file").read_text() == "first"
    assert (target / "link").readlink() == Path("folder/file")
    assert (target / "hard").samefile(target / "folder" / "file")
    assert (target / "pipe").is_fifo()
    assert (target / "sparse").stat().st_blocks == 0
    assert os.getxattr(target / "folder" / "file", "user.colour") == b"blue"
    assert (target / "folder" / "file").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert (target / "folder").stat().st_mode & 0o7777 == 0o2750


def test_a_copy_during_which_something_changed_is_made_again(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copying._copied
    tries = []

    def busy(source: Path, target: Path) -> str:
        said = copy(source, target)
        tries.append(said)
        if len(tries) == 1:  # after its old content was copied
            (source / "folder" / "file").write_text("later")
        return said

    monkeypatch.setattr(copying, "_copied", busy)
    slept: list[float] = []
    copied = copy_at_rest(volume, tmp_path / "copy", clock=Clock(), sleep=slept.append)
    assert (len(tries), copied.still) == (2, True)
    assert copied.moment == START + timedelta(seconds=2)
    assert slept == [copying.PAUSES[0]]
    assert (tmp_path / "copy" / "folder" / "file").read_text() == "later"


def test_what_never_rests_is_copied_file_by_file(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copying._copied

    def restless(source: Path, target: Path) -> str:
        (source / "folder" / "file").write_text("again")
        return copy(source, target)

    monkeypatch.setattr(copying, "_copied", restless)
    copied = copy_at_rest(volume, tmp_path / "copy", clock=Clock(), sleep=lambda _: None)
    assert not copied.still
    assert (tmp_path / "copy" / "folder" / "file").read_text() == "again"


def test_what_is_never_whole_is_an_error(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_copied", lambda *_: "cp: cannot stat 'x'")
    with pytest.raises(CopyError, match="could not be copied whole"):
        copy_at_rest(volume, tmp_path / "copy", clock=Clock(), sleep=lambda _: None)


def test_a_volume_that_this_node_does_not_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CopyError, match="has no folder"):
        copy_at_rest(tmp_path / "none", tmp_path / "copy", clock=Clock(), sleep=lambda _: None)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "folder" / "file").write_text("other"),
        lambda root: (root / "folder" / "file").rename(root / "folder" / "moved"),
        lambda root: (root / "new").touch(),
        lambda root: (root / "pipe").unlink(),
        lambda root: (root / "folder" / "file").chmod(0o600),
        lambda root: os.setxattr(root / "folder" / "file", "user.colour", b"red"),
        lambda root: os.utime(root / "sparse", ns=(1, 1)),
    ],
    ids=["content", "rename", "new", "gone", "mode", "xattr", "times"],
)
def test_every_change_is_seen(volume: Path, change: object) -> None:
    before = copying.state(volume)
    assert before == copying.state(volume)
    assert callable(change)
    change(volume)
    assert copying.state(volume) != before


def test_what_vanishes_under_the_look_is_no_state(volume: Path) -> None:
    shutil.rmtree(volume)
    assert copying.state(volume) is None
