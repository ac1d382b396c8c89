"""Child processes that never outlive this one, not even when it is killed.

Each child leads a process group of its own, so that ending it ends what it started. A reaper, one
small process, holds a pipe from here: when the pipe closes because this process is gone, it ends
the groups that are left.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from functools import partial
from typing import IO

# Time for a command's own clean-up (`trap`) before it is killed.
GRACE_SECONDS = 5.0

_REAPER = f"""
import os, signal, sys, time
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
def end(number):
    for group in groups:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            pass
if groups:
    end(signal.SIGTERM)
    time.sleep({GRACE_SECONDS})
    end(signal.SIGKILL)
"""


class Child:
    """A started program with its output as streams. `returncode` is None while it runs."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._handle, self._reap)
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()

    async def open_streams(self) -> None:
        for reader, pipe in (
            (self.stdout, self._process.stdout),
            (self.stderr, self._process.stderr),
        ):
            make = partial(asyncio.StreamReaderProtocol, reader)
            await asyncio.get_running_loop().connect_read_pipe(make, pipe)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def feed(self, data: bytes) -> None:
        """Write all of its stdin and close it; a program may leave it unread."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                await asyncio.to_thread(_write_all, self._process.stdin, data)

    async def wait(self) -> int:
        await self._ended.wait()
        return self._process.wait()

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self._process.wait()
        self._ended.set()


class ProcessGroups:
    """Starts children and ends them: all at `end_all`, one at `end`. Use from one event loop."""

    def __init__(self) -> None:
        self._reaper: subprocess.Popen[str] | None = None
        self._running: dict[int, Child] = {}
        self.ending = False

    async def start(
        self,
        argv: list[str],
        *,
        cwd: str | None,
        env: dict[str, str],
        stdin: bool,
        keep_open: tuple[int, ...] = (),
    ) -> Child:
        """Start a program with pipes and the open files `keep_open`.

        Raises OSError and ValueError as `subprocess` does.
        """
        self._start_reaper()
        # Not asyncio's own call: it comes back later than the program starts to run, and a plugin
        # killed in between would leave a program that the reaper has not heard of.
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=keep_open,
        )
        self._tell_reaper(f"+{process.pid}")
        child = Child(process)
        self._running[child.pid] = child
        await child.open_streams()
        return child

    def done(self, child: Child) -> None:
        """The child has ended by itself; what it left in the background on purpose lives on."""
        self._running.pop(child.pid, None)
        self._tell_reaper(f"-{child.pid}")

    async def end(self, child: Child) -> None:
        """Ask the child's group to end, then make it."""
        _signal_group(child.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), GRACE_SECONDS)
        except TimeoutError:
            _signal_group(child.pid, signal.SIGKILL)
            await child.wait()
        _signal_group(child.pid, signal.SIGKILL)
        self.done(child)

    async def end_all(self) -> None:
        self.ending = True
        await asyncio.gather(*(self.end(child) for child in list(self._running.values())))

    def _start_reaper(self) -> None:
        if self._reaper is None:
            self._reaper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _REAPER],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )

    def _tell_reaper(self, line: str) -> None:
        if self._reaper is not None and self._reaper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # the reaper was killed; nothing to tell
                self._reaper.stdin.write(line + "\n")
                self._reaper.stdin.flush()


def _write_all(pipe: IO[bytes], data: bytes) -> None:
    with pipe:
        pipe.write(data)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
