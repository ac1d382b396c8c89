"""All reader processes of one piece of work, and which block is read where."""

import threading
from collections.abc import Callable

from drills.backupstore.objects import Objects
from drills.backupstore.one_block import Block, Wanted
from drills.backupstore.parallel import MEMORY_BYTES, POLL_SECONDS, StoppedError
from drills.backupstore.readers import shares
from drills.backupstore.readers.process import LostError, Place, ReaderProcess
from drills.backupstore.s3_objects import Recipe, S3Objects

START_BYTES = 128 << 20
"""Of volume. A process takes 0.3 s to start, in which this one reads about as much."""

# A content that is handed over is held once on the way, and once by who asked.
_HANDED_COPIES = 2

Here = Callable[[Wanted], Block]
"""Reads a block in this process."""


def processes_for(
    objects: Objects, volume: str, workers: int, stop: threading.Event
) -> "Processes | None":
    """None where all blocks are read in this process: on one core, by one thread, and from what
    another process could not open."""
    if min(shares.cores(), workers) < 2 or not isinstance(objects, S3Objects):  # noqa: PLR2004
        return None
    return Processes(objects.recipe, volume, workers, stop)


class Processes:
    """Reads blocks here and in other processes; safe in threads.

    The others start once enough was read to make up for it. One that is lost is not missed: what it
    had under way, and what it would have read, is read here.
    """

    def __init__(self, recipe: Recipe, volume: str, workers: int, stop: threading.Event) -> None:
        """workers: blocks under way at most, in all processes together."""
        self._recipe = recipe
        self._volume = volume
        self._workers = workers
        self._stop = stop
        self._cores = shares.cores()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._seen = 0
        self._begun = False
        self._tried = False
        self._here = 0
        self._started: list[ReaderProcess] = []
        self._ready: list[ReaderProcess] = []

    def cost(self, wanted: Wanted, *, content: bool) -> int:
        """Bytes of parallel.MEMORY_BYTES while a block is read, wherever that is.

        More processes leave less of it, so that a block has a larger share.
        """
        taken = self._taken(wanted, content=content)
        left = shares.memory(shares.processes(self._cores, self._workers, taken))
        return taken * MEMORY_BYTES // left

    def read(self, wanted: Wanted, here: Here, *, content: bool) -> Block:
        """The block; without its content if that is not wanted and it was read elsewhere.

        Raises what `here` raises, and StoppedError.
        """
        found = self._taken_place(wanted, content=content)
        try:
            if found is not None:
                process, place = found
                block = self._asked(process, place, wanted, content=content)
                if block is not None:
                    return block
            return here(wanted)
        finally:
            self._leave(found)

    def close(self) -> None:
        """Ends all of them. Whatever is still asked for ends with StoppedError."""
        self._closed.set()
        with self._changed:
            started, self._started, self._ready = self._started, [], []
            self._changed.notify_all()
        for process in started:
            self._end(process)

    def _taken(self, wanted: Wanted, *, content: bool) -> int:
        return wanted.cost + (_HANDED_COPIES * wanted.block_size if content else 0)

    def _taken_place(self, wanted: Wanted, *, content: bool) -> tuple[ReaderProcess, Place] | None:
        """Where to read; None for here."""
        taken = self._taken(wanted, content=content)
        count = shares.processes(self._cores, self._workers, taken)
        with self._changed:
            self._seen += wanted.block_size
            if self._seen >= START_BYTES and count > 1 and not self._begun:
                self._begun = True
                threading.Thread(target=self._start, args=(count,), daemon=True).start()
            while not (self._closed.is_set() or self._stop.is_set()):
                found = self._free(count, taken)
                if found is not None:
                    return found
                if self._here < self._most_here(count, taken):
                    self._here += 1
                    return None
                self._changed.wait(POLL_SECONDS)
        raise StoppedError("stopped before a block was read")

    def _free(self, count: int, taken: int) -> tuple[ReaderProcess, Place] | None:
        """Call with the lock held."""
        most = shares.at_once(count, taken)
        free = [one for one in self._ready[: count - 1] if one.idle and one.busy < most]
        if not free:
            return None
        process = min(free, key=lambda one: one.busy)
        process.busy += 1
        return process, process.idle.pop()

    def _most_here(self, count: int, taken: int) -> int:
        """Call with the lock held. Room is left for readers as long as there may be any."""
        lost = self._tried and not self._started
        return shares.at_once(1 if lost else count, taken)

    def _leave(self, found: tuple[ReaderProcess, Place] | None) -> None:
        with self._changed:
            if found is None:
                self._here -= 1
            else:
                process, place = found
                process.busy -= 1
                if process in self._started:
                    process.idle.append(place)
                else:
                    place.close()
            self._changed.notify()

    def _asked(
        self, process: ReaderProcess, place: Place, wanted: Wanted, *, content: bool
    ) -> Block | None:
        """None if it has to be read here."""
        try:
            return place.ask(wanted, content=content, stop=self._stop)
        except LostError:
            self._drop(process)
            if self._closed.is_set() or self._stop.is_set():
                raise StoppedError("stopped while a reader was at work") from None
            return None
        except StoppedError:
            # Its answer may still come, to whoever would ask next.
            self._drop(process)
            raise

    def _start(self, count: int) -> None:
        """Runs in a thread of its own."""
        threads = shares.threads(count, self._workers)
        starting: list[ReaderProcess] = []
        for _ in range(count - 1):
            with self._changed:
                if self._closed.is_set():
                    break
                try:
                    process = ReaderProcess(self._recipe, self._volume, threads)
                except OSError:
                    break
                self._started.append(process)
            starting.append(process)
        with self._changed:
            self._tried = True
        for process in starting:
            try:
                places = process.greet(self._closed)
            except (LostError, StoppedError):
                self._drop(process)
                continue
            with self._changed:
                if process in self._started:
                    process.idle = places
                    self._ready.append(process)
                    self._changed.notify_all()
                    continue
            for place in places:
                place.close()

    def _drop(self, process: ReaderProcess) -> None:
        with self._changed:
            if process not in self._started:
                return
            self._started.remove(process)
            if process in self._ready:
                self._ready.remove(process)
        self._end(process)

    def _end(self, process: ReaderProcess) -> None:
        process.end()
        with self._changed:
            # Those that are in use are closed by who uses them.
            idle, process.idle = process.idle, []
        for place in idle:
            place.close()
