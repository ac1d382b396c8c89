"""Settings of a Longhorn that this program installs: its chart, and further values of it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from components import versions
from components.longhorn import releases
from components.longhorn.tuning import OBSOLETE, SETTINGS
from components.settings.base import Model
from components.settings.velero import Chart as ReleaseChart

CHART_REPOSITORY = "https://charts.longhorn.io"


class Chart(ReleaseChart):
    """Longhorn's chart: of a repository, or a folder of the checkout (`path`)."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        given = {"version": versions.chart("longhorn"), **value}
        return given if given.get("path") else {"repository": CHART_REPOSITORY, **given}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        # The version of a folder stands in its Chart.yaml, which the preflight reads.
        fault = None if self.path else releases.install_fault(self.version)
        if fault:
            raise ValueError(f"version: {fault}")
        return self


# What this program says itself, by the key of the config that says it.
_OWNED_VALUES = {
    ("defaultBackupStore",): "target",
    ("persistence", "createStorageClass"): "storageClasses",
    ("persistence", "defaultClass"): "storageClasses",
    ("persistence", "recurringJobSelector"): "storageClasses",
    ("namespaceOverride",): "namespace",
}


class Install(Model):
    """Longhorn is put into the cluster by this program. `values`: further values of its chart."""

    chart: Chart = Field(default_factory=lambda: Chart.model_validate({}))
    values: dict[str, Any] = Field(default_factory=dict)
    seconds: Annotated[int, Field(ge=60)] = 900

    @field_validator("values")
    @classmethod
    def _values(cls, value: dict[str, Any]) -> dict[str, Any]:
        for fault in (*_setting_faults(value.get("defaultSettings", {})), *_owned_faults(value)):
            raise ValueError(fault)
        return value


def _setting_faults(given: object) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield "defaultSettings: is no object; correct it"
        return
    for key in OBSOLETE:
        if key in given:
            yield (
                f"defaultSettings.{key}: Longhorn no longer reads this key, so that nothing would "
                "be backed up; take it out, and use backstop:longhorn.target"
            )
    for setting in SETTINGS.values():
        if setting.chart in given:
            yield (
                f"defaultSettings.{setting.chart}: belongs under backstop:longhorn.settings, for "
                "a setting has one owner; move it there"
            )


def _owned_faults(value: Mapping[str, Any]) -> Iterator[str]:
    for path, key in _OWNED_VALUES.items():
        held: object = value
        for part in path[:-1]:
            held = held.get(part, {}) if isinstance(held, Mapping) else None
        if not isinstance(held, Mapping) or path[-1] in held:
            yield f"{'.'.join(path)}: is what backstop:longhorn.{key} says; take it out"
