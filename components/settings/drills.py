"""Settings of the drills: when they run, what they hold the site to.

A drill of Velero's backups is on by itself where there is something to drill; `kube_objects_of` and
`volumes_of` say whether it is. What a drill is told of its checks and controls is its own affair:
here only their outer form is looked at.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from components import versions
from components.settings.base import KubeName, Model, Name, network
from components.settings.drill_base import (
    RPO_MARGIN_SECONDS,
    ClaimPattern,
    OnRed,
    Period,
    Seconds,
    Why,
    Word,
)
from components.settings.longhorn_drill import LonghornDrill
from components.settings.velero import Image, Pattern, Velero
from components.velero import cron

# `<plural>.<group>`, as `kubectl api-resources` and CustomResourceDefinitions are named.
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]

_POINTS = 'write latest, longest-unproven, {age: 48h} or {name: "<backup>"}'
_AGE = re.compile(r"(?=.)([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?")


def checked_restore_point(given: object) -> object:
    """`given` if it says which restore point to drill; the drill reads it in the same way.

    Raises:
        ValueError: one sentence.
    """
    if given in ("latest", "longest-unproven"):
        return given
    if isinstance(given, Mapping) and len(given) == 1:
        ((key, value),) = given.items()
        if key == "name" and isinstance(value, str) and value:
            return dict(given)
        if key == "age" and isinstance(value, str):
            if _AGE.fullmatch(value):
                return dict(given)
            raise ValueError(f"age {value[:40]!r} is no duration; write 48h, 2d12h or 90m")
    raise ValueError(f"{str(given)[:60]!r} is no restore point; {_POINTS}")


class BackupDrill(Model):
    """What the drills of Velero's backups share. Times are in seconds.

    `enabled` None: where there is something to drill. `schedules` empty: backups of every one.
    `rpo_seconds` None: what the schedules promise. `drill_seconds`: after that, another run may
    take away what this one made.
    """

    enabled: bool | None = None
    on_red: OnRed | None = None
    restore_point: Any = "latest"
    schedules: tuple[Name, ...] = ()
    namespaces: tuple[Pattern, ...] = ()
    rto_seconds: Seconds = 600
    rpo_seconds: Seconds | None = None
    restore_seconds: Seconds = 900
    drill_seconds: Seconds = 3600
    control: Word = "rotate"

    @field_validator("restore_point")
    @classmethod
    def _restore_point(cls, value: object) -> object:
        return checked_restore_point(value)

    @property
    def working_seconds(self) -> int:
        """What the long steps of the drill may take together."""
        return self.restore_seconds

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        if self.working_seconds >= self.drill_seconds:
            raise ValueError(
                f"drillSeconds: {self.drill_seconds} is over before the {self.working_seconds} s "
                "that restoring and reading may take, and another run would clear the sandbox "
                "away; give more"
            )
        return self


class KubeObjects(BackupDrill):
    """The drill `kube-objects`. `kinds`: further custom ones, harmless to restore aside."""

    kinds: tuple[Kind, ...] = ()


class Allowed(Model):
    """What may stay without a backup. `claim` empty: the namespace and all in it; globs in both."""

    namespace: Pattern
    claim: ClaimPattern = ""
    why: Why


class Digested(Model):
    """Claims whose volumes are read around a backup that is made with its truth.

    `claim` may be a glob; the namespace is one, for a reader is put into it.
    """

    namespace: KubeName
    claim: Annotated[ClaimPattern, StringConstraints(min_length=1)]


class OwnCheck(Model):
    """A check of the user's on a restored workload. Its further keys are the kind's own."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$")]
    kind: Word
    namespace: KubeName


