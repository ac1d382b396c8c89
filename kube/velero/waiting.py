"""Waits until something is so, over restarts of the API server and of the node below it."""

from collections.abc import Callable
from typing import TypeVar

from kube.client import Clock
from kube.errors import RETRIED, Cause, ClusterError

INTERVAL_SECONDS = 2.0
# An API server that has just started may know neither its roles nor its custom kinds yet.
_PASSING = RETRIED | {Cause.FORBIDDEN, Cause.MISSING}

T = TypeVar("T")


class TimeoutPassedError(Exception):
    """It did not become so in time. `last`: what the cluster said last, None if nothing wrong."""

    def __init__(self, last: ClusterError | None) -> None:
        super().__init__("" if last is None else str(last))
        self.last = last


def until(
    ask: Callable[[], T | None],
    clock: Clock,
    seconds: float,
    *,
    interval: float = INTERVAL_SECONDS,
    passing: frozenset[Cause] = _PASSING,
) -> T:
    """The first answer of `ask` that is not None. `passing`: refusals that are waited out.

    Raises:
        TimeoutPassedError: there was none within `seconds`.
        ClusterError: the cluster refuses for good.
    """
    deadline = clock.now() + seconds
    while True:
        last = None
        try:
            answer = ask()
            if answer is not None:
                return answer
        except ClusterError as error:
            if error.cause not in passing:
                raise
            last = error
        if clock.now() + interval > deadline:
            raise TimeoutPassedError(last)
        clock.sleep(interval)
