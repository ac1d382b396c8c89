"""The JSON that `python -m escrow` reads on stdin: parsed, validated, its secrets hidden."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from s3.client import Credential, StoreEndpoint
from s3.settings import one_sentence


class RequestError(Exception):
    """The input is no request; the text is one sentence that names the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Guarded(_Strict):
    """What the secret must open: content below `prefix` without an escrow needs the old secret."""

    bucket: Annotated[str, Field(min_length=1)]
    prefix: str


class Request(_Strict):
    """Which secret, and the evidence bucket that holds it. The credential may write there.

    `secret`: the value to keep if none is kept yet; without it one is born.
    """

    schema_version: Literal[1] = Field(alias="schema")
    site: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    endpoint: str
    region: Annotated[str, Field(min_length=1)]
    ca_pem: str = Field(alias="caPem")
    access_key: SecretStr = Field(alias="accessKey")
    secret_key: SecretStr = Field(alias="secretKey")
    bucket: Annotated[str, Field(min_length=3)]
    passphrase: SecretStr
    secret: SecretStr | None = None
    guarded: Guarded | None = None

    def store(self) -> StoreEndpoint:
        return StoreEndpoint(self.endpoint, self.region, self.ca_pem)

    def credential(self) -> Credential:
        return Credential(self.access_key.get_secret_value(), self.secret_key.get_secret_value())


def parse(text: str) -> Request:
    """The request in `text`. Raises RequestError; offending values are never repeated."""
    try:
        request = Request.model_validate(json.loads(text))
        request.store()
    except json.JSONDecodeError as error:
        raise RequestError(f"stdin is no JSON (line {error.lineno}): give one object") from error
    except ValidationError as error:
        raise RequestError(one_sentence(error)) from None  # its text would show the input
    except ValueError as error:
        raise RequestError(str(error)) from error
    if not request.passphrase.get_secret_value():
        raise RequestError("passphrase: is empty; set config backstop:escrowPassphrase")
    if request.secret is not None and not request.secret.get_secret_value():
        raise RequestError("secret: is empty; leave it out, or give the secret to keep")
    return request
