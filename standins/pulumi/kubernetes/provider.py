"""The provider: Pulumi's questions, handed to the part that answers for the resource's type."""

import json

from pulumi.provider.experimental import provider as sdk

from standins.pulumi.kubernetes import DESCRIPTION, PACKAGE, VERSION
from standins.pulumi.kubernetes.access import Access, Handler
from standins.pulumi.plugin import EngineLog, PluginError, resource_token

HELM_RELEASE = "kubernetes:helm.sh/v3:Release"


class KubernetesProvider(sdk.Provider):
    """One configured provider. Calls may come in parallel."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._access = Access()
        self._releases: Handler | None = None

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002  (the protocol's)
        schema = {"name": PACKAGE, "version": VERSION, "description": DESCRIPTION}
        return sdk.GetSchemaResponse(schema=json.dumps(schema))

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
        if self._releases is not None:
            await self._releases.cancel()

    def _handler(self, qualified: str) -> Handler:
        token = resource_token(qualified)
        if token == HELM_RELEASE:
            return self._helm()
        raise PluginError(f"{DESCRIPTION}: it has no resource {token}")

    def _helm(self) -> Handler:
        if self._releases is None:
            # Loaded when the first release comes: most updates of a program have none.
            from standins.pulumi.kubernetes.helm_release import HelmReleases  # noqa: PLC0415

            self._releases = HelmReleases(self._access, self._log)
        return self._releases
