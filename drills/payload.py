"""The JSON a drill of layer `store` reads on stdin: parsed, validated, its secrets hidden."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from drills.capabilities import Role
from s3.client import Credential, StoreEndpoint
from s3.settings import Bucket, one_sentence

SCHEMA = 1


class PayloadError(Exception):
    """The input is not a payload; the text is one sentence that names the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class KeyPair(_Strict):
    """An access key pair, hidden from repr."""

    access_key: SecretStr = Field(alias="accessKey")
    secret_key: SecretStr = Field(alias="secretKey")

    def credential(self) -> Credential:
        return Credential(self.access_key.get_secret_value(), self.secret_key.get_secret_value())


class Client(KeyPair):
    """One client of the store. An empty `bucket` is legal here and red in the drill: scope lost."""

    name: Annotated[str, Field(min_length=1)]
    role: Role
    bucket: str
    prefix: str = ""

    @model_validator(mode="after")
    def _prefix_is_a_folder(self) -> "Client":
        if self.prefix and (not self.prefix.endswith("/") or self.prefix.startswith("/")):
            raise ValueError(f"prefix of client {self.name} must end, not begin, with a slash")
        return self


class Limits(_Strict):
    """Bounds the drill holds the store to: days, seconds, seconds."""

    certificate_min_days: Annotated[int, Field(ge=0, alias="certificateMinDays")]
    clock_skew_seconds: Annotated[float, Field(gt=0, alias="clockSkewSeconds")]
    rto_seconds: Annotated[float, Field(gt=0, alias="rtoSeconds")]


class Evidence(_Strict):
    """Where receipts are appended, and by which client (a name from `clients`)."""

    bucket: Annotated[str, Field(min_length=1)]
    prefix: str
    client: str


class Node(_Strict):
    """Another server of the same store: https://host:port and the names that clients call it."""

    endpoint: str
    tls_names: tuple[str, ...] = Field(alias="tlsNames")


class Payload(_Strict):
    """The contract between the program and the drill, schema 1. See docs/drills.md."""

    schema_version: Literal[1] = Field(alias="schema")
    layer: Literal["store"]
    site: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    endpoint: str
    region: Annotated[str, Field(min_length=1)]
    ca_pem: str = Field(alias="caPem")
    tls_names: tuple[str, ...] = Field(alias="tlsNames")
    nodes: tuple[Node, ...] = ()
    clients: tuple[Client, ...]
    buckets: tuple[Bucket, ...]
    limits: Limits
    evidence: Evidence | None
    receipts_dir: str | None = Field(alias="receiptsDir")
    on_red: Literal["fail", "warn"] = Field(alias="onRed")
    control: str
    admin: KeyPair | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> "Payload":
        names = [client.name for client in self.clients]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"clients: the name {doubled[0]} is given twice; rename one")
        if self.evidence is not None and self.evidence.client not in names:
            raise ValueError(
                f"evidence.client: {self.evidence.client} is none of the clients; name one of them"
            )
        return self

    def store(self) -> StoreEndpoint:
        return StoreEndpoint(self.endpoint, self.region, self.ca_pem)

    def servers(self) -> list[tuple[StoreEndpoint, str]]:
        """Every name of every server, with the endpoint that must answer to it."""
        store = self.store()
        named = [(store, name) for name in dict.fromkeys((store.host, *self.tls_names))]
        for node in self.nodes:
            other = StoreEndpoint(node.endpoint, self.region, self.ca_pem)
            named += [(other, name) for name in dict.fromkeys((other.host, *node.tls_names))]
        return named

    def of_role(self, role: Role) -> Client | None:
        """The first client of a role."""
        return next((client for client in self.clients if client.role is role), None)


def parse(text: str) -> Payload:
    """The payload in `text`. Raises PayloadError; offending values are never repeated."""
    try:
        payload = Payload.model_validate(json.loads(text))
        payload.servers()
    except json.JSONDecodeError as error:
        raise PayloadError(f"stdin is no JSON (line {error.lineno}): give one object") from error
    except ValidationError as error:
        raise PayloadError(one_sentence(error)) from None  # its text would show the input
    except ValueError as error:
        raise PayloadError(str(error)) from error
    return payload
