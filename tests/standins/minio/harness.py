"""Talk to a minio provider plugin the way the engine does: its executable, over gRPC.

The plugin under test is the stand-in of this repository, or, with BACKSTOP_OFFICIAL_PLUGINS set to
a folder that holds it, the official `pulumi-resource-minio`.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from tests.support.minio_server import MinioServer

REPOSITORY = Path(__file__).resolve().parents[3]
STAND_IN = REPOSITORY / "standins/pulumi/bin/pulumi-resource-minio/pulumi-resource-minio"
OFFICIAL_VARIABLE = "BACKSTOP_OFFICIAL_PLUGINS"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's mark of a value not known yet
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # the engine's mark of a secret value
CALL_SECONDS = 60.0

BUCKET = "s3Bucket:S3Bucket"
VERSIONING = "s3BucketVersioning:S3BucketVersioning"
BUCKET_POLICY = "s3BucketPolicy:S3BucketPolicy"
LIFECYCLE = "ilmPolicy:IlmPolicy"
USER = "iamUser:IamUser"
POLICY = "iamPolicy:IamPolicy"
ATTACHMENT = "iamUserPolicyAttachment:IamUserPolicyAttachment"
OBJECT = "s3Object:S3Object"

Props = dict[str, Any]


def secret(value: str) -> Props:
    return {SIGNATURE: SECRET, "value": value}


def official_plugin() -> Path | None:
    folder = os.environ.get(OFFICIAL_VARIABLE)
    if not folder:
        return None
    found = [path for path in Path(folder).rglob("pulumi-resource-minio") if path.is_file()]
    if not found:
        pytest.fail(f"{OFFICIAL_VARIABLE}={folder} holds no executable pulumi-resource-minio")
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
class Plugin:
    """A running plugin. Properties are plain dicts; secrets and unknowns carry their marks."""

    stub: Any
    engine: Engine
    process: "subprocess.Popen[bytes]"

    def call(self, method: str, request: Any) -> Any:
        return getattr(self.stub, method)(request, timeout=CALL_SECONDS)

    def configure(self, settings: Mapping[str, Any]) -> Any:
        variables = {
            f"minio:config:{key}": str(value)
            for key, value in settings.items()
            if not isinstance(value, dict)
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

    def check(self, kind: str, news: Props, olds: Props | None = None) -> Any:
        return self.call(
            "Check",
            provider_pb2.CheckRequest(
                urn=urn(kind), olds=struct(olds or {}), news=struct(news), randomSeed=b"seed"
            ),
        )

    def diff(self, kind: str, state: Props, news: Props, ignore: tuple[str, ...] = ()) -> Any:
        return self.call(
            "Diff",
            provider_pb2.DiffRequest(
                id=str(state.get("id", "id")),
                urn=urn(kind),
                olds=struct(state),
                news=struct(news),
                ignoreChanges=list(ignore),
            ),
        )

    def create(self, kind: str, inputs: Props, *, preview: bool = False) -> Reply:
        checked = plain(self.check(kind, inputs).inputs)
        reply = self.call(
            "Create",
            provider_pb2.CreateRequest(urn=urn(kind), properties=struct(checked), preview=preview),
        )
        return Reply(reply.id, plain(reply.properties), checked)

    def read(self, kind: str, found: Reply) -> Reply:
        reply = self.call(
            "Read",
            provider_pb2.ReadRequest(
                id=found.id,
                urn=urn(kind),
                properties=struct(found.state),
                inputs=struct(found.inputs),
            ),
        )
        return Reply(reply.id, plain(reply.properties), plain(reply.inputs))

    def update(self, kind: str, found: Reply, inputs: Props, *, preview: bool = False) -> Reply:
        checked = plain(self.check(kind, inputs, found.inputs).inputs)
        reply = self.call(
            "Update",
            provider_pb2.UpdateRequest(
                id=found.id,
                urn=urn(kind),
                olds=struct(found.state),
                news=struct(checked),
                old_inputs=struct(found.inputs),
                preview=preview,
            ),
        )
        return Reply(found.id, plain(reply.properties), checked)

    def delete(self, kind: str, found: Reply) -> None:
        self.call(
            "Delete",
            provider_pb2.DeleteRequest(
                id=found.id,
                urn=urn(kind),
                properties=struct(found.state),
                old_inputs=struct(found.inputs),
            ),
        )

    def changes(self, kind: str, found: Reply, inputs: Props) -> Props:
        """Path -> kind of change that the plugin sees between `found` and the program's inputs."""
        checked = plain(self.check(kind, inputs, found.inputs).inputs)
        return detailed(self.diff(kind, found.state, checked))


def urn(kind: str) -> str:
    return f"urn:pulumi:dev::test::minio:index/{kind}::it"


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


def settings_of(server: MinioServer, **changed: str) -> Props:
    """The provider's inputs for a test server, in the form the engine sends them."""
    return {
        "minioServer": server.endpoint,
        "minioUser": server.root_user,
        "minioPassword": secret(server.root_password),
        "minioRegion": server.region,
        "minioSsl": "true",
        "minioCacertFile": str(server.ca_file),
        **changed,
    }


@contextmanager
def running_plugin() -> Iterator[Plugin]:
    """The plugin under test with an engine of its own; ended when left."""
    engine = Engine()
    listener = grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, listener)
    port = listener.add_insecure_port("127.0.0.1:0")
    listener.start()
    executable = official_plugin() or STAND_IN
    environment = {key: value for key, value in os.environ.items() if "MINIO_" not in key}
    process = subprocess.Popen(
        [str(executable), f"127.0.0.1:{port}"], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        address = f"127.0.0.1:{int(process.stdout.readline())}"
        with grpc.insecure_channel(address) as channel:
            yield Plugin(provider_pb2_grpc.ResourceProviderStub(channel), engine, process)
    finally:
        process.terminate()
        process.wait(timeout=20)
        listener.stop(None)


def refusal(error: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    """The text of a refused call."""
    return str(error.value.details())
