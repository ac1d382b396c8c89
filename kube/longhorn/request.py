"""The JSON that `python -m kube.longhorn` reads on stdin.

Every request: {"schema": 1, "kubeconfig", "context": "", "uid": "", "namespace": "longhorn-system",
"seconds"}. `target` adds "targets": [{"name", "url", "credentialSecret"}]. `first-backup` adds
"jobs": [] (names; none means every job that makes backups) and "atOnce": 5 (volumes at a time).
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kube.kubeconfig import Kubeconfig
from kube.kubeconfig import parse as parse_kubeconfig
from kube.longhorn.api import NAMESPACE
from kube.longhorn.available import Wanted
from kube.payload import Request

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$")]


class LonghornRequest(Request):
    """Which Longhorn. `seconds`: how long to wait at most."""

    namespace: ObjectName = NAMESPACE
    seconds: Annotated[int, Field(ge=1)]

    def cluster(self) -> Kubeconfig:
        """Raises ClusterError."""
        return parse_kubeconfig(self.kubeconfig.get_secret_value(), self.context)


class DeclaredTarget(BaseModel):
    """A target as it should be."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: ObjectName
    url: Annotated[str, Field(pattern=r"^[a-z0-9]+://")]
    credential_secret: ObjectName = Field(alias="credentialSecret")

    def wanted(self) -> Wanted:
        return Wanted(self.name, self.url, self.credential_secret)


class TargetRequest(LonghornRequest):
    """The targets that must be available."""

    targets: Annotated[tuple[DeclaredTarget, ...], Field(min_length=1)]


class FirstBackupRequest(LonghornRequest):
    """`jobs`: those whose volumes count; empty means every job that makes backups."""

    jobs: tuple[ObjectName, ...] = ()
    at_once: Annotated[int, Field(ge=1, le=100)] = Field(alias="atOnce", default=5)
