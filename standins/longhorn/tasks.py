"""What takes long: at most a few at a time, each only once, some of them alone with a volume."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

# What nobody foresaw is not tried again at once, for it would fail again.
FAILED_SECONDS = 10.0

log = logging.getLogger("longhorn-stand-in")

Work = Callable[[], None]


class Tasks:
    """Runs work in threads. `changed` is set when a piece has ended."""

    def __init__(
        self, workers: int, changed: threading.Event, pause: float = FAILED_SECONDS
    ) -> None:
        """`pause`: seconds for which a piece that failed counts as running."""
        self._pool = ThreadPoolExecutor(workers)
        self._changed = changed
        self._pause = pause
        self._mutex = threading.Lock()
        self._running: dict[str, str] = {}

    def start(self, key: str, work: Work, alone: str = "") -> bool:
        """Starts it unless it runs already, or another piece that is alone with the same thing.

        Whether it was started. A piece that fails is logged and may be started again.
        """
        with self._mutex:
            if key in self._running or (alone and alone in self._running.values()):
                return False
            self._running[key] = alone
        self._pool.submit(self._run, key, work)
        return True

    def runs(self, key: str) -> bool:
        with self._mutex:
            return key in self._running

    def _run(self, key: str, work: Work) -> None:
        try:
            work()
        except Exception:
            # Whatever it was, a later turn finds the objects as they are and begins again.
            log.exception("%s failed", key)
            time.sleep(self._pause)
        finally:
            with self._mutex:
                del self._running[key]
            self._changed.set()
