"""An API server of answers written down, for tests of what is made of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube.client import Client, Clock
from kube.writer import Writer

AT = "https://10.0.0.1:6443"
Answer = tuple[int, bytes] | Exception


def ok(content: Any) -> tuple[int, bytes]:
    return 200, json.dumps(content).encode()


def status(code: int, message: str, reason: str = "") -> tuple[int, bytes]:
    held = {"kind": "Status", "message": message, "reason": reason, "code": code}
    return code, json.dumps(held).encode()


def items(*found: Mapping[str, Any], version: str = "7", following: str = "") -> tuple[int, bytes]:
    return ok({"items": found, "metadata": {"resourceVersion": version, "continue": following}})


@dataclass
class Time:
    """Time that passes only while somebody sleeps, or while a stream is read."""

    now: float = 0.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.pass_by)


@dataclass
class Server:
    """Answers in order, the last one for ever. `streams`: bodies, each a list of chunks or errors.

    `asked`: (method, path, query) of every request; `bodies`: what was sent along.
    """

    answers: list[Answer] = field(default_factory=list)
    streams: list[Callable[[], Iterator[bytes]] | Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    time: Time = field(default_factory=Time)

    def client(self, patience: float = 0.0) -> Client:
        return Client(
            lambda path, query, _accept: self._answer("GET", path, query),
            AT,
            stream=self._stream,
            clock=self.time.clock(),
            patience=patience,
        )

    def writer(self, patience: float = 0.0) -> Writer:
        def exchange(
            method: str,
            path: str,
            query: Mapping[str, str],
            _headers: Mapping[str, str],
            body: bytes,
        ) -> tuple[int, bytes]:
            self.bodies.append(json.loads(body) if body else None)
            return self._answer(method, path, query)

        return Writer(exchange, AT, clock=self.time.clock(), patience=patience)

    def _answer(self, method: str, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        self.asked.append((method, path, dict(query)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _stream(
        self, path: str, query: Mapping[str, str], _silence: float
    ) -> tuple[int, Iterator[bytes]]:
        self.asked.append(("STREAM", path, dict(query)))
        body = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        if isinstance(body, Exception):
            raise body
        if isinstance(body, tuple):
            return body[0], iter([body[1]])
        return 200, body()


def chunks(*parts: bytes | Exception) -> Callable[[], Iterator[bytes]]:
    """A body that comes in these parts, and breaks at an exception among them."""

    def body() -> Iterator[bytes]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part

    return body


def event(kind: str, found: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"
