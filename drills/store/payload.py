"""The payload of the drill of layer `store`: every client, bucket and server of one site."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drills.payload import KeyPair, Limits, NamedKey, Payload, Strict
from drills.store.capabilities import TABLE, Role
from s3.client import StoreEndpoint
from s3.settings import Bucket


class Client(NamedKey):
    """One client of the store. An empty `bucket` is legal here and red in the drill: scope lost."""

    role: Role
    bucket: str
    prefix: str = ""

    @model_validator(mode="after")
    def _prefix_is_a_folder(self) -> "Client":
        if self.prefix and (not self.prefix.endswith("/") or self.prefix.startswith("/")):
            raise ValueError(f"prefix of client {self.name} must end, not begin, with a slash")
        return self


class StoreLimits(Limits):
    """Bounds the drill holds the store to: days, seconds; `rto_seconds` is for the reading back."""

    certificate_min_days: Annotated[int, Field(ge=0, alias="certificateMinDays")]
    clock_skew_seconds: Annotated[float, Field(gt=0, alias="clockSkewSeconds")]


class Node(Strict):
    """Another server of the same store: https://host:port and the names that clients call it."""

    endpoint: str
    tls_names: tuple[str, ...] = Field(alias="tlsNames")


class StorePayload(Payload):
    """What the drill is told of a site. `admin` is for `control store` only.

    A client whose role keeps to the site has, once parsed, the site's folder for its prefix.
    """

    layer: Literal["store"]
    tls_names: tuple[str, ...] = Field(alias="tlsNames")
    nodes: tuple[Node, ...] = ()
    clients: tuple[Client, ...]
    buckets: tuple[Bucket, ...]
    limits: StoreLimits
    admin: KeyPair | None = None

    @model_validator(mode="after")
    def _confined(self) -> Self:
        clients = (
            client.model_copy(update={"prefix": f"{client.prefix}{self.site}/"})
            if TABLE[client.role].keeps_to_site
            else client
            for client in self.clients
        )
        return self.model_copy(update={"clients": tuple(clients)})

    def endpoints(self) -> Sequence[StoreEndpoint]:
        others = (StoreEndpoint(node.endpoint, self.region, self.ca_pem) for node in self.nodes)
        return (self.store(), *others)

    def servers(self) -> list[tuple[StoreEndpoint, str]]:
        """Every name of every server, with the endpoint that must answer to it."""
        names = (self.tls_names, *(node.tls_names for node in self.nodes))
        return [
            (endpoint, name)
            for endpoint, called in zip(self.endpoints(), names, strict=True)
            for name in dict.fromkeys((endpoint.host, *called))
        ]
