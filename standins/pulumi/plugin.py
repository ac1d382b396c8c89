# ruff: noqa: N802  (the methods carry the names of the gRPC protocol)
"""Serve a provider to the Pulumi engine: what the stand-ins for `command` and `minio` share.

A stand-in is a `pulumi.provider.experimental.provider.Provider` whose methods raise `PluginError`
with one sentence when something cannot be done. `serve` adds what the SDK's own server leaves out:
unknown values, asset hashes and old inputs reach the provider, errors arrive as plain sentences,
messages go to the engine, and the process ends with its engine. See also `values` and `diffing`.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
from google.protobuf import empty_pb2
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from standins.pulumi.diffing import diff_properties
from standins.pulumi.engine_log import EngineLog
from standins.pulumi.serving import GRPC_OPTIONS, introduction, until_told_to_end
from standins.pulumi.values import decode_map, encode_map, is_unknown, plain, unknown, wrap

__all__ = [
    "DeleteRequest",
    "DiffRequest",
    "EngineLog",
    "InitFailedError",
    "NotSupportedError",
    "PluginError",
    "UpdateRequest",
    "diff_properties",
    "is_unknown",
    "plain",
    "serve",
    "unknown",
    "wrap",
]

# gRPC's messages and contexts have no types of their own.
Message: TypeAlias = Any

# The engine runs 4 operations a core by default; blocking work (SSH, HTTP) must not queue.
_WORKER_THREADS = 64
_STOP_GRACE_SECONDS = 5.0


class PluginError(Exception):
    """An operation that failed, said in one sentence for the operator. Never holds a secret."""

    code = grpc.StatusCode.UNKNOWN


class NotSupportedError(PluginError):
    """A method that the official plugin does not have either; the engine then does without."""

    code = grpc.StatusCode.UNIMPLEMENTED


class InitFailedError(PluginError):
    """A creation that failed after the object was made: the engine keeps it and updates it next.

    `properties` is the state as far as it was reached, `inputs` what the program wanted.
    """

    def __init__(
        self,
        sentence: str,
        resource_id: str,
        properties: Mapping[str, PropertyValue],
        inputs: Mapping[str, PropertyValue],
    ) -> None:
        super().__init__(sentence)
        self.detail = provider_pb2.ErrorResourceInitFailed(
            id=resource_id,
            properties=encode_map(properties),
            reasons=[sentence],
            inputs=encode_map(inputs),
        )

    def as_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The form in which gRPC carries the detail beside the error."""
        status = status_pb2.Status(code=self.code.value[0], message=str(self))
        status.details.add().Pack(self.detail)
        return (("grpc-status-details-bin", status.SerializeToString()),)


class DiffRequest(sdk.DiffRequest):
    """With the inputs of the last deployment, as the engine sends them."""

    old_inputs: dict[str, PropertyValue]


class UpdateRequest(sdk.UpdateRequest):
    """With the inputs of the last deployment."""

    old_inputs: dict[str, PropertyValue]


class DeleteRequest(sdk.DeleteRequest):
    """With the inputs of the last deployment."""

    old_inputs: dict[str, PropertyValue]


_KINDS = {
    sdk.PropertyDiffKind.ADD: provider_pb2.PropertyDiff.ADD,
    sdk.PropertyDiffKind.ADD_REPLACE: provider_pb2.PropertyDiff.ADD_REPLACE,
    sdk.PropertyDiffKind.DELETE: provider_pb2.PropertyDiff.DELETE,
    sdk.PropertyDiffKind.DELETE_REPLACE: provider_pb2.PropertyDiff.DELETE_REPLACE,
    sdk.PropertyDiffKind.UPDATE: provider_pb2.PropertyDiff.UPDATE,
    sdk.PropertyDiffKind.UPDATE_REPLACE: provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def resource_token(qualified: str) -> str:
    """The resource's own type from the qualified one in its URN ("parent$own").

    Every resource inside a component has its ancestors' types in front of its own there.
    """
    return qualified.rsplit("$", 1)[-1]


def _failures(found: Sequence[sdk.CheckFailure] | None) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in found or ()]


def _optional_map(properties: Mapping[str, PropertyValue] | None) -> Message:
    return None if properties is None else encode_map(properties)


