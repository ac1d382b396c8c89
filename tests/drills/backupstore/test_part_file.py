"""The file an image grows in: refusals before anything is written, and what stays afterwards."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from drills.backupstore import direct
from drills.backupstore.part_file import (
    WRITE_BEHIND,
    TargetError,
    journal_of,
    opened,
    part_of,
)

TEXT, SIZE = b"{}\n", 1 << 20


def refused(target: Path, says: str) -> None:
    with pytest.raises(TargetError, match=says) as caught, opened(target) as file:
        file.prepare(TEXT, SIZE, SIZE, [(0, SIZE)])
    assert str(target.parent) in str(caught.value)


def broken_off(target: Path, content: bytes) -> bool:
    """Whether a part file was gone on with that this leaves with content, if there is any."""
    resumed = False
    with suppress(KeyError), opened(target) as file:
        file.prepare(TEXT, SIZE, SIZE, [(0, 50)])
        resumed = file.resumed
        if content:
            file.write(content, 100)
        raise KeyError
    return resumed


def small_disk(patched: pytest.MonkeyPatch, mebibytes: int) -> None:
    room = SimpleNamespace(f_bavail=mebibytes, f_frsize=1 << 20)
    patched.setattr(os, "statvfs", lambda _: room)


def test_a_whole_file_takes_its_name_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "image"
    with opened(target) as file:
        file.prepare(TEXT, SIZE, SIZE, [])
        assert (part_of(target).exists(), journal_of(target).read_bytes()) == (True, TEXT)
        file.write(b"data", 100)
        assert not target.exists()
        file.finish()
    assert target.read_bytes() == bytes(100) + b"data" + bytes(SIZE - 104)
    assert list(tmp_path.iterdir()) == [target]


def test_what_was_written_stays_when_something_breaks(tmp_path: Path) -> None:
    target = tmp_path / "image"
    assert [broken_off(target, content) for content in (b"data", b"")] == [False, True]
    assert part_of(target).read_bytes()[100:104] == b"data"
    assert not target.exists()


def test_nothing_stays_where_nothing_was_written(tmp_path: Path) -> None:
    broken_off(tmp_path / "image", b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder", "broken link"])
def test_a_target_that_exists_is_refused(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "image"
    if kind == "file":
        target.write_bytes(b"")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    refused(target, "exists and is not overwritten; remove it, or give another one")
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none" / "image", "cannot be made .No such file or directory.")


def test_a_part_file_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "image"
    (tmp_path / "precious").write_bytes(b"precious")
    part_of(target).symlink_to("precious")
    refused(target, "cannot be made")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_part_file_that_is_none_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "image"
    os.mkfifo(part_of(target))
    refused(target, "is no regular file")
    assert part_of(target).exists()


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_disk(monkeypatch, 100)
    target = tmp_path / "image"
    with pytest.raises(TargetError) as caught, opened(target) as file:
        file.prepare(TEXT, 1 << 30, 90 << 20, [])
    assert str(caught.value) == (
        f"{tmp_path} has 100 MiB free, and the image may take 90 MiB more; make room, or restore "
        "to another disk"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_takes_nothing_from_an_earlier_restore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "image"
    broken_off(target, b"data")
    small_disk(monkeypatch, 1)
    with pytest.raises(TargetError, match="make room"), opened(target) as file:
        file.prepare(b"another backup", SIZE, SIZE, [])
    assert part_of(target).read_bytes()[100:104] == b"data"
    assert journal_of(target).read_bytes() == TEXT


def test_what_a_part_file_takes_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "image"
    broken_off(target, b"\1" * (SIZE - 100))
    small_disk(monkeypatch, 17)
    with opened(target) as file:
        file.prepare(TEXT, SIZE, SIZE, [])
        assert file.resumed
        file.finish()


def test_a_file_that_was_renamed_while_it_was_opened_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "image"
    opens = os.open

    def finished_by_another(path: Path, flags: int, mode: int = 0o777) -> int:
        found = opens(path, flags, mode)
        if path == part_of(target):
            path.rename(tmp_path / "elsewhere")
        return found

    monkeypatch.setattr(os, "open", finished_by_another)
    refused(target, "another restore is writing")


def test_the_lock_goes_with_the_file(tmp_path: Path) -> None:
    target = tmp_path / "image"
    with opened(target) as file:
        file.prepare(TEXT, SIZE, SIZE, [])
        refused(target, "another restore is writing")
        # Who was refused has taken nothing away.
        assert (part_of(target).exists(), journal_of(target).exists()) == (True, True)
        file.finish()
    target.unlink()
    with opened(target) as file:
        file.prepare(TEXT, SIZE, SIZE, [])
        file.finish()
    assert target.exists()


def test_the_disk_begins_while_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, *ask: begun.append(ask[:2]))
    monkeypatch.setattr(direct, "opened", lambda _: None)
    size = 3 * WRITE_BEHIND
    with opened(tmp_path / "image") as file:
        file.prepare(TEXT, size, size, [])
        for offset in range(0, size, WRITE_BEHIND // 4):
            file.write(b"\1" * (WRITE_BEHIND // 4), offset)
        file.finish()
    assert begun == [(0, 0)] * 3


def test_a_file_system_without_advice_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    monkeypatch.setattr(direct, "opened", lambda _: None)
    with opened(tmp_path / "image") as file:
        file.prepare(TEXT, WRITE_BEHIND, WRITE_BEHIND, [])
        file.write(b"\1" * WRITE_BEHIND, 0)
        file.finish()
    assert (tmp_path / "image").read_bytes() == b"\1" * WRITE_BEHIND


def test_the_digest_is_of_the_file(tmp_path: Path) -> None:
    with opened(tmp_path / "image") as file:
        file.prepare(TEXT, 4, 4, [])
        file.write(b"data", 0)
        assert file.read(10, 1) == b"ata"
        assert file.sha256(4, threading.Event()).startswith("3a6eb0790f39ac87")
