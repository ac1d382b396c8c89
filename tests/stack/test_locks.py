"""A lock is removed only if it was taken on this host by a process that is gone."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stack import processes
from stack.errors import StackError
from stack.locks import Lock, Process, Standing, clear_stale, judge, read_locks, refusal

TAKEN = datetime(2026, 11, 21, 7, 5, 29, tzinfo=UTC)
BEFORE, AFTER = TAKEN - timedelta(seconds=1), TAKEN + timedelta(minutes=5)


def lock(path: Path = Path("lock.json"), host: str = "here", pid: int = 4711) -> Lock:
    return Lock(path, pid, "ann", host, TAKEN)


@pytest.mark.parametrize(
    ("host", "process", "expected"),
    [
        ("here", Process(BEFORE, "pulumi"), Standing.HELD),
        ("here", Process(TAKEN + timedelta(seconds=1), "pulumi"), Standing.HELD),
        ("here", None, Standing.STALE),
        ("here", Process(BEFORE, "pulumi", alive=False), Standing.STALE),
        ("here", Process(AFTER, "sshd"), Standing.STALE),
        # A clock that was stepped forward makes every start look late; an engine stays the holder.
        ("here", Process(AFTER, "pulumi"), Standing.HELD),
        # A process of another name that is old enough could be anything: leave it alone.
        ("here", Process(BEFORE, "python3"), Standing.HELD),
        ("elsewhere", None, Standing.ELSEWHERE),
        ("elsewhere", Process(BEFORE, "pulumi"), Standing.ELSEWHERE),
    ],
)
def test_standing_of_a_lock(host: str, process: Process | None, expected: Standing) -> None:
    assert judge(lock(host=host), "here", process) is expected


def write(directory: Path, name: str, **fields: object) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": 4711,
        "username": "ann",
        "hostname": "here",
        "timestamp": "2026-11-21T07:05:29.277240526Z",
        **fields,
    }
    file = directory / f"{name}.json"
    file.write_text(json.dumps(content))
    return file


def test_engine_lock_files_are_read_oldest_first(tmp_path: Path) -> None:
    write(tmp_path, "a", timestamp="2026-11-21T08:00:00+00:00", pid=2)
    write(tmp_path, "b", pid=1)
    found = read_locks(tmp_path)
    assert [each.pid for each in found] == [1, 2]
    assert found[0].holder == "ann@here (pid 1) since 2026-11-21T07:05:29Z"


def test_no_lock_folder_means_no_lock(tmp_path: Path) -> None:
    assert read_locks(tmp_path / "missing") == ()
    assert read_locks(None) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_unreadable_lock_is_named_with_its_cure(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(StackError, match=r"broken\.json cannot be read: .*remove it"):
        read_locks(tmp_path)


def test_stale_locks_are_removed_and_told(tmp_path: Path) -> None:
    file = write(tmp_path, "a")
    removed = clear_stale("dev", read_locks(tmp_path), "here", lambda _: None)
    assert [each.pid for each in removed] == [4711]
    assert not file.exists()


def test_one_held_lock_keeps_all_of_them(tmp_path: Path) -> None:
    stale, held = write(tmp_path, "a", pid=1), write(tmp_path, "b", pid=2)
    living = {2: Process(BEFORE, "pulumi")}
    with pytest.raises(StackError) as caught:
        clear_stale("dev", read_locks(tmp_path), "here", living.get)
    assert str(caught.value) == (
        "stack dev is locked by ann@here (pid 2) since 2026-11-21T07:05:29Z: "
        "wait until that run has ended, or interrupt it there"
    )
    assert caught.value.code == 1
    assert stale.exists()
    assert held.exists()


def test_a_lock_of_another_host_is_left_with_its_cure(tmp_path: Path) -> None:
    file = write(tmp_path, "a", hostname="elsewhere")
    with pytest.raises(StackError, match="when process 4711 is gone there, run `pulumi cancel"):
        clear_stale("dev", read_locks(tmp_path), "here", lambda _: None)
    assert file.exists()


def test_a_lock_taken_after_the_look_survives(tmp_path: Path) -> None:
    write(tmp_path, "a")
    seen = read_locks(tmp_path)
    fresh = write(tmp_path, "b", pid=2)
    clear_stale("dev", seen, "here", lambda _: None)
    assert fresh.exists()


def test_refusal_is_one_line() -> None:
    assert "\n" not in refusal("dev", lock(), Standing.HELD)


def test_look_sees_this_process_and_not_an_ended_one() -> None:
    found = processes.look(os.getpid())
    assert found is not None
    assert found.alive
    assert abs(datetime.now(UTC) - found.started) < timedelta(days=1)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert processes.look(child.pid) is None


def test_look_calls_an_unreaped_child_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()  # ends with the process, which nobody has waited for yet
        found = processes.look(child.pid)
        while found is not None and found.alive:
            found = processes.look(child.pid)
        assert found is not None
        lock_of_it = Lock(Path("x"), child.pid, "ann", socket.gethostname(), datetime.now(UTC))
        assert judge(lock_of_it, socket.gethostname(), found) is Standing.STALE


def test_without_proc_an_existing_process_keeps_its_lock(tmp_path: Path) -> None:
    found = processes.look(os.getpid(), proc=tmp_path)
    assert found is not None
    assert judge(lock(pid=os.getpid()), "here", found) is Standing.HELD
