"""Readers that die, hang, or answer what no reader answers: their blocks are read here."""

import threading
import time
from collections.abc import Iterator

import pytest

from drills.backupstore.one_block import Block, Wanted
from drills.backupstore.parallel import StoppedError
from drills.backupstore.readers import process
from drills.backupstore.readers.processes import Processes, processes_for
from drills.backupstore.records import Compression
from drills.backupstore.s3_objects import Recipe
from tests.drills.backupstore.readers.watched import Watched, fake, is_gone
from tests.drills.backupstore.samples import genuine
from tests.support.open_files import open_files

WANTED = Wanted("ab" * 32, Compression.LZ4, 4096)
OWN = Block(bytes(4096), 100)
READY = "answer(0, 0)\n"

FALSE = {
    "dies at once": "sys.exit(1)",
    "says something else first": "answer(1, 5); time.sleep(60)",
    "dies when it is asked": READY + "asked(); sys.exit(1)",
    "another number": READY + "answer(asked() + 1, 5); time.sleep(60)",
    "more than a block": READY + "answer(asked(), 1 << 40); time.sleep(60)",
    "no packet": READY + "asked(); packets.send(b'what?'); time.sleep(60)",
    "no content": READY + "answer(asked(), 5); time.sleep(60)",
    "no answer": READY + "asked(); time.sleep(60)",
}


def here(_wanted: Wanted) -> Block:
    return OWN


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() == before


@pytest.mark.parametrize("does", FALSE.values(), ids=FALSE.keys())
def test_a_false_reader_is_dropped(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, does: str
) -> None:
    fake(monkeypatch, does)
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.3)
    # With one thread in each process: the fake serves one.
    watched = Watched(recipe, "pvc-data", 2, threading.Event())
    assert [watched.read(WANTED, here, content=True) for _ in range(5)] == [OWN] * 5
    assert watched.elsewhere == watched.left == 0
    watched.close()
    assert all(map(is_gone, watched.pids))


def test_what_a_reader_could_not_have_is_read_here_and_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    fake(monkeypatch, READY + "answer(asked(), 0)\nanswer(asked(), 7)\ntime.sleep(60)")
    watched = Watched(recipe, "pvc-data", 2, threading.Event())
    assert watched.read(WANTED, here, content=False) == OWN
    assert watched.read(WANTED, here, content=False) == Block(b"", 7)
    assert (watched.elsewhere, watched.left) == (1, 1)
    watched.close()


@pytest.mark.parametrize("ends", ["stop", "close"])
def test_a_reader_that_hangs_holds_up_no_end(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, ends: str
) -> None:
    fake(monkeypatch, READY + "time.sleep(60)")
    stop = threading.Event()
    watched = Watched(recipe, "pvc-data", 2, stop)
    ending = threading.Timer(0.3, stop.set if ends == "stop" else watched.close)
    ending.start()
    begun = time.monotonic()
    with pytest.raises(StoppedError):
        watched.read(WANTED, here, content=True)
    assert time.monotonic() - begun < 30
    ending.join()
    watched.close()
    with pytest.raises(StoppedError):
        watched.read(WANTED, here, content=True)
    assert all(map(is_gone, watched.pids))


def test_one_that_never_gets_ready_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    fake(monkeypatch, "time.sleep(60)")
    monkeypatch.setattr("drills.backupstore.readers.shares.cores", lambda: 2)
    monkeypatch.setattr("drills.backupstore.readers.processes.START_BYTES", 1)
    processes = Processes(recipe, "pvc-data", 2, threading.Event())
    assert processes.read(WANTED, here, content=True) == OWN
    deadline = time.monotonic() + 10
    while not processes._started and time.monotonic() < deadline:
        time.sleep(0.01)
    pid = processes._started[0].pid
    assert processes.read(WANTED, here, content=True) == OWN
    processes.close()
    assert is_gone(pid)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(5)


def test_without_a_process_all_is_read_here(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    monkeypatch.setattr("drills.backupstore.readers.process.sys.executable", "/nowhere/python")
    watched = Watched(recipe, "pvc-data", 2, threading.Event())
    assert watched.pids == []
    assert watched.read(WANTED, here, content=True) == OWN
    watched.close()


def test_one_core_one_thread_and_a_folder_have_no_processes(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    stop = threading.Event()
    bucket = recipe.open(1)
    monkeypatch.setattr("drills.backupstore.readers.shares.cores", lambda: 2)
    assert processes_for(bucket, "pvc-data", 2, stop) is not None
    assert processes_for(bucket, "pvc-data", 1, stop) is None
    assert processes_for(genuine().objects, "pvc-data", 6, stop) is None
    monkeypatch.setattr("drills.backupstore.readers.shares.cores", lambda: 1)
    assert processes_for(bucket, "pvc-data", 6, stop) is None


def test_the_next_reader_is_the_one_with_the_least_to_do(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    fake(monkeypatch, READY + "time.sleep(60)")
    watched = Watched(recipe, "pvc-data", 6, threading.Event(), 3)
    taken = [watched._taken_place(WANTED, content=True) for _ in range(5)]
    where = [found[0].pid if found else 0 for found in taken]
    assert where[0] != where[1]
    assert [where.count(pid) for pid in (*watched.pids, 0)] == [2, 2, 1]
    for found in taken:
        watched._leave(found)
    watched.close()


def test_large_blocks_wait_for_room(monkeypatch: pytest.MonkeyPatch, recipe: Recipe) -> None:
    fake(monkeypatch, READY + "time.sleep(60)")
    large = WANTED._replace(block_size=16 << 20)
    stop = threading.Event()
    watched = Watched(recipe, "pvc-data", 6, stop)
    taken = [watched._taken_place(large, content=True) for _ in range(2)]
    assert [found is None for found in taken] == [False, True]
    freeing = threading.Timer(0.2, watched._leave, [taken[0]])
    freeing.start()
    assert watched._taken_place(large, content=True) is not None
    stop.set()
    with pytest.raises(StoppedError):
        watched._taken_place(large, content=True)
    for found in taken:
        watched._leave(found)
    freeing.join()
    watched.close()


def test_without_readers_there_is_room_for_more_here(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    fake(monkeypatch, "sys.exit(1)")
    large = WANTED._replace(block_size=16 << 20)
    watched = Watched(recipe, "pvc-data", 6, threading.Event())
    assert [watched._taken_place(large, content=True) for _ in range(2)] == [None, None]
    watched.close()
