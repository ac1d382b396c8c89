"""The JSON that this package's commands read on stdin: parsed, validated, its secret hidden."""

import json
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError


class PayloadError(Exception):
    """The input is no request; the text is one sentence that names the key."""


class Request(BaseModel):
    """Which cluster. `context` "": the kubeconfig's current one; `uid` "": any cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    kubeconfig: SecretStr
    context: str = ""
    uid: str = ""


AnyForm = TypeVar("AnyForm", bound=BaseModel)


def read(form: type[AnyForm], text: str) -> AnyForm:
    """The request in `text`. Raises PayloadError; offending values are never repeated."""
    try:
        return form.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "input"
        raise PayloadError(f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except ValueError:
        raise PayloadError("stdin is no JSON: give one JSON object") from None
