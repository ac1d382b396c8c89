"""Many at once, in bounds: order, memory, errors, and being stopped."""

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from drills.backupstore import parallel
from drills.backupstore.parallel import Bounds, StoppedError, each

MOST = 4
SPARE = 4


def never() -> threading.Event:
    return threading.Event()


def doubled(numbers: Iterator[int], *, ordered: bool = False, workers: int = MOST) -> Iterator[int]:
    return each(
        numbers, lambda one: 2 * one, lambda _: 1,
        bounds=Bounds(workers), stop=never(), ordered=ordered,
    )  # fmt: skip


def test_every_task_has_its_result_in_any_order() -> None:
    assert sorted(doubled(iter(range(100)))) == list(range(0, 200, 2))
    assert list(doubled(iter([]))) == []


def test_in_order_though_the_first_is_done_last() -> None:
    later_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert later_done.wait(10)
        if number == 3:
            later_done.set()
        return number

    found = each(range(8), work, lambda _: 1, bounds=Bounds(MOST), stop=never(), ordered=True)
    assert list(found) == list(range(8))


@pytest.mark.parametrize("ordered", [False, True])
def test_tasks_are_taken_only_as_fast_as_results_are(*, ordered: bool) -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    found = doubled(tasks(), ordered=ordered)
    assert len(list(islice(found, 10))) == 10
    assert len(taken) <= 10 + MOST + SPARE + 1
    found.close()  # type: ignore[attr-defined]


def test_no_more_at_once_than_workers_nor_than_memory_holds() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    both = threading.Barrier(2)

    def work(_number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(10)
        with lock:
            running -= 1

    # Two fit into the memory, so that the barrier opens, and three do not.
    bounds = Bounds(workers=MOST, memory=25)
    assert len(list(each(range(10), work, lambda _: 10, bounds=bounds, stop=never()))) == 10
    assert most == 2


def test_a_task_that_is_larger_than_the_memory_runs_alone() -> None:
    bounds = Bounds(workers=MOST, memory=5)
    found = each(range(3), lambda one: one, lambda _: 10, bounds=bounds, stop=never())
    assert list(found) == [0, 1, 2]


@pytest.mark.parametrize("ordered", [False, True])
def test_what_the_work_raises_is_raised(*, ordered: bool) -> None:
    def work(number: int) -> int:
        if number == 5:
            raise KeyError(number)
        return number

    found = each(range(50), work, lambda _: 1, bounds=Bounds(2), stop=never(), ordered=ordered)
    with pytest.raises(KeyError):
        list(found)


def test_what_the_tasks_raise_is_raised() -> None:
    def tasks() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    with pytest.raises(KeyError):
        list(doubled(tasks()))


def test_a_stop_ends_the_wait_for_work_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "LEAVE_SECONDS", 0.0)
    stop, hang = threading.Event(), threading.Event()

    def work(_number: int) -> None:
        stop.set()
        hang.wait(30)

    with pytest.raises(StoppedError):
        list(each(range(5), work, lambda _: 1, bounds=Bounds(1), stop=stop))
    hang.set()


def test_who_leaves_early_leaves_no_threads_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "LEAVE_SECONDS", 30.0)
    before = set(threading.enumerate())
    found = doubled(iter(range(1000)))
    assert next(found) % 2 == 0
    found.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before