class StandInServicer(ProviderServicer):
    """The engine's calls, handed to a provider. Method names are the protocol's."""

    def __init__(
        self, provider: sdk.Provider, log: EngineLog, engine_address: str, name: str, version: str
    ) -> None:
        super().__init__([], version, provider, engine_address)
        self._log = log
        self._introduction: str | None = introduction(name, version)

    async def _answer(self, context: Message, work: Awaitable[Message]) -> Message:
        failure: PluginError | None = None
        try:
            answer = await work
        except PluginError as error:
            failure = error
        finally:
            # Before the answer: what a command printed must not arrive after its end.
            await self._log.flush()
        if failure is None:
            return answer
        details = failure.as_metadata() if isinstance(failure, InitFailedError) else ()
        return await context.abort(failure.code, str(failure), details)

    async def GetPluginInfo(self, request: Message, context: Message) -> Message:  # noqa: ARG002  (the protocol's)
        return plugin_pb2.PluginInfo(version=self._version)

    async def Configure(self, request: Message, context: Message) -> Message:
        if self._introduction is not None:
            self._log.info("", self._introduction)
            self._introduction = None
        resp = await self._answer(
            context,
            self._provider.configure(
                sdk.ConfigureRequest(
                    dict(request.variables),
                    decode_map(request.args),
                    request.acceptSecrets,
                    request.acceptResources,
                )
            ),
        )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=resp.accept_secrets,
            acceptResources=resp.accept_resources,
            acceptOutputs=resp.accept_outputs,
            supportsPreview=resp.supports_preview,
        )

    async def CheckConfig(self, request: Message, context: Message) -> Message:
        return await self._check(self._provider.check_config, request, context)

    async def Check(self, request: Message, context: Message) -> Message:
        return await self._check(self._provider.check, request, context)

    async def _check(
        self,
        check: Callable[[sdk.CheckRequest], Awaitable[sdk.CheckResponse]],
        request: Message,
        context: Message,
    ) -> Message:
        resp = await self._answer(
            context,
            check(
                sdk.CheckRequest(
                    request.urn,
                    decode_map(request.olds),
                    decode_map(request.news),
                    request.randomSeed,
                )
            ),
        )
        return provider_pb2.CheckResponse(
            inputs=_optional_map(resp.inputs), failures=_failures(resp.failures)
        )

    async def DiffConfig(self, request: Message, context: Message) -> Message:
        return await self._diff(self._provider.diff_config, request, context)

    async def Diff(self, request: Message, context: Message) -> Message:
        return await self._diff(self._provider.diff, request, context)

    async def _diff(
        self,
        diff: Callable[[sdk.DiffRequest], Awaitable[sdk.DiffResponse]],
        request: Message,
        context: Message,
    ) -> Message:
        asked = DiffRequest(
            request.urn,
            request.id,
            decode_map(request.olds),
            decode_map(request.news),
            list(request.ignoreChanges),
        )
        asked.old_inputs = decode_map(request.old_inputs)
        resp = await self._answer(context, diff(asked))
        changes = provider_pb2.DiffResponse.DIFF_UNKNOWN
        if resp.changes is not None:
            some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
            changes = some if resp.changes else none
        return provider_pb2.DiffResponse(
            replaces=resp.replaces,
            stables=resp.stables,
            deleteBeforeReplace=resp.delete_before_replace,
            changes=changes,
            diffs=resp.diffs,
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=_KINDS[part.kind], inputDiff=part.input_diff)
                for path, part in resp.detailed_diff.items()
            },
            # Without a verdict there are no details either: the engine then compares by itself.
            hasDetailedDiff=resp.changes is not None,
        )

    async def Create(self, request: Message, context: Message) -> Message:
        asked = sdk.CreateRequest(
            request.urn, decode_map(request.properties), request.timeout, request.preview
        )
        resp = await self._answer(context, self._provider.create(asked))
        return provider_pb2.CreateResponse(
            id=resp.resource_id, properties=_optional_map(resp.properties)
        )

    async def Update(self, request: Message, context: Message) -> Message:
        asked = UpdateRequest(
            request.urn,
            request.id,
            decode_map(request.olds),
            decode_map(request.news),
            request.timeout,
            list(request.ignoreChanges),
            request.preview,
        )
        asked.old_inputs = decode_map(request.old_inputs)
        resp = await self._answer(context, self._provider.update(asked))
        return provider_pb2.UpdateResponse(properties=_optional_map(resp.properties))

    async def Delete(self, request: Message, context: Message) -> Message:
        asked = DeleteRequest(
            request.urn, request.id, decode_map(request.properties), request.timeout
        )
        asked.old_inputs = decode_map(request.old_inputs)
        await self._answer(context, self._provider.delete(asked))
        return empty_pb2.Empty()

    async def Read(self, request: Message, context: Message) -> Message:
        asked = sdk.ReadRequest(
            request.urn, request.id, decode_map(request.properties), decode_map(request.inputs)
        )
        resp = await self._answer(context, self._provider.read(asked))
        return provider_pb2.ReadResponse(
            id=resp.resource_id,
            properties=_optional_map(resp.properties),
            inputs=_optional_map(resp.inputs),
        )

    async def Invoke(self, request: Message, context: Message) -> Message:
        asked = sdk.InvokeRequest(request.tok, decode_map(request.args))
        resp = await self._answer(context, self._provider.invoke(asked))
        # `return` is a Python keyword, so the field can only be named in a mapping.
        answer = {"return": _optional_map(resp.return_value), "failures": _failures(resp.failures)}
        return provider_pb2.InvokeResponse(**answer)


def serve(
    make_provider: Callable[[EngineLog], sdk.Provider],
    *,
    name: str,
    version: str,
    argv: Sequence[str],
) -> int:
    """Run a provider until its engine is done with it; returns the exit code.

    `name` is the executable's (`pulumi-resource-command`), `version` the official plugin's whose
    behaviour it follows. `argv` holds the engine's address; `--version` prints who this is.
    """
    if "--version" in argv:
        sys.stdout.write(introduction(name, version) + "\n")
        return 0
    addresses = [argument for argument in argv if not argument.startswith("-")]
    return asyncio.run(_serve(make_provider, name, version, addresses[-1] if addresses else ""))


async def _serve(
    make_provider: Callable[[EngineLog], sdk.Provider], name: str, version: str, engine: str
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="work"))
    log = EngineLog(engine)
    provider = make_provider(log)
    server = grpc.aio.server(options=GRPC_OPTIONS)
    servicer = StandInServicer(provider, log, engine, name, version)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await until_told_to_end(port)
    await provider.cancel()
    await server.stop(_STOP_GRACE_SECONDS)
    return 0
