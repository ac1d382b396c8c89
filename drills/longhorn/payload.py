"""The payload of the drill of layer `longhorn`."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from drills.backup.payload import READER, ClusterAccess
from drills.backupstore.errors import BackupStoreError
from drills.backupstore.url import Target, parse_target
from drills.longhorn.live.settings import LiveRestores
from drills.payload import Limits, Payload, Strict
from drills.volumes.payload import CanaryTruth

Text = Annotated[str, Field(min_length=1)]
MOST_DAYS = 366
MOST_WORKERS = 64


class LonghornLimits(Limits):
    """In seconds: age of the newest data, and the whole drill's own time.

    `rpo_by_job`: by recurring job, for the volumes that it backs up; `rpo_seconds` counts where no
    job of a volume stands there.
    """

    rpo_seconds: Annotated[float, Field(gt=0, alias="rpoSeconds")]
    rpo_by_job: dict[str, Annotated[float, Field(gt=0)]] = Field(
        alias="rpoByJob", default_factory=dict
    )
    drill_seconds: Annotated[int, Field(gt=0, alias="drillSeconds")] = 7200


class BackupTarget(Strict):
    """Where Longhorn's backups lie in the store. `name`: of its BackupTarget in the cluster."""

    name: Text = "default"
    bucket: Text
    prefix: str = ""

    @field_validator("prefix")
    @classmethod
    def _as_longhorn_writes_it(cls, given: str) -> str:
        try:
            return parse_target(f"s3://bucket@region/{given}").prefix
        except BackupStoreError as error:
            raise ValueError(f"{given[:60]!r} is no prefix: {error.detail}") from None

    def meets(self, other: "BackupTarget") -> bool:
        """Whether one lies in the other."""
        folders = (self.prefix, other.prefix)
        return self.bucket == other.bucket and (
            folders[0].startswith(folders[1]) or folders[1].startswith(folders[0])
        )


class UnreadTarget(Strict):
    """A backup target whose store the drill does not read. `name`: of its BackupTarget in the
    cluster. `why`: why not, as a clause."""

    name: Text
    why: Annotated[str, Field(pattern=r"\S")]


class Excuse(Strict):
    """Which volumes may stay without a backup, and why. Globs; what is "" is not looked at."""

    namespace: str = ""
    claim: str = ""
    volume: str = ""
    why: Annotated[str, Field(pattern=r"\S")]

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.namespace or self.volume):
            raise ValueError("names no volume: give namespace, or volume")
        return self

    @property
    def shown(self) -> str:
        claimed = f"{self.namespace}/{self.claim}".strip("/")
        return " ".join(part for part in (claimed, self.volume) if part)

    def covers(self, namespace: str, claim: str, volume: str) -> bool:
        given = ((self.namespace, namespace), (self.claim, claim), (self.volume, volume))
        return all(not glob or fnmatchcase(seen, glob) for glob, seen in given)


class LonghornPayload(Payload):
    """What the drill is told of a site.

    `target`: the first one; `targets`: further ones in the same store; `unread`: those that the
    stack declares and the drill does not read. `cluster` None: it is gone, and only what lies in
    the store is looked at. `depth`, `days`,
    `every`: see drills/longhorn/shares.py. `scratch`: a folder for rebuilt images, None for the
    system's. `rebuild_limit`: bytes of data above which no image is rebuilt. `path`: how backups
    are brought back, from the store alone, or by Longhorn as well: `auto` where the cluster has
    one and `live` says how, `longhorn` in any case.
    """

    layer: Literal["longhorn"]
    limits: LonghornLimits
    target: BackupTarget
    targets: tuple[BackupTarget, ...] = ()
    unread: tuple[UnreadTarget, ...] = ()
    cluster: ClusterAccess | None = None
    namespace: Text = "longhorn-system"
    canary: CanaryTruth | None = None
    depth: Literal["quick", "full"] = "quick"
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 7
    every: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 1
    exceptions: tuple[Excuse, ...] = ()
    workers: Annotated[int, Field(ge=1, le=MOST_WORKERS)] = 8
    scratch: str | None = None
    rebuild_limit: Annotated[int, Field(gt=0)] | None = Field(alias="rebuildLimit", default=None)
    path: Literal["auto", "store", "longhorn"] = "auto"
    live: LiveRestores | None = None

    @field_validator("scratch")
    @classmethod
    def _is_absolute(cls, given: str | None) -> str | None:
        if given is not None and not Path(given).is_absolute():
            raise ValueError(f"{given[:60]!r} is no absolute path; give one, or null")
        return given

    @model_validator(mode="after")
    def _can_go_its_path(self) -> Self:
        lacking = [key for key in ("live", "cluster") if getattr(self, key) is None]
        if self.path == "longhorn" and lacking:
            raise ValueError(f"path longhorn needs {lacking[0]}; give it, or write auto or store")
        return self

    @model_validator(mode="after")
    def _targets_are_told_apart(self) -> Self:
        read = (self.target, *self.targets)
        names = [*(one.name for one in read), *(one.name for one in self.unread)]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"targets: the name {doubled[0]} is given twice; rename one")
        for number, one in enumerate(read):
            for other in read[:number]:
                if one.meets(other):
                    raise ValueError(
                        f"targets: {one.name} lies where {other.name} does, or one in the other's "
                        "folder; correct bucket or prefix"
                    )
        return self

    def place(self) -> Target:
        """Where the backups of the first target lie."""
        return self.place_of(self.target)

    def place_of(self, one: BackupTarget) -> Target:
        return Target(one.bucket, self.region, one.prefix)

    def places(self) -> Mapping[str, Target]:
        """Where the backups of each target lie that is read, by its name; the first one first."""
        return {one.name: self.place_of(one) for one in (self.target, *self.targets)}

    def check(self) -> None:
        """What can be told before anything is asked of the site. Raises PayloadError."""
        if self.cluster is not None:
            self.cluster.parsed()
        self.client(READER)
