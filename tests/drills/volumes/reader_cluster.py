"""A cluster with pods that can be asked: objects in memory, commands really run on this machine."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.sandbox.hold import Idle
from drills.volumes.readers import Edges, Readers
from kube.client import Client
from kube.pods.channels import BrokenError, Channels
from kube.writer import Writer
from tests.drills.sandbox.runs import run
from tests.kube.fakes import AT, Answer, Time, ok, status
from tests.kube.pods.command_server import SUCCESS, failed

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
BOUND = {"status": {"phase": "Bound"}}

Message = tuple[int, bytes] | Exception | float
"""A message, what breaks the connection, or seconds in which nothing comes."""
Act = Callable[[list[Message]], list[Message]] | Exception


@dataclass
class Replay:
    """A connection over which these messages come, and that breaks after them."""

    messages: list[Message]
    time: Time
    ends_input: bool = False
    unsent: int = 0
    closed: bool = False

    def send(self, _channel: int, _data: bytes) -> None:
        raise AssertionError("a reader is given no input")

    def end(self, _channel: int) -> None:
        raise AssertionError("a reader is given no input")

    def receive(self, _seconds: float) -> tuple[int, bytes] | None:
        message: Message = self.messages.pop(0) if self.messages else BrokenError("it is gone")
        if isinstance(message, Exception):
            raise message
        if isinstance(message, float):
            self.time.pass_by(message)
            return None
        return message

    def close(self) -> None:
        self.closed = True


@dataclass
class Shell:
    """Runs what it is told to as a pod would, with volumes of this machine in their places.

    `acts`: what becomes of each command's messages on their way, in order; nothing after those.
    """

    volumes: Mapping[str, Path]
    time: Time
    acts: list[Act] = field(default_factory=list)
    python: str = sys.executable
    asked: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    connections: list[Replay] = field(default_factory=list)

    def __call__(self, path: str, query: Sequence[tuple[str, str]]) -> Channels:
        self.asked.append((path, list(query)))
        act = self.acts.pop(0) if self.acts else list[Message]
        if isinstance(act, Exception):
            raise act
        self.connections.append(Replay(act(self._run(query)), self.time))
        return self.connections[-1]

    def _run(self, query: Sequence[tuple[str, str]]) -> list[Message]:
        command = [value for key, value in query if key == "command"]
        place = command.index("python3")
        command[place] = self.python
        name, _, root = command[-1].partition("=")
        command[-1] = f"{name}={self.volumes.get(root, root)}"
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        out = done.stdout
        return [
            *((1, out[at : at + 997]) for at in range(0, len(out), 997)),
            (2, done.stderr),
            (3, failed(done.returncode) if done.returncode else SUCCESS),
        ]


@dataclass
class Cluster:
    """`fates`: the status of a pod by a part of its name, for those that do not become ready.

    `refusals`: answers to the next creations. `staying`: pods that do not go.
    """

    pods: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    claims: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    fates: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: list[Answer] = field(default_factory=list)
    staying: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    deletions: list[tuple[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    time: Time = field(default_factory=Time)

    def readers(self, shell: Shell, folder: Path, **more: Any) -> Readers:
        clock = self.time.clock()
        edges = Edges(
            Client(self._read, AT, clock=clock, patience=0.0),
            Writer(self._write, AT, clock=clock),
            shell,
            clock,
        )
        idle = Idle("helper:1", pull_secrets=("pull",))
        return Readers(run(), edges, idle, folder, self.said.append, **more)

    def put(self, content: dict[str, Any], state: Mapping[str, Any] | None = None) -> None:
        metadata = content["metadata"]
        place = (metadata["namespace"], metadata["name"])
        fate = next((held for part, held in self.fates.items() if part in place[1]), READY)
        held = {**content, "status": fate if state is None else state}
        held["metadata"] = {**metadata, "uid": f"uid-{place[1]}"}
        self.pods[place] = held

    def _read(self, path: str, query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        _, _, _, _, namespace, kind, *rest = path.split("/")
        if kind in self.forbidden:
            return status(403, f'{kind} is forbidden: User "x" cannot')
        if kind == "events":
            return ok({"items": self.events})
        held = self.pods if kind == "pods" else self.claims
        if rest:
            found = held.get((namespace, rest[0]))
            return ok(found) if found else status(404, f"{rest[0]} not found")
        wanted = query["fieldSelector"].removeprefix("metadata.name=")
        found = held.get((namespace, wanted))
        return ok({"items": [found] if found else []})

    def _write(
        self, method: str, path: str, _query: Any, _headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        content = json.loads(body)
        if method == "DELETE":
            self.deletions.append((path, content))
            place = (path.split("/")[4], path.split("/")[6])
            if place[1] not in self.staying:
                del self.pods[place]
            return ok({})
        refusal = self.refusals.pop(0) if self.refusals else None
        if isinstance(refusal, Exception):
            raise refusal
        if refusal is not None:
            return refusal
        name = content["metadata"]["name"]
        if (content["metadata"]["namespace"], name) in self.pods:
            return status(409, f'pods "{name}" already exists', "AlreadyExists")
        self.put(content)
        return ok(content)
