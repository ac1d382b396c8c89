"""What a site's canary is, as plain data: what its objects and its writer's config are made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from canary import writer
from canary.contents import Content, Method

NOBODY = 65532
POD_VOLUMES = ("code", "state", "store")
"""Names of the pod's own volumes, which no claim may have."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
"""A volume's name: a DNS label, shorter than one may be, for the claim's has more parts."""


@dataclass(frozen=True)
class StoreAccess:
    """Where truths go and how the pod gets there.

    `endpoint` is https://host:port. `networks` are CIDRs of the store's addresses, `namespace` the
    one it runs in if it is in the cluster; `port` is the one it listens at. `dns_networks` are for
    resolvers that are no pods of kube-system, such as a node's own.
    """

    endpoint: str
    region: str
    bucket: str
    prefix: str
    ca_pem: str = field(repr=False)
    port: int
    secret_name: str = "canary-store"  # noqa: S105  (an object's name)
    networks: tuple[str, ...] = ()
    namespace: str = ""
    dns_networks: tuple[str, ...] = ()
    attempts: int = 3
    request_seconds: float = 5.0
    budget_seconds: float = 20.0


@dataclass(frozen=True)
class CanaryVolume:
    """One claim. `files` None: what suits the method. Labels and annotations are the claim's.

    Raises ValueError for a name that cannot be a volume's.
    """

    name: str
    method: Method
    storage_class: str
    size: str = "256Mi"
    files: tuple[Content, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in POD_VOLUMES:
            raise ValueError(
                f"canary volume {self.name!r}: give a name of up to 42 small letters, digits and "
                f"dashes that is none of {', '.join(POD_VOLUMES)}"
            )


@dataclass(frozen=True)
class Resources:
    """What the pod asks for and may take; the probes start an interpreter each."""

    cpu_request: str = "20m"
    memory_request: str = "32Mi"
    memory_limit: str = "128Mi"


@dataclass(frozen=True)
class Canary:
    """The canary of one site.

    `image` holds a python3 of 3.9 or later. `user` 0 runs as root, with only the capabilities that
    giving files away needs: it takes that to write files of several owners. `hold`: hooks keep the
    volumes still while they are backed up, without which a file-system backup may meet a
    generation that is being dropped, and then fails.

    Raises ValueError when there is no volume or two have one name.
    """

    site: str
    image: str
    volumes: tuple[CanaryVolume, ...]
    store: StoreAccess | None
    namespace: str = "backstop-canary"
    period_seconds: float = 60.0
    keep: int = 3
    user: int = NOBODY
    hold: bool = True
    hold_seconds: int = writer.HOLD_SECONDS
    pull_policy: str = "IfNotPresent"
    resources: Resources = Resources()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [volume.name for volume in self.volumes]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"canary of {self.site}: give it volumes, each with a name of its own, not "
                f"{', '.join(names) or 'none'}"
            )

    @property
    def as_root(self) -> bool:
        return self.user == 0
