"""One line on stderr about how far something is: in place on a terminal, now and then elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from drills.backupstore.by_hand.words import sized

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 30.0
_ERASE = "\r\x1b[K"
# Before that, a rate says more about the first connections than about the rest.
_SETTLED_SECONDS = 2.0


class ProgressLine:
    """Shows bytes done; use as a context manager, which takes the line away at the end.

    `clock` gives seconds.
    """

    def __init__(
        self, what: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._began = self._shown = clock()
        self._first: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal:
            self._stream.write(_ERASE)
            self._stream.flush()

    def show(self, done: int, whole: int) -> None:
        """`done` of `whole` bytes; 0 of them where nobody knows how many there are."""
        # What was there before the first call was not done now.
        self._first = done if self._first is None else self._first
        now = self._clock()
        if now - self._shown < (TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS):
            return
        self._shown = now
        text = self._text(done, whole, now - self._began)
        self._stream.write(_ERASE + text if self._terminal else text + "\n")
        self._stream.flush()

    def _text(self, done: int, whole: int, seconds: float) -> str:
        parts = [f"{sized(done)} of {sized(whole)}" if whole else sized(done)]
        if whole:
            parts.insert(0, f"{done * 100 // whole} %")
        fresh = done - (self._first or 0)
        if fresh and seconds > _SETTLED_SECONDS:
            rate = fresh / seconds
            parts.append(f"{sized(int(rate))}/s")
            if whole:
                parts.append(f"{_span((whole - done) / rate)} left")
        return f"{self._what}: {', '.join(parts)}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