class Volumes(BackupDrill):
    """The drill `volumes`. `classes`: by StorageClass of a volume, the one to restore it into.
    `digests`: volumes of running workloads that are read before a backup and after it.

    With `checks_need_closed_network` no workload is started where a sandbox is not seen to be
    closed. `dns_networks`: of resolvers that are no pods of kube-system.
    """

    rto_seconds: Seconds = 1800
    restore_seconds: Seconds = 1800
    read_seconds: Seconds = 900
    drill_seconds: Seconds = 7200
    classes: dict[ObjectName, ObjectName] = Field(default_factory=dict)
    exceptions: tuple[Allowed, ...] = ()
    digests: tuple[Digested, ...] = ()
    checks: tuple[OwnCheck, ...] = ()
    checks_need_closed_network: bool = True
    dns_networks: tuple[str, ...] = ()

    @field_validator("dns_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(network, value))

    @property
    def working_seconds(self) -> int:
        return self.restore_seconds + self.read_seconds

    @field_validator("checks")
    @classmethod
    def _told_apart(cls, value: tuple[OwnCheck, ...]) -> tuple[OwnCheck, ...]:
        doubled = [name for name, count in Counter(one.name for one in value).items() if count > 1]
        if doubled:
            raise ValueError(f"the name {doubled[0]} stands there twice; rename one")
        return value


def _reader_image() -> Image:
    repository, _, tag = versions.image("python").rpartition(":")
    return Image(repository=repository, tag=tag)


class Drills(Model):
    """`period` none runs a drill only when what it proves changed; else also once a period.

    `reader_image`: with a Python, for the pods that read restored volumes.
    """

    on_red: OnRed = "fail"
    period: Period = "none"
    certificate_min_days: Annotated[int, Field(ge=1)] = 14
    clock_skew_seconds: Annotated[int, Field(ge=1)] = 60
    store_rto_seconds: Annotated[int, Field(ge=1)] = 300
    reader_image: Image = Field(default_factory=_reader_image)
    kube_objects: KubeObjects | None = None
    volumes: Volumes | None = None
    longhorn: LonghornDrill | None = None

    @field_validator("reader_image", mode="before")
    @classmethod
    def _image_defaults(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {**_reader_image().model_dump(by_alias=True), **value}

    def on_red_of(self, drill: BackupDrill | LonghornDrill) -> OnRed:
        """The drill's own word, else the general one."""
        return drill.on_red or self.on_red


def _runs(velero: Velero | None) -> bool:
    """Whether backups are made by themselves."""
    return velero is not None and any(not one.paused for one in velero.schedules.values())


def kube_objects_of(drills: Drills, velero: Velero | None) -> KubeObjects | None:
    """The drill `kube-objects` of a site, None where it is off."""
    drill = drills.kube_objects or KubeObjects()
    wanted = _runs(velero) if drill.enabled is None else drill.enabled
    return drill if wanted else None


def volumes_of(drills: Drills, velero: Velero | None, *, canary: bool) -> Volumes | None:
    """The drill `volumes` of a site, None where it is off. `canary`: the site has one."""
    drill = drills.volumes or Volumes()
    wanted = drill.enabled
    if wanted is None:
        wanted = drills.volumes is not None or (canary and _runs(velero))
    return drill if wanted else None


def drilled_schedules(drill: BackupDrill, velero: Velero) -> tuple[str, ...]:
    """The schedules whose backups the drill takes, in the order of the config."""
    return drill.schedules or tuple(velero.schedules)


def rpo_seconds(drill: BackupDrill, velero: Velero) -> int:
    """How old the newest data may be: as configured, else an interval of the schedules and an hour.

    Of several the most frequent that runs counts; raises ValueError if there is no schedule.
    """
    if drill.rpo_seconds is not None:
        return drill.rpo_seconds
    named = [velero.schedules[name] for name in drilled_schedules(drill, velero)]
    running = [one for one in named if not one.paused]
    return min(cron.parse(one.cron).longest_gap for one in running or named) + RPO_MARGIN_SECONDS


def site_fault(drills: Drills, velero: Velero | None, *, canary: bool) -> str | None:
    """What a drill lacks in the rest of the config, as `key: what is wrong`, or None."""
    wanted: list[tuple[str, BackupDrill | None]] = [
        ("drills.kubeObjects", kube_objects_of(drills, velero)),
        ("drills.volumes", volumes_of(drills, velero, canary=canary)),
    ]
    faults = (_fault(key, drill, velero) for key, drill in wanted if drill is not None)
    return next(filter(None, faults), None)


def _fault(key: str, drill: BackupDrill, velero: Velero | None) -> str | None:
    if velero is None or not velero.schedules:
        lacking = "velero" if velero is None else "velero.schedules"
        return (
            f"{key}: drills the backups of Velero's schedules, and there are none; add {lacking}, "
            f"or set {key}.enabled false"
        )
    for name in drill.schedules:
        if name not in velero.schedules:
            there = ", ".join(velero.schedules)
            return (
                f"{key}.schedules: {name} is none of velero.schedules (there: {there}); "
                "correct the name"
            )
    return None
