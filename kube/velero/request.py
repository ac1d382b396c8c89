"""The JSON that `python -m kube.velero` reads on stdin: parsed, validated, its secret hidden."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kube.kubeconfig import Kubeconfig
from kube.kubeconfig import parse as parse_kubeconfig

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


class Leave(Request):
    """The locations to leave. `restores`: remove the records of all restores as well."""

    locations: tuple[ObjectName, ...]
    restores: bool = True
