"""The provider: Pulumi's questions, answered with the pure parts and the resources."""

import asyncio
import json
from typing import TYPE_CHECKING

from pulumi.provider.experimental import provider as sdk

from standins.pulumi.minio import DESCRIPTION, PACKAGE, VERSION, settings, state
from standins.pulumi.minio.check import Failure, check
from standins.pulumi.minio.diff import Change, diff
from standins.pulumi.minio.keyed_locks import KeyedLocks
from standins.pulumi.minio.schema import RESOURCES, Fields
from standins.pulumi.minio.values import Props, contains_unknown
from standins.pulumi.minio.wire import from_wire, to_wire
from standins.pulumi.plugin import InitFailedError, PluginError, resource_token
from standins.pulumi.values import PropertyMap

if TYPE_CHECKING:
    # Imported when the first resource needs the server: previews and checks start without it.
    from standins.pulumi.minio.resources.base import Found, Resource
    from standins.pulumi.minio.store import Store

_KINDS = {
    Change.ADD: (sdk.PropertyDiffKind.ADD, sdk.PropertyDiffKind.ADD_REPLACE),
    Change.DELETE: (sdk.PropertyDiffKind.DELETE, sdk.PropertyDiffKind.DELETE_REPLACE),
    Change.UPDATE: (sdk.PropertyDiffKind.UPDATE, sdk.PropertyDiffKind.UPDATE_REPLACE),
}


class MinioProvider(sdk.Provider):
    """One configured provider. Calls may come in parallel; each talks to the server in a thread."""

    def __init__(self) -> None:
        self._settings: settings.Settings | None = None
        self._store: Store | None = None
        self._writing = KeyedLocks()

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002  (the protocol's)
        schema = {"name": PACKAGE, "version": VERSION, "description": DESCRIPTION}
        return sdk.GetSchemaResponse(schema=json.dumps(schema))

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        failures = settings.check(from_wire(request.new_inputs))
        return sdk.CheckResponse(request.new_inputs, [_failure(one) for one in failures])

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:  # noqa: ARG002  (the protocol's)
        # As the official plugin: the engine compares the settings itself, none of them replaces.
        return sdk.DiffResponse()

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        config = from_wire(request.args)
        # In a preview a setting may be the output of a resource still to be made.
        if not contains_unknown(config):
            _raise_first(settings.check(config))
            try:
                self._settings = await asyncio.to_thread(settings.load, config)
            except ValueError as error:
                raise PluginError(str(error)) from error
            self._store = None
        # As the official plugin: the engine keeps the secret marks of the inputs itself.
        return sdk.ConfigureResponse(supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        fields = _fields(resource_token(request.type))
        inputs, failures = check(
            resource_token(request.type),
            request.name,
            from_wire(request.old_inputs),
            from_wire(request.new_inputs),
            request.random_seed,
        )
        return sdk.CheckResponse(to_wire(inputs, fields), [_failure(one) for one in failures])

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        _fields(resource_token(request.type))
        found = diff(
            resource_token(request.type),
            from_wire(request.old_state),
            from_wire(request.new_inputs),
            request.ignore_changes,
        )
        return sdk.DiffResponse(
            changes=bool(found.changes),
            replaces=list(found.replaces),
            stables=list(found.stables),
            diffs=found.names,
            detailed_diff={
                path: sdk.PropertyDiff(_KINDS[change][path in found.replaces], input_diff=False)
                for path, change in found.changes.items()
            },
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        fields = _fields(resource_token(request.type))
        inputs = from_wire(request.properties)
        planned = state.planned(resource_token(request.type), {}, inputs)
        if request.preview:
            return sdk.CreateResponse("", to_wire(planned, fields))
        found = await asyncio.to_thread(
            self._create, resource_token(request.type), planned, request.properties
        )
        return sdk.CreateResponse(found.id, _kept(found.id, found.state, fields))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        fields = _fields(resource_token(request.type))
        kept, inputs = from_wire(request.properties), from_wire(request.inputs)
        found = await asyncio.to_thread(
            self._read, resource_token(request.type), request.resource_id, kept
        )
        if found is None:
            return sdk.ReadResponse("")
        implied = state.implied_inputs(resource_token(request.type), found.state, inputs)
        return sdk.ReadResponse(
            found.id, _kept(found.id, found.state, fields), to_wire(implied, fields)
        )

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        fields = _fields(resource_token(request.type))
        kept = from_wire(request.olds)
        planned = state.planned(resource_token(request.type), kept, from_wire(request.news))
        if not request.preview:
            planned = await asyncio.to_thread(
                self._update, resource_token(request.type), request.resource_id, kept, planned
            )
        return sdk.UpdateResponse(_kept(request.resource_id, planned, fields))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        _fields(resource_token(request.type))
        kept = from_wire(request.properties)
        await asyncio.to_thread(
            self._delete, resource_token(request.type), request.resource_id, kept
        )

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        raise PluginError(f"{DESCRIPTION}: it has no function {request.tok}")

    async def cancel(self) -> None:
        """Nothing to do: calls to the server are short and end by themselves."""

    def _create(self, token: str, planned: Props, inputs: PropertyMap) -> "Found":
        from standins.pulumi.minio.resources.base import PartlyCreatedError  # noqa: PLC0415  (loads the SDK)

        try:
            with self._writing.of(planned.get("bucket")):
                return self._resource(token).create(self._connected(), planned)
        except PartlyCreatedError as error:
            properties = _kept(error.found.id, error.found.state, RESOURCES[token])
            raise InitFailedError(str(error), error.found.id, properties, inputs) from error

    def _read(self, token: str, resource_id: str, kept: Props) -> "Found | None":
        known = {name: value for name, value in kept.items() if name in RESOURCES[token]}
        return self._resource(token).read(self._connected(), resource_id, known)

    def _update(self, token: str, resource_id: str, kept: Props, planned: Props) -> Props:
        with self._writing.of(planned.get("bucket")):
            return self._resource(token).update(self._connected(), resource_id, kept, planned)

    def _delete(self, token: str, resource_id: str, kept: Props) -> None:
        with self._writing.of(kept.get("bucket")):
            self._resource(token).delete(self._connected(), resource_id, kept)

    def _resource(self, token: str) -> "Resource":
        from standins.pulumi.minio.resources import BY_TOKEN  # noqa: PLC0415  (loads the SDK)

        return BY_TOKEN[token]

    def _connected(self) -> "Store":
        if self._settings is None:
            raise PluginError(
                "minio provider: a setting is not known yet, so the object store cannot be asked; "
                "run the update instead of the preview"
            )
        if self._store is None:
            from standins.pulumi.minio.store import connect  # noqa: PLC0415  (loads the SDK)

            try:
                # Two threads may both get here: then one of two equal clients is dropped.
                self._store = connect(self._settings)
            except ValueError as error:
                raise PluginError(str(error)) from error
        return self._store


def _fields(token: str) -> Fields:
    if token not in RESOURCES:
        raise PluginError(
            f"{DESCRIPTION}: it has no resource {token}; "
            "install the official plugin with `pulumi plugin install resource minio 0.17.1`"
        )
    return RESOURCES[token]


def _kept(resource_id: str, props: Props, fields: Fields) -> PropertyMap:
    return to_wire({**props, "id": resource_id}, fields)


def _failure(found: Failure) -> sdk.CheckFailure:
    return sdk.CheckFailure(found.property, found.reason)


def _raise_first(failures: list[Failure]) -> None:
    if failures:
        raise PluginError(failures[0].reason)
