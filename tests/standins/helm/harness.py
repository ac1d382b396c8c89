"""Talk to a kubernetes provider plugin about Helm releases the way the engine does, over gRPC.

The plugin under test is the stand-in of this repository, or, with BACKSTOP_OFFICIAL_PLUGINS set to
a folder that holds it, the official `pulumi-resource-kubernetes`.
"""

import json
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
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from tests.standins.minio.harness import (
    OFFICIAL_VARIABLE,
    SECRET,
    SIGNATURE,
    Engine,
    Props,
    detailed,
    plain,
    struct,
)
from tests.support.kube_api import KubeApi, tool

REPOSITORY = Path(__file__).resolve().parents[3]
STAND_IN = REPOSITORY / "standins/pulumi/bin/pulumi-resource-kubernetes/pulumi-resource-kubernetes"
URN = "urn:pulumi:dev::test::kubernetes:helm.sh/v3:Release::it"
CALL_SECONDS = 180.0


def official_plugin() -> Path | None:
    folder = os.environ.get(OFFICIAL_VARIABLE)
    if not folder:
        return None
    found = [path for path in Path(folder).rglob("pulumi-resource-kubernetes") if path.is_file()]
    return found[0] if found else None


@dataclass
class Reply:
    """What a plugin answered to Create, Read or Update; `inputs` are the checked ones."""

    id: str
    state: Props
    inputs: Props = field(default_factory=dict)

    @property
    def status(self) -> Props:
        found: Props = opened(self.state["status"])
        return found


class PartlyMadeError(Exception):
    """The plugin made the resource but not wholly; `reply` is what the engine keeps of it."""

    def __init__(self, text: str, reply: Reply) -> None:
        super().__init__(text)
        self.reply = reply


@dataclass
class Plugin:
    """A running plugin. Properties are plain dicts; secrets and unknowns carry their marks."""

    stub: Any
    engine: Engine
    process: "subprocess.Popen[bytes]"

    def call(self, method: str, request: Any) -> Any:
        return getattr(self.stub, method)(request, timeout=CALL_SECONDS)

    def check(self, news: Props, olds: Props | None = None) -> Any:
        return self.call(
            "Check",
            provider_pb2.CheckRequest(
                urn=URN, olds=struct(olds or {}), news=struct(news), randomSeed=b"seed"
            ),
        )

    def checked(self, news: Props, olds: Props | None = None) -> Props:
        answer = self.check(news, olds)
        assert not answer.failures, answer.failures
        return plain(answer.inputs)

    def refusals(self, news: Props) -> dict[str, str]:
        return {each.property: each.reason for each in self.check(news).failures}

    def create(self, inputs: Props, *, preview: bool = False) -> Reply:
        checked = self.checked(inputs)
        with partly(checked):
            reply = self.call(
                "Create",
                provider_pb2.CreateRequest(urn=URN, properties=struct(checked), preview=preview),
            )
        return Reply(reply.id, plain(reply.properties), checked)

    def read(self, found: Reply) -> Reply:
        reply = self.call(
            "Read",
            provider_pb2.ReadRequest(
                id=found.id,
                urn=URN,
                properties=struct(found.state),
                inputs=struct(found.inputs),
            ),
        )
        return Reply(reply.id, plain(reply.properties), plain(reply.inputs))

    def update(self, found: Reply, inputs: Props) -> Reply:
        checked = self.checked(inputs, found.inputs)
        with partly(checked):
            reply = self.call(
                "Update",
                provider_pb2.UpdateRequest(
                    id=found.id,
                    urn=URN,
                    olds=struct(found.state),
                    news=struct(checked),
                    old_inputs=struct(found.inputs),
                ),
            )
        return Reply(found.id, plain(reply.properties), checked)

    def delete(self, found: Reply) -> None:
        self.call(
            "Delete",
            provider_pb2.DeleteRequest(
                id=found.id,
                urn=URN,
                properties=struct(found.state),
                old_inputs=struct(found.inputs),
            ),
        )

    def diff(self, found: Reply, inputs: Props) -> Any:
        checked = self.checked(inputs, found.inputs)
        return self.call(
            "Diff",
            provider_pb2.DiffRequest(
                id=found.id,
                urn=URN,
                olds=struct(found.state),
                news=struct(checked),
                old_inputs=struct(found.inputs),
            ),
        )

    def changes(self, found: Reply, inputs: Props) -> Props:
        """Path -> kind of change between `found` and the program's inputs."""
        answer = self.diff(found, inputs)
        changes = detailed(answer)
        assert (answer.changes == provider_pb2.DiffResponse.DIFF_SOME) == bool(changes)
        return changes

    def cancel(self) -> None:
        self.call("Cancel", empty_pb2.Empty())


@contextmanager
def partly(inputs: Props) -> Iterator[None]:
    """Turns the engine's "initialization failed" into `PartlyMadeError`."""
    try:
        yield
    except grpc.RpcError as error:
        for key, value in error.trailing_metadata() or ():
            if key != "grpc-status-details-bin":
                continue
            status = status_pb2.Status.FromString(value)
            failed = provider_pb2.ErrorResourceInitFailed()
            if status.details and status.details[0].Unpack(failed):
                reply = Reply(failed.id, plain(failed.properties), inputs)
                raise PartlyMadeError(error.details(), reply) from error
        raise


def opened(value: Any) -> Any:
    """The value inside a secret, or the value itself; also inside of maps."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return opened(value["value"])
        return {key: opened(part) for key, part in value.items()}
    return value


@contextmanager
def running_plugin(
    folder: Path, provider: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Iterator[Plugin]:
    """The plugin under test at work in `folder`, configured with `provider`'s inputs."""
    engine = Engine()
    listener = grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, listener)
    port = listener.add_insecure_port("127.0.0.1:0")
    listener.start()
    process = subprocess.Popen(
        [str(official_plugin() or STAND_IN), f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "BACKSTOP_HELM": str(tool("helm")), **(environment or {})},
    )
    try:
        assert process.stdout is not None
        address = f"127.0.0.1:{int(process.stdout.readline())}"
        with grpc.insecure_channel(address) as channel:
            plugin = Plugin(provider_pb2_grpc.ResourceProviderStub(channel), engine, process)
            plugin.call(
                "Configure",
                provider_pb2.ConfigureRequest(
                    args=struct(dict(provider)),
                    variables={
                        f"kubernetes:config:{key}": value if isinstance(value, str) else ""
                        for key, value in provider.items()
                    },
                    acceptSecrets=True,
                    acceptResources=True,
                    sends_old_inputs=True,
                    sends_old_inputs_to_delete=True,
                ),
            )
            yield plugin
    finally:
        process.terminate()
        process.wait(timeout=60)
        listener.stop(None)


@dataclass
class ByHand:
    """What an operator does with helm beside the program."""

    api: KubeApi

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(tool("helm")), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.api.kubeconfig_file)},
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def history(self, namespace: str, name: str) -> list[Props]:
        found: list[Props] = json.loads(
            self.run("history", name, "--namespace", namespace, "--output", "json")
        )
        return found

    def releases(self, namespace: str) -> list[str]:
        listed = json.loads(self.run("list", "--all", "-n", namespace, "--output", "json"))
        return [each["name"] for each in listed]


def refusal(error: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    """The text of a refused call: one line."""
    text = str(error.value.details())
    assert "\n" not in text
    return text
