"""Work on many blocks at once, in bounded memory, for a caller that takes one result at a time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MEMORY_BYTES = 160 << 20
"""What all work under way may take together."""
POLL_SECONDS = 0.2
LEAVE_SECONDS = 2.0

# While the caller deals with one result, the workers need somewhere to put the next.
_SPARE = 4


class StoppedError(Exception):
    """Somebody asked the work to stop; what was done so far stands."""


@dataclass(frozen=True)
class Bounds:
    """How much is under way at once: `workers` threads, and `memory` bytes unless one task alone
    takes more."""

    workers: int
    memory: int = MEMORY_BYTES


def each(
    tasks: Iterable[T],
    work: Callable[[T], R],
    cost: Callable[[T], int],
    *,
    bounds: Bounds,
    stop: threading.Event,
    ordered: bool = False,
) -> Iterator[R]:
    """The results of `work` for every task, as they come, or in the order of the tasks.

    `cost`: bytes of memory a task takes until its result was taken. `tasks` are asked for in the
    caller's thread, and only as fast as results are taken; `work` runs in other threads.

    Raises what `work` raised, and StoppedError when `stop` is set.
    """
    crew: _Crew[T, R] = _Crew(work, bounds.workers, stop)
    window: _Window[T, R] = _Window(crew, bounds, ordered=ordered)
    try:
        for task in tasks:
            weight = cost(task)
            while window.is_full(weight):
                yield window.take()
            window.give(task, weight)
        while window.under_way:
            yield window.take()
    finally:
        crew.leave()


@dataclass(frozen=True)
class _Done(Generic[R]):
    """`error` in place of a result when the work raised."""

    number: int
    result: R | None
    error: BaseException | None


class _Crew(Generic[T, R]):
    """Threads that work on what they are given until they are told to leave.

    They are daemons: one that hangs in a dead connection must not keep an interrupted program
    alive. So the work may touch nothing that its caller closes.
    """

    def __init__(self, work: Callable[[T], R], most: int, stop: threading.Event) -> None:
        self._work = work
        self._most = max(1, most)
        self._stop = stop
        self._left = threading.Event()
        self._given: SimpleQueue[tuple[int, T] | None] = SimpleQueue()
        self._done: SimpleQueue[_Done[R]] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def give(self, number: int, task: T) -> None:
        self._given.put((number, task))
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._run, daemon=True)
            thread.start()
            self._threads.append(thread)

    def take(self) -> _Done[R]:
        """Whatever is done next. Raises StoppedError."""
        while not self._stop.is_set():
            try:
                return self._done.get(timeout=POLL_SECONDS)
            except Empty:
                continue
        raise StoppedError("stopped before the end")

    def leave(self) -> None:
        self._left.set()
        for _ in self._threads:
            self._given.put(None)
        deadline = time.monotonic() + LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (given := self._given.get()) is not None and not self._left.is_set():
            number, task = given
            try:
                done = _Done(number, self._work(task), None)
            except BaseException as error:  # noqa: BLE001  (raised again where it is taken)
                done = _Done(number, None, error)
            self._done.put(done)
            # Not held until the next task comes: a block is large.
            del given, task, done


class _Window(Generic[T, R]):
    """What was given and not yet taken."""

    def __init__(self, crew: _Crew[T, R], bounds: Bounds, *, ordered: bool) -> None:
        self._crew = crew
        self._bounds = bounds
        self._ordered = ordered
        self._weights: dict[int, int] = {}
        self._held = 0
        self._given = 0
        self._waiting: deque[int] = deque()
        self._early: dict[int, _Done[R]] = {}

    @property
    def under_way(self) -> int:
        return len(self._weights)

    def is_full(self, weight: int) -> bool:
        """Whether a task of this weight has to wait."""
        if not self._weights:
            return False
        most = self._bounds.workers + _SPARE
        return len(self._weights) >= most or self._held + weight > self._bounds.memory

    def give(self, task: T, weight: int) -> None:
        self._weights[self._given] = weight
        self._held += weight
        if self._ordered:
            self._waiting.append(self._given)
        self._crew.give(self._given, task)
        self._given += 1

    def take(self) -> R:
        """The next result. Raises what the work raised, and StoppedError."""
        done = self._in_turn(self._waiting.popleft()) if self._ordered else self._crew.take()
        self._held -= self._weights.pop(done.number)
        if done.error is not None:
            raise done.error
        return done.result  # type: ignore[return-value]  # None only where R allows it

    def _in_turn(self, number: int) -> _Done[R]:
        while number not in self._early:
            done = self._crew.take()
            self._early[done.number] = done
        return self._early.pop(number)
