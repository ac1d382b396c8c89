"""The plugin's answers to the engine. What each method does follows the official plugin 1.2.1."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from standins.pulumi.command import inputs as schema
from standins.pulumi.command import local
from standins.pulumi.command.output import Output, Redactor, Stream, logged_streams
from standins.pulumi.diffing import diff_properties
from standins.pulumi.plugin import (
    DiffRequest,
    EngineLog,
    NotSupportedError,
    resource_token,
)
from standins.pulumi.process_groups import ProcessGroups
from standins.pulumi.values import PropertyMap, plain, secret_texts, unknown, wrap

if TYPE_CHECKING:
    from standins.pulumi.command.remote import RemoteHosts
    from standins.pulumi.command.ssh import Sessions

VERSION = "1.2.1"
# The official plugin writes the version of its framework into the provider's state. Doing the same
# keeps a stack quiet when the official plugin takes over from this one, or the other way round.
_FRAMEWORK = {"__pulumi-go-provider-version": PropertyValue("1.2.0")}
_COMMANDS = (schema.LOCAL_COMMAND, schema.REMOTE_COMMAND)
_RUN_OUTPUTS = ("stdout", "stderr", "assets", "archive")


class CommandProvider(sdk.Provider):
    """Commands and copies. Blocking work runs in threads, so that many calls go on at once."""

    def __init__(self, log: EngineLog) -> None:
        super().__init__()
        self._log = log
        self._groups = ProcessGroups()
        self._sessions: Sessions | None = None

    async def get_schema(
        self,
        request: sdk.GetSchemaRequest,  # noqa: ARG002  (there is one version only)
    ) -> sdk.GetSchemaResponse:
        # Enough to say what this is; SDKs are generated from the official plugin's schema.
        description = "A stand-in for the official plugin: local and remote commands and copies."
        package = {"name": "command", "version": VERSION, "description": description}
        return sdk.GetSchemaResponse(schema=json.dumps(package))

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return sdk.CheckResponse(inputs={**request.new_inputs, **_FRAMEWORK})

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:  # noqa: ARG002
        raise NotSupportedError("DiffConfig is not implemented")

    async def configure(  # the plugin has no configuration of its own
        self,
        request: sdk.ConfigureRequest,  # noqa: ARG002
    ) -> sdk.ConfigureResponse:
        return sdk.ConfigureResponse(
            accept_secrets=True,
            supports_preview=True,
            accept_resources=True,
            accept_outputs=True,
        )

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        checked, failures = schema.check(_known(request.type), request.new_inputs)
        return sdk.CheckResponse(inputs=checked, failures=failures)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        token = _known(request.type)
        old = request.old_inputs if isinstance(request, DiffRequest) else {}
        if not old:
            fields = schema.INPUTS[token]
            old = {name: value for name, value in request.old_state.items() if name in fields}
        new = _with_ignored(request.new_inputs, request.old_state, request.ignore_changes)
        new = {k: v for k, v in new.items() if k != "version" and not k.startswith("__")}
        # Only a change of `triggers` as a whole is a replacement here; for one of its items the
        # program's SDK asks the engine for it (replaceOnChanges). CopyFile cannot update at all.
        return diff_properties(
            old, new, replaces=lambda path: token == schema.COPY_FILE or path == "triggers"
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        token = _known(request.type)
        digits = secrets.token_hex(4)
        if token not in _COMMANDS:
            await self._copy(request.urn, token, request.properties, preview=request.preview)
            return sdk.CreateResponse("" if request.preview else digits, request.properties)
        if request.preview:
            outputs = dict.fromkeys(("stdout", "stderr"), unknown())
        else:
            empty = {"stdout": wrap(""), "stderr": wrap("")}
            outputs = empty | await self._run(request.urn, "create", request.properties, {})
        return sdk.CreateResponse(request.name + digits, {**request.properties, **outputs})

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        token = _known(request.type)
        news = _with_ignored(request.news, request.olds, request.ignore_changes)
        if token == schema.COPY_FILE:
            raise NotSupportedError(f"Update is not implemented for resource {request.urn}")
        if token == schema.COPY_TO_REMOTE:
            if _must_copy_again(request.olds, news):
                await self._copy(request.urn, token, news, preview=request.preview)
            return sdk.UpdateResponse(news)
        kept = {name: request.olds[name] for name in _RUN_OUTPUTS if name in request.olds}
        outputs = {"stdout": wrap(""), "stderr": wrap("")} | kept
        if request.preview:
            outputs = dict.fromkeys(outputs, unknown())
        else:
            name = "update" if "update" in news else "create"
            outputs |= await self._run(request.urn, name, news, request.olds)
        return sdk.UpdateResponse({**news, **outputs})

    async def delete(self, request: sdk.DeleteRequest) -> None:
        if _known(request.type) in _COMMANDS:
            state = request.properties
            await self._run(request.urn, "delete", state, state)

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        # A command's effect cannot be looked at: the state is taken for the truth.
        return sdk.ReadResponse(request.resource_id, request.properties, request.inputs)

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        if request.tok != schema.LOCAL_RUN:
            raise NotSupportedError(f"the function {request.tok} is not one of this plugin's")
        args, failures = schema.check(request.tok, request.args)
        if failures:
            return sdk.InvokeResponse(None, failures)
        outputs = await self._run_local("", "command", args, {})
        return sdk.InvokeResponse({**args, **outputs})

    async def cancel(self) -> None:
        if self._sessions is not None:
            self._sessions.cancel()
        await self._groups.end_all()

    async def _run(
        self,
        urn: str,
        name: str,
        inputs: PropertyMap,
        last_state: Mapping[str, PropertyValue],
    ) -> PropertyMap:
        """Run the command `name` of a resource, if it has one, and give its outputs."""
        if name not in inputs:
            return {}
        if "connection" in inputs:
            return await self._run_remote(urn, name, inputs, last_state)
        return await self._run_local(urn, name, inputs, last_state)

    async def _run_local(
        self,
        urn: str,
        name: str,
        inputs: PropertyMap,
        last_state: Mapping[str, PropertyValue],
    ) -> PropertyMap:
        values, last = _plain_map(inputs), _last_output(last_state)
        run = local.from_inputs(name, str(values[name]), values, last)
        output = self._output(urn, inputs)
        await local.run(run, output, self._groups)
        made = await asyncio.to_thread(local.collect_assets, run)
        return {**_texts(output), **{key: wrap(value) for key, value in made.items()}}

    async def _run_remote(
        self,
        urn: str,
        name: str,
        inputs: PropertyMap,
        last_state: Mapping[str, PropertyValue],
    ) -> PropertyMap:
        values, last = _plain_map(inputs), _last_output(last_state)
        output = self._output(urn, inputs)
        await asyncio.to_thread(self._hosts(urn).run, name, values, last, output)
        return _texts(output)

    async def _copy(self, urn: str, token: str, inputs: PropertyMap, *, preview: bool) -> None:
        if preview:
            return
        values, hosts = _plain_map(inputs), self._hosts(urn)
        copy = hosts.copy_content if token == schema.COPY_TO_REMOTE else hosts.copy_file
        await asyncio.to_thread(copy, values)

    def _hosts(self, urn: str) -> "RemoteHosts":
        # Loaded late: the SSH library takes as long to load as the rest of this plugin, and a
        # preview never needs it.
        from standins.pulumi.command.remote import RemoteHosts  # noqa: PLC0415
        from standins.pulumi.command.ssh import Sessions  # noqa: PLC0415

        if self._sessions is None:
            self._sessions = Sessions()
        return RemoteHosts(
            self._sessions,
            status=lambda text: self._log.status(urn, text),
            warn=lambda text: self._log.warning(urn, text),
        )

    def _output(self, urn: str, inputs: PropertyMap) -> Output:
        logging = plain(inputs["logging"]) if "logging" in inputs else None
        return Output(
            Redactor(secret_texts(inputs)),
            logged_streams(logging),
            lambda line: self._log.status(urn, line),
        )


def _known(qualified: str) -> str:
    token = resource_token(qualified)
    if token not in schema.INPUTS:
        raise NotSupportedError(f"the resource type {token} is not one of this plugin's")
    return token


def _plain_map(properties: PropertyMap) -> dict[str, object]:
    return {name: plain(value) for name, value in properties.items()}


def _last_output(state: Mapping[str, PropertyValue]) -> dict[str, object]:
    return {name: plain(state[name]) for name in ("stdout", "stderr") if name in state}


def _texts(output: Output) -> PropertyMap:
    return {stream.value: PropertyValue(output.text(stream)) for stream in Stream}


def _with_ignored(
    news: PropertyMap, state: Mapping[str, PropertyValue], ignored: list[str]
) -> PropertyMap:
    return {**news, **{name: state[name] for name in ignored if name in state}}


def _must_copy_again(olds: Mapping[str, PropertyValue], news: PropertyMap) -> bool:
    diff = diff_properties(
        {name: value for name, value in olds.items() if name in ("source", "remotePath")},
        {name: value for name, value in news.items() if name in ("source", "remotePath")},
    )
    return bool(diff.changes)
