"""Settings of the drill `longhorn`: how deep it looks, and what it holds Longhorn's backups to."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.settings.base import AbsolutePath, Model
from components.settings.drill_base import (
    RPO_MARGIN_SECONDS,
    ClaimPattern,
    OnRed,
    Period,
    Seconds,
    Why,
    Word,
)
from components.settings.longhorn import Longhorn
from components.velero import cron

DAYS_BETWEEN: Mapping[Period, int] = {"none": 1, "daily": 1, "weekly": 7}
"""Between two drills. Without a period a timer is to run one each day; one that is left out is made
up for by the next."""
_DAYS: Mapping[Period, int] = {"none": 7, "daily": 7, "weekly": 28}
MOST_DAYS = 366
_OWN_PARAMETERS = frozenset(
    {
        "backupTargetName", "fromBackup", "fsType", "numberOfReplicas", "recurringJobSelector",
        "staleReplicaTimeout",
    }
)  # fmt: skip


class AllowedVolume(Model):
    """Which volumes may stay without a backup. Globs; what is empty is not looked at.

    `volume`: by Longhorn's own name.
    """

    namespace: ClaimPattern = ""
    claim: ClaimPattern = ""
    volume: Annotated[str, Field(pattern=r"^[A-Za-z0-9*?\[\]!_.-]*$")] = ""
    why: Why

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.namespace or self.volume):
            raise ValueError("names no volume; give namespace, or volume")
        return self


class LiveRestores(Model):
    """Volumes that Longhorn itself brings back, aside, where the cluster has one. Times in seconds.

    `required`: a run that restores none so is red. `volumes`: how many beside the canary's.
    `most_bytes`: of data above which a volume is left out. `parameters`: further ones of the
    storage class, as a diskSelector.
    """

    enabled: bool = True
    required: bool = False
    volumes: Annotated[int, Field(ge=0, le=100)] = 1
    restore_seconds: Seconds = 1800
    read_seconds: Seconds = 900
    most_bytes: Annotated[int, Field(ge=1)] | None = None
    parameters: dict[str, str] = Field(default_factory=dict)

    @field_validator("parameters")
    @classmethod
    def _parameters(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if key in _OWN_PARAMETERS:
                raise ValueError(f"{key} is what the drill itself says; take it out")
        return value

    @model_validator(mode="after")
    def _is_on_if_it_is_required(self) -> Self:
        if self.required and not self.enabled:
            raise ValueError("required without enabled; set enabled true, or required false")
        return self

    @property
    def path(self) -> Literal["auto", "store", "longhorn"]:
        """How backups are brought back, in the words of the drill."""
        if not self.enabled:
            return "store"
        return "longhorn" if self.required else "auto"


class LonghornDrill(Model):
    """The drill `longhorn`. Times are in seconds.

    `enabled` None: where the config has Longhorn. `depth` quick reads every block within `days`
    (None: 7, or 28 with a weekly period), full all of them in each run. `rpo_seconds` None: what
    the jobs of each volume promise. `scratch`: a folder of the machine that drills, for rebuilt
    images. `rebuild_limit`: bytes of data above which no image of a volume is rebuilt. `live`: what
    Longhorn itself restores.
    """

    enabled: bool | None = None
    on_red: OnRed | None = None
    depth: Literal["quick", "full"] = "quick"
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None
    rto_seconds: Seconds = 1800
    rpo_seconds: Seconds | None = None
    drill_seconds: Seconds = 7200
    exceptions: tuple[AllowedVolume, ...] = ()
    control: Word = "rotate"
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    scratch: AbsolutePath | None = None
    rebuild_limit: Annotated[int, Field(ge=1)] | None = None
    live: LiveRestores = LiveRestores()

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        needed = self.live.restore_seconds + self.live.read_seconds if self.live.enabled else 0
        if needed >= self.drill_seconds:
            raise ValueError(
                f"drillSeconds: {self.drill_seconds} is over before the {needed} s that one volume "
                "may take to be restored by Longhorn and read; give more, or less to "
                "live.restoreSeconds"
            )
        return self

    def days_of(self, period: Period) -> int:
        """Within how many days every block is read."""
        return _DAYS[period] if self.days is None else self.days


def longhorn_drill_of(
    drill: LonghornDrill | None, longhorn: Longhorn | None
) -> LonghornDrill | None:
    """The drill of a site, None where it is off. `drill`: what the config says of it."""
    found = drill or LonghornDrill()
    wanted = longhorn is not None if found.enabled is None else found.enabled
    return found if wanted else None


def rpo_by_job(drill: LonghornDrill, longhorn: Longhorn) -> dict[str, int]:
    """How old the newest backup of a volume may be, in seconds, by the job that makes it.

    Empty if the config says one age for all.
    """
    if drill.rpo_seconds is not None:
        return {}
    return {
        name: cron.parse(job.cron).longest_gap + RPO_MARGIN_SECONDS
        for name, job in longhorn.plain_jobs.items()
        if job.backs_up
    }


def rpo_seconds(drill: LonghornDrill, longhorn: Longhorn) -> int:
    """The same for volumes of jobs that the config does not know: as for the most frequent job."""
    if drill.rpo_seconds is not None:
        return drill.rpo_seconds
    return min(rpo_by_job(drill, longhorn).values())


def site_fault(drill: LonghornDrill | None, longhorn: Longhorn | None) -> str | None:
    """What the drill lacks in the rest of the config, as `key: what is wrong`, or None."""
    wanted = longhorn_drill_of(drill, longhorn)
    if wanted is None or longhorn is not None:
        return None
    return (
        "drills.longhorn: drills the backups of Longhorn, and there are none; add longhorn, or set "
        "drills.longhorn.enabled false"
    )
