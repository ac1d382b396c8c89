"""Writes past what the kernel keeps of files, and the usual way where that cannot be."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.backupstore import direct
from drills.backupstore.direct import ALIGNED, AT_ONCE, LEAST_BYTES, DirectWriter
from tests.support.open_files import open_files

LARGE = 9 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def descriptor(path: Path) -> Iterator[int]:
    found = os.open(path, os.O_RDWR | os.O_CREAT)
    yield found
    # Still open, whatever the writer did.
    os.close(found)


def written(writer: DirectWriter, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        done = writer.write(view, offset)
        view, offset = view[done:], offset + done
    writer.settle()


@pytest.mark.parametrize(
    ("offset", "length", "kept"),
    [
        (0, LARGE, 0),
        (ALIGNED, LEAST_BYTES, 0),
        (0, LEAST_BYTES - ALIGNED, LEAST_BYTES - ALIGNED),
        (512, LEAST_BYTES, LEAST_BYTES),
        (0, LEAST_BYTES + 512, LEAST_BYTES + 512),
    ],
)
def test_whole_pieces_go_to_the_disk_and_others_the_usual_way(
    path: Path, descriptor: int, offset: int, length: int, kept: int
) -> None:
    if direct.opened(descriptor) is None:
        pytest.skip("the file system of temporary files has no O_DIRECT")
    content, writer = os.urandom(length), DirectWriter(descriptor)
    written(writer, content, offset)
    assert writer.kept == kept
    assert path.read_bytes() == bytes(offset) + content


def test_both_ways_meet_in_one_file(path: Path, descriptor: int) -> None:
    """What is read in between is what was written last, whichever way it went."""
    content, writer = os.urandom(LARGE), DirectWriter(descriptor)
    for start in range(0, LARGE, LEAST_BYTES * 3 // 2 + ALIGNED):
        end = start + LEAST_BYTES * 3 // 2 + ALIGNED
        written(writer, content[start : start + LEAST_BYTES], start)
        written(writer, content[start + LEAST_BYTES : end - 100], start + LEAST_BYTES)
        written(writer, content[end - 100 : end], end - 100)
        assert os.pread(descriptor, LARGE, 0) == content[:end]
    written(writer, content[::-1], 0)
    assert path.read_bytes() == content[::-1]


def test_the_file_is_written_whatever_its_name_is_by_now(path: Path, descriptor: int) -> None:
    moved = path.rename(path.with_name("other"))
    written(DirectWriter(descriptor), b"\1" * LEAST_BYTES, 0)
    assert (path.exists(), moved.read_bytes()) == (False, b"\1" * LEAST_BYTES)


def test_a_file_system_without_it_is_written_the_usual_way(
    path: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "open", refuse)
    writer = DirectWriter(descriptor)
    monkeypatch.undo()
    written(writer, b"\1" * LARGE, 0)
    assert (writer.kept, path.read_bytes()) == (LARGE, b"\1" * LARGE)


def refusing(monkeypatch: pytest.MonkeyPatch, usual: int, error: int) -> list[int]:
    """Whatever is not written to the descriptor `usual` is refused; a list of how often."""
    real, asked = os.pwrite, list[int]()

    def pwrite(descriptor: int, content: memoryview, offset: int) -> int:
        if descriptor != usual:
            asked.append(descriptor)
            raise OSError(error, os.strerror(error))
        return real(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    return asked


def test_one_that_takes_the_flag_and_not_the_write_is_asked_once(
    path: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = DirectWriter(descriptor)
    asked = refusing(monkeypatch, descriptor, errno.EINVAL)
    written(writer, b"\1" * LARGE, 0)
    # What was under way by then was refused as well.
    assert 1 <= len(asked) <= AT_ONCE
    written(writer, b"\2" * LARGE, 0)
    assert len(asked) <= AT_ONCE
    assert path.read_bytes() == b"\2" * LARGE


def test_a_disk_that_is_full_is_told(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = DirectWriter(descriptor)
    refusing(monkeypatch, descriptor, errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        written(writer, b"\1" * LARGE, 0)
    writer.close()


def test_the_last_write_is_told_by_settle(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = DirectWriter(descriptor)
    refusing(monkeypatch, descriptor, errno.ENOSPC)
    assert writer.write(memoryview(bytes(LEAST_BYTES)), 0) == LEAST_BYTES
    with pytest.raises(OSError, match="No space left"):
        writer.settle()
    # Told once; nothing else is under way.
    writer.settle()


def test_what_a_disk_takes_in_part_is_written_whole(
    path: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, content = os.pwrite, os.urandom(LARGE)

    def some(to: int, given: memoryview, offset: int) -> int:
        return real(to, given[: max(1, len(given) // 3)], offset)

    monkeypatch.setattr(os, "pwrite", some)
    written(DirectWriter(descriptor), content, 0)
    assert path.read_bytes() == content


def test_close_waits_for_what_is_under_way(
    path: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, writer = os.pwrite, DirectWriter(descriptor)

    def slow(to: int, given: memoryview, offset: int) -> int:
        time.sleep(0.2)
        return real(to, given, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    writer.write(memoryview(b"\1" * LEAST_BYTES), 0)
    writer.close()
    assert path.read_bytes() == b"\1" * LEAST_BYTES


def test_only_what_it_opened_is_closed(descriptor: int) -> None:
    before = open_files()
    writer = DirectWriter(descriptor)
    writer.close()
    writer.close()
    assert open_files() == before
    os.fstat(descriptor)
