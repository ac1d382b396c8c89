"""The volume policy: which volumes a backup skips, snapshots or copies, first match wins.

Velero reads it from a ConfigMap with exactly one key, strictly: an unknown key fails the backup.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

CONFIG_MAP = "velero-volume-policy"
KEY = "policy.yaml"
Action = Literal["skip", "snapshot", "fs-backup"]
_CAPACITY = re.compile(r"([0-9]+[KMGTPE]i)?,([0-9]+[KMGTPE]i)?")


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class Nfs(_Model):
    server: str = ""
    path: str = ""


class Csi(_Model):
    driver: str
    volume_attributes: dict[str, str] = Field(default_factory=dict)


class Rule(_Model):
    """An action for volumes that meet every condition given; `capacity`: "low,high"."""

    action: Action
    capacity: str | None = None
    storage_class: tuple[str, ...] = ()
    nfs: Nfs | None = None
    csi: Csi | None = None
    volume_types: tuple[str, ...] = ()
    pvc_labels: dict[str, str] = Field(default_factory=dict)
    pvc_phase: tuple[Literal["Pending", "Bound", "Lost"], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.conditions():
            raise ValueError("has no condition, so it would decide about every volume; give one")
        if self.capacity is not None and (
            self.capacity == "," or not _CAPACITY.fullmatch(self.capacity)
        ):
            raise ValueError(f"capacity: {self.capacity!r}; write low,high such as 0Gi,100Gi")
        return self

    def conditions(self) -> dict[str, Any]:
        """The conditions that are set, in Velero's names."""
        held = self.model_dump(
            by_alias=True, mode="json", exclude={"action"}, exclude_defaults=True
        )
        if self.nfs is not None:
            # An empty one is a condition too: any NFS volume.
            held["nfs"] = self.nfs.model_dump(by_alias=True, exclude_defaults=True)
        return held


# A claim without a volume has nothing to save, and Velero calls a backup that tries to a failure.
DEFAULTS = (Rule(action="skip", pvc_phase=("Pending", "Lost")),)


def document(rules: Sequence[Rule]) -> dict[str, Any]:
    """The policy as Velero reads it: the defaults first, then `rules`."""
    return {
        "version": "v1",
        "volumePolicies": [
            {"conditions": rule.conditions(), "action": {"type": rule.action}}
            for rule in (*DEFAULTS, *rules)
        ],
    }


def config_map_data(rules: Sequence[Rule]) -> dict[str, str]:
    """The ConfigMap's data: one key, for Velero refuses more."""
    return {KEY: yaml.safe_dump(document(rules), sort_keys=True)}
