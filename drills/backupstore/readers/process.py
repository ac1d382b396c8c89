"""One reader process, as seen from who asks it."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from drills.backupstore.one_block import Block, Wanted
from drills.backupstore.parallel import POLL_SECONDS, StoppedError
from drills.backupstore.readers import greeting
from drills.backupstore.readers.frames import (
    MOST_BYTES,
    FrameError,
    Request,
    decode_answer,
    encode_request,
)
from drills.backupstore.readers.greeting import Greeting
from drills.backupstore.s3_objects import Recipe
from s3.client import CONNECT_SECONDS, READ_SECONDS, RETRY_AFTER_SECONDS

ROOT = Path(__file__).resolve().parents[3]
ATTEMPTS = 4
ANSWER_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS + RETRY_AFTER_SECONDS)
"""A reader whose store is silent says so by then (see s3.client.connection_pool)."""

# What Python and its libraries need to start; credentials may stand in the others.
_KEPT = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH"})
_PYTHON = "PYTHON"


class LostError(Exception):
    """The process is gone, hangs, or answers what no reader answers."""


class Place:
    """One thread of a reader process, which reads one block at a time."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._packets, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._memory = os.memfd_create("block", os.MFD_CLOEXEC)
        except OSError:
            self._packets.close()
            self._theirs.close()
            raise
        self._packets.settimeout(POLL_SECONDS)
        self._number = 0

    @property
    def descriptors(self) -> tuple[int, int]:
        """The socket and the memory, as the process gets them."""
        return self._theirs.fileno(), self._memory

    def handed_over(self) -> None:
        """The process has its end, so that its death is seen at this one."""
        self._theirs.close()

    def await_ready(self, stop: threading.Event) -> None:
        """Raises LostError, StoppedError."""
        self._answer(None, stop, float("inf"))

    def ask(self, wanted: Wanted, *, content: bool, stop: threading.Event) -> Block | None:
        """The block (b"" for a content that is not wanted); None if the reader could not have it.

        Raises LostError, and StoppedError when `stop` is set.
        """
        self._number += 1
        request = Request(self._number, wanted, content)
        try:
            self._packets.send(encode_request(request))
        except OSError:
            raise LostError from None
        stored = self._answer(request, stop, time.monotonic() + ANSWER_SECONDS)
        if not stored:
            return None
        return Block(self._content(wanted.block_size) if content else b"", stored)

    def close(self) -> None:
        self._theirs.close()
        self._packets.close()
        os.close(self._memory)

    def _answer(self, request: Request | None, stop: threading.Event, deadline: float) -> int:
        while not stop.is_set():
            try:
                return decode_answer(self._packets.recv(MOST_BYTES), request)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise LostError from None
            except (OSError, FrameError):
                raise LostError from None
        raise StoppedError("stopped while a reader was at work")

    def _content(self, block_size: int) -> bytes:
        # Read, not mapped: the copy is then made without the lock of Python's.
        try:
            content = os.pread(self._memory, block_size, 0)
        except OSError:
            raise LostError from None
        if len(content) != block_size:
            raise LostError
        return content


class ReaderProcess:
    """Started when made. Dies with the process that made it, however that ends."""

    def __init__(self, recipe: Recipe, volume: str, threads: int) -> None:
        """Raises OSError."""
        self.idle: list[Place] = []
        """Places that nobody asks anything of; kept, like `busy`, by who owns the process."""
        self.busy = 0
        self._writing = threading.Lock()
        self._places: list[Place] = []
        try:
            for _ in range(threads):
                self._places.append(Place())
            self._started = self._start()
        except OSError:
            self._close_places()
            raise
        told = Greeting(recipe, volume, tuple(place.descriptors for place in self._places))
        self._greeting = greeting.encode(told)
        for place in self._places:
            place.handed_over()

    @property
    def pid(self) -> int:
        return self._started.pid

    def greet(self, stop: threading.Event) -> list[Place]:
        """Its places, once it can read. Raises LostError, StoppedError."""
        try:
            self._tell()
            for place in self._places:
                place.await_ready(stop)
        except (LostError, StoppedError):
            self._close_places()
            raise
        return self._places

    def end(self) -> None:
        """At once: it holds nothing that has to be brought to an end."""
        self._started.kill()
        self._started.wait()
        # A greeting under way has failed by now.
        with self._writing:
            self._stdin.close()

    @property
    def _stdin(self) -> IO[bytes]:
        """Open as long as it is to live: its end tells it that nobody is there any more."""
        return cast(IO[bytes], self._started.stdin)

    def _tell(self) -> None:
        with self._writing:
            if self._stdin.closed:
                raise LostError
            try:
                self._stdin.write(self._greeting)
            except OSError:
                raise LostError from None

    def _close_places(self) -> None:
        for place in self._places:
            place.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        handed = [descriptor for place in self._places for descriptor in place.descriptors]
        return subprocess.Popen(
            [sys.executable, "-m", __package__],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # Whatever is wrong there, the block is read here, and what is wrong here is told.
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment(os.environ),
            pass_fds=handed,
            start_new_session=True,
        )


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a reader process gets of the environment."""
    return {
        name: value for name, value in environ.items() if name in _KEPT or name.startswith(_PYTHON)
    }
