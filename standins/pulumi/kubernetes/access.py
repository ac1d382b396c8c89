"""What every kind of resource of this plugin is given: the settings, once they are known."""

from typing import Protocol

from pulumi.provider.experimental import provider as sdk

from standins.pulumi.kubernetes.settings import Settings
from standins.pulumi.plugin import PluginError


class Handler(Protocol):
    """Answers for one family of resource types. Errors are `PluginError`s, one sentence each."""

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse: ...

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse: ...

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse: ...

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse: ...

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse: ...

    async def delete(self, request: sdk.DeleteRequest) -> None: ...

    async def cancel(self) -> None:
        """The engine ends: stop what still runs."""
        ...


class Access:
    """The provider's configuration, shared by its handlers; replaced by each Configure."""

    def __init__(self) -> None:
        self._settings: Settings | None = None

    @property
    def known(self) -> bool:
        """False in a preview where a setting is the output of something not made yet."""
        return self._settings is not None

    @property
    def settings(self) -> Settings:
        """Raises PluginError while a setting is not known."""
        if self._settings is None:
            raise PluginError(
                "kubernetes provider: a setting is not known yet, so the cluster cannot be asked; "
                "run the update instead of the preview"
            )
        return self._settings

    def configure(self, settings: Settings | None) -> None:
        self._settings = settings
