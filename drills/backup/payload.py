"""What the payloads of all drills share that restore from a Velero backup."""

from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator

from drills.payload import KeyPair, Limits, Payload, PayloadError, Strict
from drills.point_choice import Choice, parse_choice
from kube.errors import ClusterError
from kube.kubeconfig import Kubeconfig
from kube.kubeconfig import parse as parse_kubeconfig

READER = "drill"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
"""Of an object of the cluster."""


class CanaryClaims(Strict):
    """The claims of the canary's volumes, by name, in its namespace."""

    namespace: Name
    claims: tuple[Name, ...]


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


class BackupLimits(Limits):
    """In seconds: age of the newest data, a restore's own time, and the whole drill's.

    What a drill made may be removed by others once `drill_seconds` are over.
    """

    rpo_seconds: Annotated[float, Field(gt=0, alias="rpoSeconds")]
    restore_seconds: Annotated[int, Field(gt=0, alias="restoreSeconds")] = 900
    drill_seconds: Annotated[int, Field(gt=0, alias="drillSeconds")] = 3600


class BackupPayload(Payload):
    """What such a drill is told of a site.

    `namespaces`: names and globs, none for all of the backup. `schedules`: those whose backups it
    chooses from, none for all of the location. `admin`: who may make a bucket for damaged copies;
    only controls ask for it. `surroundings`: controls plant faults in the live cluster as well.
    """

    cluster: ClusterAccess
    velero: VeleroPlace
    limits: BackupLimits
    restore_point: Any = Field(alias="restorePoint", default="longest-unproven")
    schedules: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    admin: KeyPair | None = None
    surroundings: bool = False

    @field_validator("restore_point")
    @classmethod
    def _is_a_choice(cls, given: object) -> object:
        parse_choice(given)
        return given

    def choice(self) -> Choice:
        return parse_choice(self.restore_point)

    def check(self) -> None:
        """What can be told before anything is asked of the site. Raises PayloadError."""
        self.cluster.parsed()
        self.client(READER)

    def check_drill(self) -> None:
        """The same, of a drill without its controls. Raises PayloadError."""
        self.check()
        if self.admin is not None:
            raise PayloadError("admin: a drill takes no administrator; only `control` does")
        if self.surroundings:
            raise PayloadError("surroundings: a drill plants no faults; only `control` does")
