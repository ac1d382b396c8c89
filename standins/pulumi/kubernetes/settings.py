"""The provider's configuration, checked and turned into `Settings`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """Which cluster, and how the plugin behaves.

    `kubeconfig` is the text of the file (never a path), without it the plugin has no cluster.
    """

    kubeconfig: str = field(repr=False)
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    server_side_apply: bool = True
    patch_force: bool = False
    config_map_mutable: bool = False
    secret_mutable: bool = False
    upsert_existing: bool = False
