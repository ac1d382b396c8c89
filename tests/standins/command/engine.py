"""The engine's side of the plugin protocol, as small as the contract suite needs it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

START_SECONDS = 20.0
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
_KINDS = provider_pb2.PropertyDiff.Kind.Name


def secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": value}


def file_asset(path: Path | str, digest: str) -> dict[str, Any]:
    return {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "path": str(path), "hash": digest}


def text_asset(text: str, digest: str) -> dict[str, Any]:
    return {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": text, "hash": digest}


def archive(path: Path | str, digest: str) -> dict[str, Any]:
    return {SIGNATURE: "0def7320c3a5731c473e5ecbe6d01bc7", "path": str(path), "hash": digest}


def urn(token: str, name: str = "it") -> str:
    return f"urn:pulumi:dev::test::{token}::{name}"


def _struct(value: Mapping[str, Any] | None) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(value or {}))
    return struct


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = json_format.MessageToDict(struct)
    return plain


class RefusedError(Exception):
    """An RPC that the plugin answered with an error."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details()


class FakeEngine(engine_pb2_grpc.EngineServicer):
    """Collects what a plugin logs: (severity, message, ephemeral)."""

    def __init__(self) -> None:
        self.logged: list[tuple[int, str, bool]] = []

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: ARG002, N802
        self.logged.append((request.severity, request.message, request.ephemeral))
        return empty_pb2.Empty()

    @property
    def messages(self) -> list[str]:
        return [message for _, message, _ in self.logged]


class Plugin:
    """A running plugin. Maps are in wire form (JSON with the engine's signatures)."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", engine: FakeEngine) -> None:
        self.process = process
        self.engine = engine
        options = [("grpc.max_receive_message_length", 400 << 20)]  # the engine's own limit
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        self.stub = provider_pb2_grpc.ResourceProviderStub(channel)

    def check(
        self, token: str, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None
    ) -> Any:
        """The checked inputs and the failures as {property: reason}."""
        request = provider_pb2.CheckRequest(urn=urn(token), olds=_struct(olds), news=_struct(news))
        answer = self._call(self.stub.Check, request)
        return _plain(answer.inputs), {f.property: f.reason for f in answer.failures}

    def diff(
        self, token: str, old_inputs: Mapping[str, Any], news: Mapping[str, Any], **more: Any
    ) -> Any:
        request = provider_pb2.DiffRequest(
            id="it1",
            urn=urn(token),
            olds=_struct({**old_inputs, **more.get("outputs", {})}),
            news=_struct(news),
            old_inputs=_struct(old_inputs),
            ignoreChanges=more.get("ignore", []),
        )
        return self._call(self.stub.Diff, request)

    def detailed(
        self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> dict[str, str]:
        answer = self.diff(token, old, new)
        return {path: _KINDS(part.kind) for path, part in answer.detailedDiff.items()}

    def create(self, token: str, inputs: Mapping[str, Any], *, preview: bool = False) -> Any:
        """The id and the state."""
        request = provider_pb2.CreateRequest(
            urn=urn(token), properties=_struct(inputs), preview=preview
        )
        answer = self._call(self.stub.Create, request)
        return answer.id, _plain(answer.properties)

    def update(
        self,
        token: str,
        state: Mapping[str, Any],
        news: Mapping[str, Any],
        *,
        preview: bool = False,
    ) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            id="it1", urn=urn(token), olds=_struct(state), news=_struct(news), preview=preview
        )
        return _plain(self._call(self.stub.Update, request).properties)

    def delete(self, token: str, state: Mapping[str, Any]) -> None:
        request = provider_pb2.DeleteRequest(id="it1", urn=urn(token), properties=_struct(state))
        self._call(self.stub.Delete, request)

    def invoke(self, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._call(
            self.stub.Invoke, provider_pb2.InvokeRequest(tok=token, args=_struct(args))
        )
        return _plain(getattr(answer, "return"))

    def cancel(self) -> None:
        self._call(self.stub.Cancel, empty_pb2.Empty())

    def in_background(self, call: Any, *args: Any) -> "futures.Future[Any]":
        return futures.ThreadPoolExecutor(1).submit(call, *args)

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=120)
        except grpc.RpcError as error:
            raise RefusedError(error) from error


@contextlib.contextmanager
def running(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[Plugin]:
    """Start a plugin as the engine does, and end it with SIGINT; one that stays is an error."""
    engine = FakeEngine()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    engine_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    process = subprocess.Popen(
        [*command, f"127.0.0.1:{engine_port}"],
        cwd=cwd,
        env={**os.environ, "BACKSTOP_PYTHON": sys.executable, **(env or {})},
        stdout=subprocess.PIPE,
        process_group=0,
    )
    try:
        yield Plugin(read_port(process), process, engine)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) is not None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        server.stop(None)


def read_port(process: "subprocess.Popen[bytes]") -> int:
    """The port line that a plugin prints first."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    assert ready, "the plugin printed no port"
    return int(process.stdout.readline())


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    """Poll until true; fails the test after that time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        threading.Event().wait(0.02)


def alive(pid: int) -> bool:
    """True for a process that runs; a zombie has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
