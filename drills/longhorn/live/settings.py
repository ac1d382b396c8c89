"""The part of the payload that says how Longhorn is to bring volumes back."""

from typing import Annotated

from pydantic import Field, field_validator

from drills.payload import Strict
from drills.volumes.payload import ReaderPod

MOST_VOLUMES = 100
# What the drill itself says of its classes; the others say where Longhorn may put a volume.
OWNED = frozenset(
    {
        "backupTargetName", "fromBackup", "fsType", "numberOfReplicas", "recurringJobSelector",
        "staleReplicaTimeout",
    }
)  # fmt: skip


class LiveRestores(Strict):
    """`volumes`: how many are restored beside the canary's. Times are in seconds: for each volume,
    until Longhorn has it, and until it is read. `most_bytes`: of data above which a volume is not
    restored. `parameters`: further ones of the storage class, as a `diskSelector`.
    """

    reader: ReaderPod
    volumes: Annotated[int, Field(ge=0, le=MOST_VOLUMES)] = 1
    restore_seconds: Annotated[int, Field(gt=0, alias="restoreSeconds")] = 1800
    read_seconds: Annotated[int, Field(gt=0, alias="readSeconds")] = 900
    most_bytes: Annotated[int, Field(gt=0)] | None = Field(alias="mostBytes", default=None)
    parameters: dict[str, str] = Field(default_factory=dict)

    @field_validator("parameters")
    @classmethod
    def _are_not_the_drills_own(cls, given: dict[str, str]) -> dict[str, str]:
        owned = sorted(OWNED & given.keys())
        if owned:
            raise ValueError(f"{owned[0]} is what the drill itself says; take it out")
        return given
