"""Settings of CSI snapshots: what is installed for them, and one class per driver for Velero."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from components.settings.base import KubeName, Model

LONGHORN_DRIVER = "driver.longhorn.io"

DriverName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?$")
]
ImageReference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$")]


class SnapshotClass(Model):
    """One VolumeSnapshotClass.

    `type`, for Longhorn only: `bak` is a backup on Longhorn's backup target and outlives the
    cluster, `snap` is a snapshot that dies with its volume and serves Velero's data mover.
    `default`: whether Velero takes this class for the driver.
    """

    driver: DriverName = LONGHORN_DRIVER
    name: KubeName = "longhorn-velero"
    type: Literal["bak", "snap"] | None = None
    default: bool = True
    deletion_policy: Literal["Retain", "Delete"] = "Retain"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type is not None and self.driver != LONGHORN_DRIVER:
            raise ValueError(f"type is a parameter of {LONGHORN_DRIVER}; remove it here")
        if self.deletion_policy == "Delete" and self.kind != "snap":
            raise ValueError(
                "deletionPolicy Delete would delete a backup together with the namespace that it "
                "saves; use Retain"
            )
        return self

    @property
    def kind(self) -> str:
        """The class's type; "" for drivers that have none. Longhorn without a type makes `bak`."""
        return (self.type or "bak") if self.driver == LONGHORN_DRIVER else ""


class SnapshotCrds(Model):
    """`path`: a YAML file, or a folder of them, with the CRDs of external-snapshotter."""

    path: str | None = None


class Snapshots(Model):
    """Snapshot CRDs, controller and classes.

    `controller` auto installs one where none runs, never leaves that to others, such as a
    distribution that runs it outside the cluster. `image` None: the pinned one.
    """

    controller: Literal["auto", "never"] = "auto"
    image: ImageReference | None = None
    replicas: Annotated[int, Field(ge=1, le=5)] = 2
    crds: SnapshotCrds = SnapshotCrds()
    classes: tuple[SnapshotClass, ...] = (SnapshotClass(),)

    @field_validator("classes")
    @classmethod
    def _one_default_per_driver(cls, value: tuple[SnapshotClass, ...]) -> tuple[SnapshotClass, ...]:
        doubled = [name for name, count in Counter(one.name for one in value).items() if count > 1]
        if doubled:
            raise ValueError(f"the name {doubled[0]} stands there twice; rename one")
        for driver in dict.fromkeys(one.driver for one in value):
            defaults = [one.name for one in value if one.driver == driver and one.default]
            if not defaults:
                raise ValueError(
                    f"no class of {driver} has default true, so that Velero would take none of "
                    "them; set it on one"
                )
            if len(defaults) > 1:
                raise ValueError(
                    f"{' and '.join(defaults)} are both default for {driver}, and Velero would "
                    "take either; set default false on all but one"
                )
        return value


def coupling_faults(snapshots: Snapshots, *, move_data: bool) -> list[str]:
    """Classes whose type does not fit the data mover, as `key: what is wrong`.

    The data mover copies out of a snapshot and waits for ever on a `bak`; without it a `snap` is no
    backup at all, for it is gone with the volume.
    """
    faults = []
    for index, one in enumerate(snapshots.classes):
        where = f"snapshots.classes.{index}.type"
        if move_data and one.default and one.kind == "bak":
            faults.append(
                f"{where}: velero.snapshotMoveData is true and {one.name} has type bak, on which "
                "the data mover never ends; set type snap, or snapshotMoveData false"
            )
        if not move_data and one.kind == "snap":
            faults.append(
                f"{where}: {one.name} has type snap, a snapshot that is lost with its volume, and "
                "no data mover carries it away; set type bak, or velero.snapshotMoveData true"
            )
    return faults
