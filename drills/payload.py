"""The JSON a drill reads on stdin: what the payloads of all layers share, and how one is read.

A layer derives its own form from `Payload`; secrets are hidden, and an unknown key is an error.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from s3.client import Credential, StoreEndpoint
from s3.settings import one_sentence

SCHEMA = 1


class PayloadError(Exception):
    """The input is not a payload; the text is one sentence that names the key."""


class Strict(BaseModel):
    """A part of a payload: its keys are all known, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class KeyPair(Strict):
    """An access key pair, hidden from repr."""

    access_key: SecretStr = Field(alias="accessKey")
    secret_key: SecretStr = Field(alias="secretKey")

    def credential(self) -> Credential:
        return Credential(self.access_key.get_secret_value(), self.secret_key.get_secret_value())


class NamedKey(KeyPair):
    """The key pair of one client of the store; a layer's own form may say more about the client."""

    name: Annotated[str, Field(min_length=1)]


class Limits(Strict):
    """Bounds that every layer is held to; `rto_seconds` is the time to usable."""

    rto_seconds: Annotated[float, Field(gt=0, alias="rtoSeconds")]


class Evidence(Strict):
    """Where receipts are appended, and by which client (a name from `clients`)."""

    bucket: Annotated[str, Field(min_length=1)]
    prefix: str
    client: str


class Site(Strict):
    """What everything that is told of a site is told: its store, and who may do what there."""

    schema_version: Literal[1] = Field(alias="schema")
    site: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    endpoint: str
    region: Annotated[str, Field(min_length=1)]
    ca_pem: str = Field(alias="caPem")
    clients: tuple[NamedKey, ...]
    evidence: Evidence | None
    receipts_dir: str | None = Field(alias="receiptsDir")

    @model_validator(mode="after")
    def _clients_are_told_apart(self) -> Self:
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

    def endpoints(self) -> Sequence[StoreEndpoint]:
        """Every server of the store. Raises ValueError for an address or a CA that is none."""
        return (self.store(),)

    def client(self, name: str) -> NamedKey:
        """The client of that name. Raises PayloadError if there is none."""
        for each in self.clients:
            if each.name == name:
                return each
        raise PayloadError(f"clients: {name} is missing; add its key pair")


class Payload(Site):
    """The contract between the program and a drill, schema 1. See docs/drills.md.

    A layer narrows `layer` to its name, and `clients` and `limits` to forms of its own.
    """

    layer: str
    limits: Limits
    on_red: Literal["fail", "warn"] = Field(alias="onRed")
    control: str


AnySite = TypeVar("AnySite", bound=Site)


def parse(form: type[AnySite], text: str) -> AnySite:
    """The payload in `text`. Raises PayloadError; offending values are never repeated."""
    try:
        payload = form.model_validate(json.loads(text))
        payload.endpoints()
    except json.JSONDecodeError as error:
        raise PayloadError(f"stdin is no JSON (line {error.lineno}): give one object") from error
    except ValidationError as error:
        raise PayloadError(one_sentence(error)) from None  # its text would show the input
    except ValueError as error:
        raise PayloadError(str(error)) from error
    return payload
