"""The JSON that `python -m kube.velero` reads on stdin: parsed, validated, its secret hidden."""

import json
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from kube.kubeconfig import Kubeconfig
from kube.kubeconfig import parse as parse_kubeconfig
from kube.payload import PayloadError

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class Request(BaseModel):
    """Which cluster, and where Velero runs in it. `seconds`: how long to wait at most."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    kubeconfig: SecretStr
    context: str = ""
    namespace: ObjectName
    seconds: Annotated[int, Field(ge=1)]

    def cluster(self) -> Kubeconfig:
        """Raises ClusterError."""
        return parse_kubeconfig(self.kubeconfig.get_secret_value(), self.context)


class Available(Request):
    """`plugins`: names that the server must have registered; `secrets`: what locations use.

    `credential_label`: other Secrets that bear this label held former credentials, and go.
    """

    locations: tuple[ObjectName, ...]
    secrets: tuple[ObjectName, ...] = ()
    plugins: tuple[str, ...] = ()
    credential_label: str = Field(alias="credentialLabel", default="")


class Enabled(Request):
    """The schedules that must be accepted."""

    schedules: tuple[ObjectName, ...]


class FirstBackup(Request):
    """`labels`: those by which a backup of today's template is known."""

    schedule: ObjectName
    labels: dict[str, str]


class Leave(Request):
    """The locations to leave. `restores`: remove the records of all restores as well."""

    locations: tuple[ObjectName, ...]
    restores: bool = True


AnyRequest = TypeVar("AnyRequest", bound=Request)


def read(kind: type[AnyRequest], text: str) -> AnyRequest:
    """The request in `text`. Raises PayloadError; offending values are never repeated."""
    try:
        return kind.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "input"
        raise PayloadError(f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except ValueError:
        raise PayloadError("stdin is no JSON: give one JSON object") from None
