"""The JSON that `python -m kube` reads on stdin: parsed, validated, its secret hidden."""

import json
from typing import Literal

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


def read(text: str) -> Request:
    """The request in `text`. Raises PayloadError; offending values are never repeated."""
    try:
        return Request.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "input"
        raise PayloadError(f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except ValueError:
        raise PayloadError("stdin is no JSON: give one JSON object") from None
