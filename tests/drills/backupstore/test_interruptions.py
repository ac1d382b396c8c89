"""A restore that is interrupted anywhere: nothing looks finished, and the next one goes on."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drills.backupstore.direct import AT_ONCE
from drills.backupstore.errors import BackupStoreError
from drills.backupstore.parallel import StoppedError
from drills.backupstore.part_file import TargetError, journal_of, part_of
from drills.backupstore.rebuild import rebuild
from s3.errors import Cause, StoreError
from tests.drills.backupstore.interfered import Act, at, away, interfered, nothing, raising
from tests.drills.backupstore.samples import chain, store_in

BLOCKS = 4
"""That backup-3 lists."""


@pytest.fixture
def truth(tmp_path: Path) -> str:
    _, put = store_in(tmp_path / "store")
    return chain(put)[1]["backup-3"]


def restored(folder: Path, act: Act = nothing, stop: threading.Event | None = None) -> int:
    """How many blocks were there from before; one worker, so that steps have an order."""
    store, _ = interfered(folder / "store", act)
    volume = store.volume("pvc-data")
    backup = store.backup(volume, "backup-3")
    target = folder / "image"
    return rebuild(
        store, volume, backup, target, workers=1, stop=stop, waits=(), digest=False
    ).resumed_blocks


def goes_on(folder: Path, truth: str) -> int:
    """Restores without a fault; how many blocks were there from before."""
    target = folder / "image"
    assert not target.exists()
    resumed = restored(folder)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == truth
    assert not part_of(target).exists()
    assert not journal_of(target).exists()
    target.unlink()
    return resumed


@pytest.mark.parametrize(
    "error",
    [away(), away(Cause.ACCESS_DENIED), KeyboardInterrupt(), MemoryError()],
    ids=["store gone", "access denied", "interrupted", "out of memory"],
)
@pytest.mark.parametrize("step", range(BLOCKS))
def test_at_every_block(tmp_path: Path, truth: str, error: BaseException, step: int) -> None:
    with pytest.raises(type(error)):
        restored(tmp_path, at(step, raising(error)))
    assert part_of(tmp_path / "image").exists() is (step > 0)
    assert goes_on(tmp_path, truth) == step


@pytest.mark.parametrize("step", range(BLOCKS))
def test_stopped_at_every_block(tmp_path: Path, truth: str, step: int) -> None:
    stop = threading.Event()
    with pytest.raises(StoppedError):
        restored(tmp_path, at(step, stop.set), stop)
    assert goes_on(tmp_path, truth) <= step + 1, "no more than the block that was under way"


def test_again_and_again(tmp_path: Path, truth: str) -> None:
    """Each attempt gets one block further, whatever ended the one before."""
    for done in range(BLOCKS):
        with pytest.raises(StoreError):
            restored(tmp_path, at(1, raising(away())))
        assert not (tmp_path / "image").exists()
        if done == BLOCKS - 2:
            break
    assert goes_on(tmp_path, truth) == BLOCKS - 1


class Disk:
    """Calls of the operating system, of which one fails."""

    def __init__(self, call: str, step: int, error: BaseException, monkeypatch: Any) -> None:
        self.calls = 0
        real = getattr(os, call)

        def failing(*words: Any, **more: Any) -> Any:
            self.calls += 1
            if self.calls == step + 1:
                raise error
            return real(*words, **more)

        monkeypatch.setattr(os, call, failing)


FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


@contextmanager
def failing(call: str, step: int, error: BaseException) -> Iterator[Disk]:
    with pytest.MonkeyPatch.context() as patched:
        yield Disk(call, step, error, patched)


def steps_of(folder: Path, call: str) -> int:
    """How often a restore without a fault makes a call."""
    with failing(call, -1, FULL) as disk:
        restored(folder)
    (folder / "image").unlink()
    return disk.calls


@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate"])
@pytest.mark.parametrize("error", [FULL, BROKEN, KeyboardInterrupt()], ids=["full", "eio", "int"])
def test_at_every_call_of_the_disk(
    tmp_path: Path, truth: str, call: str, error: BaseException
) -> None:
    steps = steps_of(tmp_path, call)
    assert steps >= 2
    for step in range(steps):
        expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else TargetError
        with pytest.raises(expected) as caught, failing(call, step, error):
            restored(tmp_path)
        if expected is TargetError:
            assert str(part_of(tmp_path / "image")) in str(caught.value)
            assert "run the same restore again" in str(caught.value)
        # The last fsync is that of the folder, when the whole file has its name.
        if (call, step) == ("fsync", steps - 1):
            image = tmp_path / "image"
            assert hashlib.sha256(image.read_bytes()).hexdigest() == truth
            image.unlink()
        else:
            goes_on(tmp_path, truth)


def test_a_full_disk_keeps_what_was_written(tmp_path: Path, truth: str) -> None:
    with pytest.raises(TargetError, match="No space left on device"), failing("pwrite", 2, FULL):
        restored(tmp_path)
    # Whatever was on its way beside the one that failed may have arrived.
    assert 2 <= goes_on(tmp_path, truth) <= 1 + AT_ONCE


def test_a_write_that_takes_half_is_gone_on_with(tmp_path: Path, truth: str) -> None:
    real = os.pwrite
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            os,
            "pwrite",
            lambda where, data, offset: real(where, data[: len(data) // 2 + 1], offset),
        )
        assert goes_on(tmp_path, truth) == 0


def test_a_rename_that_fails_leaves_the_whole_part(tmp_path: Path, truth: str) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise BROKEN

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        with pytest.raises(TargetError):
            restored(tmp_path)
    assert goes_on(tmp_path, truth) == BLOCKS


def test_what_the_progress_raises_ends_it_too(tmp_path: Path, truth: str) -> None:
    def watch(done: int, _all: int) -> None:
        if done == 2:
            raise BrokenPipeError

    store, _ = interfered(tmp_path / "store")
    volume = store.volume("pvc-data")
    backup = store.backup(volume, "backup-3")
    with pytest.raises(BrokenPipeError):
        rebuild(store, volume, backup, tmp_path / "image", workers=1, progress=watch)
    assert goes_on(tmp_path, truth) == 2


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_record_that_is_lost_leaves_nothing(
    tmp_path: Path, truth: str, harm: Callable[[Path], object]
) -> None:
    assert truth
    for path in (tmp_path / "store").rglob("volume.cfg"):
        harm(path)
    with pytest.raises(BackupStoreError):
        restored(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
