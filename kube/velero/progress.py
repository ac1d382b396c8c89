"""How a backup or restore under way is told: each phase at once, its counts now and then."""

from collections.abc import Callable

from kube.client import Clock

SECONDS = 10.0
"""Between two counts of one phase: Velero writes a new one each second, for as long as it takes."""


def text(phase: str, done: int, total: int) -> str:
    """Such as "InProgress, 4 of 9 items"; `phase` is "" before Velero looked at it."""
    return (phase or "New") + (f", {done} of {total} items" if total else "")


class Told:
    """Hands on what is new: a phase, the first count in it, and then one every ten seconds."""

    def __init__(self, say: Callable[[str], None], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._text = ""
        self._last = ("", False)
        self._at = 0.0

    def __call__(self, told: str) -> None:
        phase, comma, _ = told.partition(",")
        state, now = (phase, bool(comma)), self._clock.now()
        same, self._text = told == self._text, told
        if not same and (state != self._last or now - self._at >= SECONDS):
            self._last, self._at = state, now
            self._say(told)
