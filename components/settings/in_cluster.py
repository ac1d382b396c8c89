"""Settings of an object store inside the cluster: where its data lies and who reaches it."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from components.settings.base import HIGHEST_PORT, Model, Name, network
from components.settings.volume_sources import volume_fault

# What the API server hands out by default (--service-node-port-range).
LOWEST_NODE_PORT, HIGHEST_NODE_PORT = 30000, 32767
LOWEST_FREE_PORT = 1024

Quantity = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
Cpu = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]*m|[1-9][0-9]*(\.[0-9]+)?)$")]
ServerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]

_TAGGED = re.compile(r"[a-z0-9][a-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_BY_DIGEST = re.compile(
    r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?@sha256:[0-9a-f]{64}"
)


class Storage(Model):
    """The store's volume: of a class, or by the source of a PersistentVolume.

    `location` says whether the data lies outside the cluster, where source or class do not tell.
    `folder`: the store's folder on the volume; "." is the volume's root.
    """

    class_name: Annotated[ObjectName | None, Field(alias="class")] = None
    volume: dict[str, Any] | None = None
    size: Quantity
    node_affinity: dict[str, Any] | None = None
    mount_options: tuple[str, ...] = ()
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    folder: Annotated[str, StringConstraints(pattern=r"^(\.|[A-Za-z0-9_-][A-Za-z0-9._-]*)$")] = (
        "minio"
    )
    location: Literal["outside", "inside"] | None = None

    @field_validator("volume")
    @classmethod
    def _source(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        fault = None if value is None else volume_fault(value)
        if fault:
            raise ValueError(fault)
        return value

    @field_validator("node_affinity")
    @classmethod
    def _terms(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        required = (value or {}).get("required")
        terms = required.get("nodeSelectorTerms") if isinstance(required, dict) else None
        if value is not None and not (
            isinstance(terms, list) and terms and set(value) == {"required"}
        ):
            raise ValueError("give required.nodeSelectorTerms, as in a PersistentVolume")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.class_name is None) == (self.volume is None):
            raise ValueError("give either class or volume, and only one of them")
        if self.volume is None and (self.node_affinity or self.mount_options):
            raise ValueError(
                "nodeAffinity and mountOptions belong to a volume; a class has its own"
            )
        if self.source in ("local", "hostPath") and not self.node_affinity:
            raise ValueError(
                f"{self.source} lies on one node; name it under nodeAffinity, or the store starts "
                "on another one with an empty folder"
            )
        return self

    @property
    def source(self) -> str | None:
        """The volume's source ("iscsi", …), None for a class."""
        return next(iter(self.volume), None) if self.volume else None


class Outside(Model):
    """How clients outside the cluster reach the store: an address and its NodePort."""

    address: ServerName
    node_port: Annotated[int, Field(ge=LOWEST_NODE_PORT, le=HIGHEST_NODE_PORT)] = 30900


class StoreNetwork(Model):
    """The store's NetworkPolicy: only these namespaces, and from outside only these networks."""

    enabled: bool = True
    allow_namespaces: tuple[Name, ...] = ("velero",)
    allow_from: tuple[str, ...] = ()

    @field_validator("allow_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(network, value))

    @model_validator(mode="after")
    def _allows_someone(self) -> Self:
        if self.enabled and not self.allow_from:
            raise ValueError(
                "allowFrom is empty; name the nodes and the machine that runs the program, or "
                "nothing outside the cluster reaches the store"
            )
        return self


class StoreCertificate(Model):
    """Times are days. `names`: what clients call the store besides its Service and address."""

    names: tuple[ServerName, ...] = ()
    ca_days: Annotated[int, Field(ge=365)] = 3650
    leaf_days: Annotated[int, Field(ge=7, le=398)] = 90
    renew_before_days: Annotated[int, Field(ge=1)] = 30

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.renew_before_days >= self.leaf_days:
            raise ValueError("renewBeforeDays must be less than leafDays")
        if self.ca_days <= self.leaf_days + self.renew_before_days:
            raise ValueError("caDays must be more than leafDays and renewBeforeDays together")
        return self


class StoreResources(Model):
    """What the server may use; MinIO is killed rather than slowed when memory ends."""

    cpu_request: Cpu = "100m"
    memory_request: Quantity = "512Mi"
    cpu_limit: Cpu | None = None
    memory_limit: Quantity = "2Gi"


class InClusterStore(Model):
    """MinIO as one pod of the cluster. `acknowledge_shared_fate`: see docs/object-store.md."""

    kind: Literal["inCluster"]
    namespace: Name = "object-store"
    name: Name = "minio"
    image: str = ""
    storage: Storage
    outside: Outside
    network: StoreNetwork
    certificate: StoreCertificate = StoreCertificate()
    resources: StoreResources = StoreResources()
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] = "eu-west-1"
    api_port: Annotated[int, Field(ge=LOWEST_FREE_PORT, le=HIGHEST_PORT)] = 9000
    cluster_domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+$")] = "cluster.local"
    user: Annotated[int, Field(ge=1)] = 1000
    stale_uploads_hours: Annotated[int, Field(ge=1)] = 24
    root_credential_generation: Annotated[int, Field(ge=1)] = 1
    health_seconds: Annotated[int, Field(ge=30)] = 300
    acknowledge_shared_fate: bool = False

    @field_validator("image")
    @classmethod
    def _pinned(cls, value: str) -> str:
        if not value or _BY_DIGEST.fullmatch(value):
            return value
        if not _TAGGED.fullmatch(value) or value.endswith(":latest"):
            raise ValueError(f"{value} is not pinned; name a tag other than latest, or a digest")
        return value

    @field_validator("namespace")
    @classmethod
    def _own(cls, value: str) -> str:
        if value.startswith("kube-") or value in ("default", "velero", "longhorn-system"):
            raise ValueError(f"{value} is another's; the store needs a namespace of its own")
        return value
