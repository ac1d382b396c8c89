"""The payload of the drill of layer `kube-objects`: cluster, Velero, and what to restore."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator

from drills.payload import Limits, Payload, PayloadError, Strict
from drills.points import Choice, parse_choice
from kube.errors import ClusterError
from kube.kubeconfig import Kubeconfig
from kube.kubeconfig import parse as parse_kubeconfig

READER = "drill"


class ClusterAccess(Strict):
    """The site's cluster. `uid`: of its namespace kube-system; nothing is done in another one."""

    kubeconfig: SecretStr
    context: str = ""
    uid: Annotated[str, Field(min_length=1)]

    def parsed(self) -> Kubeconfig:
        """Raises PayloadError."""
        try:
            return parse_kubeconfig(self.kubeconfig.get_secret_value(), self.context)
        except ClusterError as error:
            raise PayloadError(f"cluster.kubeconfig: {error}") from None


class VeleroPlace(Strict):
    """Where Velero runs, and where the backups of the location `location` lie in the store."""

    namespace: Annotated[str, Field(min_length=1)]
    location: Annotated[str, Field(min_length=1)]
    bucket: Annotated[str, Field(min_length=1)]
    prefix: str = ""

    def key(self, path: str) -> str:
        """An object's key in the bucket."""
        return f"{self.prefix.rstrip('/')}/{path}" if self.prefix else path


class ObjectLimits(Limits):
    """In seconds: age of the newest data, a restore's own time, and the whole drill's.

    What a drill made may be removed by others once `drill_seconds` are over.
    """

    rpo_seconds: Annotated[float, Field(gt=0, alias="rpoSeconds")]
    restore_seconds: Annotated[int, Field(gt=0, alias="restoreSeconds")] = 900
    drill_seconds: Annotated[int, Field(gt=0, alias="drillSeconds")] = 3600


class KubeObjectsPayload(Payload):
    """What the drill is told of a site. `namespaces`: names and globs, none for all of the backup.

    `custom`: further kinds, `<plural>.<group>`, that are harmless to restore aside.
    """

    layer: Literal["kube-objects"]
    cluster: ClusterAccess
    velero: VeleroPlace
    limits: ObjectLimits
    restore_point: Any = Field(alias="restorePoint", default="longest-unproven")
    schedules: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    custom: tuple[str, ...] = ()

    @field_validator("restore_point")
    @classmethod
    def _is_a_choice(cls, given: object) -> object:
        parse_choice(given)
        return given

    def choice(self) -> Choice:
        return parse_choice(self.restore_point)
