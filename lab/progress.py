"""Progress on stderr: one line per job, in place on a terminal, every 15 seconds elsewhere."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

PLAIN_INTERVAL = 15.0
TERMINAL_INTERVAL = 1.0


class Progress:
    """Shows which of `total` jobs run, how long each has run, and how many are done.

    `clock` gives seconds. Use as a context manager; `begin` and `end` may come from any thread.
    """

    def __init__(
        self,
        total: int,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        terminal: bool | None = None,
    ) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty() if terminal is None else terminal
        self._running: dict[str, tuple[float, str]] = {}
        self._done = 0
        self._drawn = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._erase()

    def begin(self, job: str, doing: str) -> None:
        """`job` has started; `doing` says what it does, such as "building"."""
        with self._lock:
            self._running[job] = (self._clock(), doing)
            if not self._terminal:
                self._line(f"{job}: {doing}")
            self._draw()

    def end(self, job: str, result: str) -> float:
        """`job` is done; returns its seconds."""
        with self._lock:
            started, _ = self._running.pop(job)
            seconds = self._clock() - started
            self._done += 1
            self._erase()
            self._line(f"{job}: {result} after {seconds:.0f} s")
            self._draw()
        return seconds

    def report(self) -> None:
        """One line for each running job, now."""
        with self._lock:
            if self._terminal:
                self._draw()
                return
            for line in self._lines():
                self._stream.write(line + "\n")
            self._stream.flush()

    def _tick(self) -> None:
        interval = TERMINAL_INTERVAL if self._terminal else PLAIN_INTERVAL
        while not self._stop.wait(interval):
            self.report()

    def _lines(self) -> list[str]:
        now = self._clock()
        return [
            f"[{self._done}/{self._total}] {job}: {doing}, {now - started:.0f} s"
            for job, (started, doing) in self._running.items()
        ]

    def _line(self, text: str) -> None:
        self._stream.write(f"[{self._done}/{self._total}] {text}\n")
        self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
            self._stream.flush()
            self._drawn = 0

    def _draw(self) -> None:
        if not self._terminal:
            return
        self._erase()
        lines = self._lines()
        self._stream.write("".join(line + "\n" for line in lines))
        self._stream.flush()
        self._drawn = len(lines)
