"""Talk to a kubernetes provider plugin the way the engine does: its executable, over gRPC.

The plugin under test is the stand-in of this repository, or, with BACKSTOP_OFFICIAL_PLUGINS set to
a folder that holds it, the official `pulumi-resource-kubernetes`.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

REPOSITORY = Path(__file__).resolve().parents[3]
STAND_IN = REPOSITORY / "standins/pulumi/bin/pulumi-resource-kubernetes/pulumi-resource-kubernetes"
OFFICIAL_VARIABLE = "BACKSTOP_OFFICIAL_PLUGINS"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's mark of a value not known yet
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # the engine's mark of a secret value
CALL_SECONDS = 180.0

Props = dict[str, Any]


def secret(value: Any) -> Props:
    return {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def official_plugin() -> Path | None:
    folder = os.environ.get(OFFICIAL_VARIABLE)
    if not folder:
        return None
    found = [path for path in Path(folder).rglob("pulumi-resource-kubernetes") if path.is_file()]
    if not found:
        pytest.fail(f"{OFFICIAL_VARIABLE}={folder} holds no executable pulumi-resource-kubernetes")
    return found[0]


class Engine(engine_pb2_grpc.EngineServicer):
    """The engine's side that a plugin calls: collects what it says."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002  (the protocol's)
        self.messages.append(request.message)
        return empty_pb2.Empty()


@dataclass
class Reply:
    """What a plugin answered to Create, Read or Update."""

    id: str
    state: Props
    inputs: Props = field(default_factory=dict)


@dataclass
class Unfinished:
    """A creation or update that was kept although the object is not ready."""

    id: str
    state: Props
    sentence: str


@dataclass
class Plugin:
    """A running plugin. Properties are plain dicts; secrets and unknowns carry their marks."""

    stub: Any
    engine: Engine
    process: "subprocess.Popen[bytes]"

    def call(self, method: str, request: Any) -> Any:
        return getattr(self.stub, method)(request, timeout=CALL_SECONDS)

    def configure(self, settings: Mapping[str, Any]) -> Any:
        variables = {
            f"kubernetes:config:{key}": _clear(value)
            for key, value in settings.items()
            if value != UNKNOWN
        }
        return self.call(
            "Configure",
            provider_pb2.ConfigureRequest(
                variables=variables,
                args=struct(settings),
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
        )

    def check(self, token: str, news: Props, olds: Props | None = None) -> Any:
        return self.call(
            "Check",
            provider_pb2.CheckRequest(
                urn=urn(token), olds=struct(olds or {}), news=struct(news), randomSeed=b"s" * 32
            ),
        )

    def checked(self, token: str, news: Props, olds: Props | None = None) -> Props:
        return plain(self.check(token, news, olds).inputs)

    def diff(self, token: str, found: Reply, news: Props, ignore: tuple[str, ...] = ()) -> Any:
        """What an update of `found` to the program's inputs would do."""
        return self.call(
            "Diff",
            provider_pb2.DiffRequest(
                id=found.id,
                urn=urn(token),
                olds=struct(found.state),
                news=struct(self.checked(token, news, found.inputs)),
                old_inputs=struct(found.inputs),
                ignoreChanges=list(ignore),
            ),
        )

    def changes(self, token: str, found: Reply, news: Props) -> Props:
        """Path -> kind of change that the plugin sees between `found` and the program's inputs."""
        return detailed(self.diff(token, found, news))

    def create(
        self, token: str, inputs: Props, *, preview: bool = False, timeout: float = 0
    ) -> Reply:
        checked = self.checked(token, inputs)
        reply = self.call(
            "Create",
            provider_pb2.CreateRequest(
                urn=urn(token), properties=struct(checked), preview=preview, timeout=timeout
            ),
        )
        return Reply(reply.id, plain(reply.properties), checked)

    def read(self, token: str, found: Reply) -> Reply:
        reply = self.call(
            "Read",
            provider_pb2.ReadRequest(
                id=found.id,
                urn=urn(token),
                properties=struct(found.state),
                inputs=struct(found.inputs),
            ),
        )
        return Reply(reply.id, plain(reply.properties), plain(reply.inputs))

    def update(
        self,
        token: str,
        found: Reply,
        inputs: Props,
        *,
        preview: bool = False,
        timeout: float = 0,
        ignore: tuple[str, ...] = (),
    ) -> Reply:
        checked = self.checked(token, inputs, found.inputs)
        reply = self.call(
            "Update",
            provider_pb2.UpdateRequest(
                id=found.id,
                urn=urn(token),
                olds=struct(found.state),
                news=struct(checked),
                old_inputs=struct(found.inputs),
                preview=preview,
                timeout=timeout,
                ignoreChanges=list(ignore),
            ),
        )
        return Reply(found.id, plain(reply.properties), checked)

    def delete(self, token: str, found: Reply, timeout: float = 0) -> None:
        self.call(
            "Delete",
            provider_pb2.DeleteRequest(
                id=found.id,
                urn=urn(token),
                properties=struct(found.state),
                old_inputs=struct(found.inputs),
                timeout=timeout,
            ),
        )


def urn(token: str) -> str:
    # Every resource of the program is inside a component, whose type is in front of its own.
    return f"urn:pulumi:dev::test::backstop:index:Cluster$kubernetes:{token}::it"


def struct(props: Mapping[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    json_format.ParseDict(dict(props), message)
    return message


def plain(message: struct_pb2.Struct) -> Props:
    return dict(json_format.MessageToDict(message))


def detailed(reply: Any) -> Props:
    return {
        path: provider_pb2.PropertyDiff.Kind.Name(part.kind)
        for path, part in reply.detailedDiff.items()
    }


def _clear(value: Any) -> str:
    value = value["value"] if is_secret(value) else value
    return {True: "true", False: "false"}.get(value, value) if not isinstance(value, str) else value


@contextmanager
def running_plugin(executable: Path | None = None) -> Iterator[Plugin]:
    """The plugin under test with an engine of its own; ended when left."""
    engine = Engine()
    listener = grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, listener)
    port = listener.add_insecure_port("127.0.0.1:0")
    listener.start()
    program = executable or official_plugin() or STAND_IN
    with tempfile.TemporaryDirectory() as home:
        # No kubeconfig of whoever runs the tests.
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        process = subprocess.Popen(
            [str(program), f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE,
            env={**environment, "HOME": home},
        )
        try:
            assert process.stdout is not None
            address = f"127.0.0.1:{int(process.stdout.readline())}"
            with grpc.insecure_channel(address) as channel:
                yield Plugin(provider_pb2_grpc.ResourceProviderStub(channel), engine, process)
        finally:
            process.terminate()
            process.wait(timeout=60)
            listener.stop(None)


def refusal(error: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    """The text of a refused call."""
    return str(error.value.details())


def unfinished(error: pytest.ExceptionInfo[grpc.RpcError]) -> Unfinished:
    """What the engine keeps of a call that failed after the object was made."""
    metadata = dict(error.value.trailing_metadata())
    status = status_pb2.Status()
    status.ParseFromString(metadata["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    return Unfinished(detail.id, plain(detail.properties), detail.reasons[0])
