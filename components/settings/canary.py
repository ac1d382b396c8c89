"""Settings of the canary: which volumes it writes on, and how each gets into a backup."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from canary.contents import Method
from canary.settings import NAME, POD_VOLUMES
from components import versions
from components.settings.base import KubeName, Model, network
from components.settings.clients import TruthClient
from components.settings.in_cluster import InClusterStore, Quantity
from components.settings.velero import Image, Schedule, Velero
from components.velero import durations, filters

MEBIBYTES = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}
# A generation at its full length, for a restore may fill the holes of its sparse file.
GENERATION_MIB = 10
# What a file system takes for itself.
SPARE_MIB = 32
DAY_SECONDS = 86400

ClassName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


def _image() -> Image:
    repository, _, tag = versions.image("python").rpartition(":")
    return Image(repository=repository, tag=tag)


class Volume(Model):
    """One claim of the canary. Class and size of a claim can never be changed: others make a new
    claim, whose data is in the next backup and in none before.
    """

    name: str
    method: Method
    storage_class: ClassName
    size: Quantity = "256Mi"

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value) or value in POD_VOLUMES:
            raise ValueError(
                f"{value!r} names no volume; give up to 42 small letters, digits and dashes, and "
                f"none of {', '.join(POD_VOLUMES)}"
            )
        return value

    @property
    def mebibytes(self) -> int:
        return int(self.size[:-2]) * MEBIBYTES[self.size[-2:]]


class Canary(Model):
    """A workload whose data is known. `image` holds a python3 of 3.9 or later.

    `dns_networks`: of resolvers that are no pods of kube-system, such as a node's own.
    """

    namespace: KubeName = "backstop-canary"
    image: Image = Field(default_factory=_image)
    period_seconds: Annotated[int, Field(ge=30, le=DAY_SECONDS)] = 300
    keep: Annotated[int, Field(ge=2, le=100)] = 3
    volumes: tuple[Volume, ...]
    dns_networks: tuple[str, ...] = ()

    @field_validator("image", mode="before")
    @classmethod
    def _image_defaults(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {**_image().model_dump(by_alias=True), **value}

    @field_validator("namespace")
    @classmethod
    def _own(cls, value: str) -> str:
        if value.startswith("kube-") or value in ("default", "longhorn-system"):
            raise ValueError(f"{value} is another's; the canary needs a namespace of its own")
        return value

    @field_validator("dns_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(network, value))

    @field_validator("volumes")
    @classmethod
    def _told_apart(cls, value: tuple[Volume, ...]) -> tuple[Volume, ...]:
        if not value:
            raise ValueError("is empty; name at least one volume, or take canary out")
        doubled = [name for name, count in Counter(one.name for one in value).items() if count > 1]
        if doubled:
            raise ValueError(f"the name {doubled[0]} stands there twice; rename one")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        # One more is being made, and one is being dropped.
        needed = (self.keep + 2) * GENERATION_MIB + SPARE_MIB
        for index, volume in enumerate(self.volumes):
            if volume.mebibytes < needed:
                raise ValueError(
                    f"volumes.{index}.size: {volume.size} is too small for {self.keep} "
                    f"generations; give {needed}Mi or more, or a lower keep"
                )
        return self


def site_fault(
    canary: Canary,
    velero: Velero | None,
    *,
    cluster: bool,
    classes: bool,
    truth: TruthClient,
    store: object,
) -> str | None:
    """What the canary lacks in the rest of the config, as `key: what is wrong`, or None.

    `classes`: the site declares snapshot classes. `store`: the site's object store.
    """
    if not cluster:
        return "canary: runs in a cluster; add cluster, or {} for the inventory's one"
    if velero is None:
        return "canary: is there to prove Velero's backups; add velero, or take canary out"
    if not truth.enabled:
        return (
            "clients.truth.enabled: is false, but the canary tells by this client what it wrote; "
            "enable it"
        )
    faults = (
        *_places(canary, velero, store),
        *_backups(canary, velero, truth),
        *_methods(canary, velero, classes=classes),
    )
    return next(iter(faults), None)


def _places(canary: Canary, velero: Velero, store: object) -> Iterator[str]:
    name = canary.namespace
    inside = store if isinstance(store, InClusterStore) else None
    if name in (velero.namespace, inside and inside.namespace):
        yield f"canary.namespace: {name} is another part's; give the canary one of its own"
    if inside and inside.network.enabled and name not in inside.network.allow_namespaces:
        yield (
            f"objectStore.network.allowNamespaces: {name} is not among them, so that the store "
            "would refuse what the canary tells; add it"
        )


def _backups(canary: Canary, velero: Velero, truth: TruthClient) -> Iterator[str]:
    """The canary is in a backup, and its truths live as long as that does."""
    holding = {
        name: schedule
        for name, schedule in velero.schedules.items()
        if not schedule.paused and _holds(velero, schedule, canary.namespace)
    }
    if not holding:
        yield (
            f"canary.namespace: no running schedule of velero takes in {canary.namespace}; add it "
            "to includedNamespaces of one, or take it out of what is excluded"
        )
    for name, schedule in holding.items():
        seconds = durations.seconds(schedule.ttl)
        if seconds > truth.truth_days * DAY_SECONDS:
            yield (
                f"clients.truth.truthDays: after {truth.truth_days} days nobody knows what the "
                f"backups of velero.schedules.{name} hold, which are kept for "
                f"{durations.spoken(seconds)}; give more"
            )


def _holds(velero: Velero, schedule: Schedule, namespace: str) -> bool:
    included = schedule.included_namespaces
    excluded = filters.excluded_namespaces(
        included,
        [*velero.excluded_namespaces, *schedule.excluded_namespaces],
        velero.namespace,
    )
    # An empty list takes in everything where it includes, and nothing where it excludes.
    return filters.selects(included, namespace) and not (
        excluded and filters.selects(excluded, namespace)
    )


def _methods(canary: Canary, velero: Velero, *, classes: bool) -> Iterator[str]:
    """Each volume gets into a backup in the way that its content is made for."""
    for index, volume in enumerate(canary.volumes):
        key = f"canary.volumes.{index}.method: {volume.method}"
        if volume.method is Method.SNAPSHOT:
            if not velero.snapshots_volumes(classes=classes):
                yield f"{key} takes CSI snapshots, and there are none; add snapshots"
            elif velero.moves_data:
                yield (
                    f"{key} holds what only snapshots keep, and velero.snapshotMoveData carries "
                    "them away as files; write data-mover"
                )
        elif volume.method is Method.DATA_MOVER and not velero.moves_data:
            yield (
                f"{key} is what velero.snapshotMoveData true does, which is not set; set it, or "
                "write snapshot"
            )
        elif not velero.wants_node_agent:
            yield f"{key} is done by the node agents, and there are none; set velero.nodeAgent on"
