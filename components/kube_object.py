"""Any object of a cluster, registered as the manifest that the API takes.

The SDK's own class for custom resources knows no fields beside `spec`, and its typed classes rename
keys of plain data; the engine's side of both is the same resource.
"""

from collections.abc import Mapping
from typing import Any

import pulumi


def token(manifest: Mapping[str, Any]) -> str:
    """The resource type of the manifest's kind, as the kubernetes provider names it."""
    version = str(manifest["apiVersion"])
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"


class KubeObject(pulumi.CustomResource):
    """One object. `manifest`: with apiVersion, kind and metadata; a name left out is made up."""

    metadata: pulumi.Output[Mapping[str, Any]]

    def __init__(
        self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__(token(manifest), name, dict(manifest), opts)


class KubePatch(pulumi.CustomResource):
    """Fields of an object that somebody else made: server-side apply of what `manifest` holds.

    Deleted, it gives its fields up, and what nobody owns then is gone from the object.
    """

    def __init__(
        self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__(f"{token(manifest)}Patch", name, dict(manifest), opts)
