"""The provider: Pulumi's questions, handed to the part that answers for the resource's type."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from standins.pulumi.kubernetes import DESCRIPTION, PACKAGE, VERSION, configuration, settings
from standins.pulumi.kubernetes.access import Access, Handler
from standins.pulumi.kubernetes.values import Props, contains_unknown, from_wire
from standins.pulumi.plugin import EngineLog, PluginError, resource_token

HELM_RELEASE = "kubernetes:helm.sh/v3:Release"


class KubernetesProvider(sdk.Provider):
    """One configured provider. Calls may come in parallel."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._access = Access()
        self._releases: Handler | None = None
        self._manifests: Handler | None = None

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002  (the protocol's)
        schema = {"name": PACKAGE, "version": VERSION, "description": DESCRIPTION}
        return sdk.GetSchemaResponse(schema=json.dumps(schema))

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        failures = settings.check(_config(request.new_inputs))
        return sdk.CheckResponse(
            request.new_inputs, [sdk.CheckFailure(one.property, one.reason) for one in failures]
        )

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        old, new = _config(request.old_state), _config(request.new_inputs)
        differing, replacing = configuration.changed(old, new, Path.home())
        return sdk.DiffResponse(
            changes=bool(differing),
            diffs=differing,
            replaces=replacing,
            detailed_diff={
                key: sdk.PropertyDiff(
                    sdk.PropertyDiffKind.UPDATE_REPLACE
                    if key in replacing
                    else sdk.PropertyDiffKind.UPDATE,
                    input_diff=True,
                )
                for key in differing
            },
        )

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        config = _config(request.args)
        found = None
        # In a preview a setting may be the output of a resource still to be made.
        if not contains_unknown(config):
            failures = settings.check(config)
            if failures:
                raise PluginError(failures[0].reason)
            try:
                found = await asyncio.to_thread(settings.load, config, os.environ, Path.home())
            except ValueError as error:
                raise PluginError(str(error)) from error
        self._access.configure(found)
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return await self._handler(request.type).check(request)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        return await self._handler(request.type).diff(request)

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        return await self._handler(request.type).create(request)

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        return await self._handler(request.type).read(request)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        return await self._handler(request.type).update(request)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        await self._handler(request.type).delete(request)

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        raise PluginError(f"{DESCRIPTION}: it has no function {request.tok}")

    async def cancel(self) -> None:
        for handler in (self._manifests, self._releases):
            if handler is not None:
                await handler.cancel()

    def _handler(self, qualified: str) -> Handler:
        if resource_token(qualified) == HELM_RELEASE:
            return self._helm()
        if self._manifests is None:
            # Loaded with the first object: the plugin itself starts without an HTTP client.
            from standins.pulumi.kubernetes.manifests import Manifests  # noqa: PLC0415

            self._manifests = Manifests(self._access, self._log)
        return self._manifests

    def _helm(self) -> Handler:
        if self._releases is None:
            # Loaded when the first release comes: most updates of a program have none.
            from standins.pulumi.kubernetes.helm_release import HelmReleases  # noqa: PLC0415

            self._releases = HelmReleases(self._access, self._log)
        return self._releases


def _config(properties: Mapping[str, PropertyValue]) -> Props:
    try:
        return from_wire(properties)
    except ValueError as error:
        raise PluginError(f"kubernetes provider: {error}") from error
