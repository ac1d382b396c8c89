"""Reader processes that a test sees: ready before the first block, and counted."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from drills.backupstore import fetch
from drills.backupstore.objects import Objects
from drills.backupstore.one_block import Block, Wanted
from drills.backupstore.readers import shares
from drills.backupstore.readers.process import Place, ReaderProcess
from drills.backupstore.readers.processes import Processes
from drills.backupstore.s3_objects import Recipe, S3Objects
from drills.backupstore.url import Target
from s3.client import Credential, StoreEndpoint

READ_FIRST = 3
"""Blocks that the readers of `watch` have before any is read here; who gets the rest is chance."""
SECRET = "the-secret-half-of-a-key"


def somewhere(ca_pem: str) -> Recipe:
    """Objects that nobody serves."""
    endpoint = StoreEndpoint("https://127.0.0.1:1", "eu-west-1", ca_pem)
    return Recipe(endpoint, Credential("KEYID", SECRET), Target("bucket", "eu-west-1", "p/"))


class Watched(Processes):
    """elsewhere: blocks that another process had. first: as many before any is read here. pids: of
    all that were started."""

    def __init__(
        self, recipe: Recipe, volume: str, workers: int, stop: threading.Event, count: int = 2
    ) -> None:
        super().__init__(recipe, volume, workers, stop)
        self._cores = count
        self._begun = True
        self.elsewhere = 0
        self.first = 0
        self._start(count)
        self.pids = [process.pid for process in self._started]

    @property
    def left(self) -> int:
        """Processes that still read."""
        return len(self._ready)

    def _most_here(self, count: int, taken: int) -> int:
        if self._ready and self.elsewhere < self.first:
            return 0
        return super()._most_here(count, taken)

    def _asked(
        self, process: ReaderProcess, place: Place, wanted: Wanted, *, content: bool
    ) -> Block | None:
        found = super()._asked(process, place, wanted, content=content)
        if found is not None:
            with self._changed:
                self.elsewhere += 1
        return found


def watch(monkeypatch: pytest.MonkeyPatch, count: int = 2) -> list[Watched]:
    """Lets every reader of a bucket have processes; they are in the list once there are any."""
    made: list[Watched] = []

    def processes_for(
        objects: Objects, volume: str, workers: int, stop: threading.Event
    ) -> Processes:
        assert isinstance(objects, S3Objects)
        made.append(Watched(objects.recipe, volume, workers, stop, count))
        made[-1].first = READ_FIRST
        return made[-1]

    monkeypatch.setattr(fetch, "processes_for", processes_for)
    monkeypatch.setattr(shares, "cores", lambda: count)
    return made


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every reader read by itself."""
    monkeypatch.setattr(fetch, "processes_for", lambda *_: None)


def is_gone(pid: int) -> bool:
    """Neither running nor waiting to be looked at."""
    return not Path(f"/proc/{pid}").exists()


_FAKE = """
import json, socket, struct, sys, time
told = json.loads(sys.stdin.readline())
packets = socket.socket(fileno=told["places"][0][0])
for other, _ in told["places"][1:]:
    socket.socket(fileno=other).send(struct.pack("!IQ", 0, 0))
def answer(number, stored): packets.send(struct.pack("!IQ", number, stored))
def asked(): return struct.unpack_from("!I", packets.recv(64))[0]
"""


def fake(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """Puts another program in the place of a reader; `does` has answer(number, stored), asked()."""

    def start(self: Any) -> "subprocess.Popen[bytes]":
        handed = [one for place in self._places for one in place.descriptors]
        return subprocess.Popen(
            [sys.executable, "-S", "-c", _FAKE + does],
            bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, pass_fds=handed, start_new_session=True,
        )  # fmt: skip

    monkeypatch.setattr(ReaderProcess, "_start", start)
