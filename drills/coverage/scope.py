"""What a schedule takes in, by the filters of its template, and how it takes volumes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.objects.selectors import Selector
from drills.velero_filters import (
    EVERYTHING,
    BackupScope,
    ScopeError,
    names_kind,
    scope_of,
)
from kube.velero.api import Object, name, phase

_CLAIMS = "persistentvolumeclaims"
_CLAIM_NAMES = {"persistentvolumeclaim": _CLAIMS, "pvc": _CLAIMS}
# Events are in no restore, and a schedule that leaves them out still takes a namespace whole.
_NOTHING_LOST = frozenset({"events", "events.events.k8s.io", "event", "ev"})


@dataclass(frozen=True)
class Scope:
    """A schedule's filters, from the template of its backups.

    `off`: why it makes no backups, as a clause, or "". `whole`: no kind of namespaced objects is
    left out or chosen. `claims`: PersistentVolumeClaims are taken. `snapshots`: None if the
    template does not say. `policy`: name of the ConfigMap, or "".
    """

    schedule: str
    off: str
    filters: BackupScope
    whole: bool
    claims: bool
    to_file_system: bool
    move: bool
    snapshots: bool | None
    policy: str

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """Those that leave something out."""
        open_ = any(not one.requirements for one in self.filters.selectors)
        return () if open_ else self.filters.selectors

    def takes_namespace(self, namespace: str) -> bool:
        """By name alone. Globs know `*`, `?` and `[abc]`; an empty list takes everything."""
        return self.filters.takes_namespace(namespace)

    def takes_labels(self, *labels: Mapping[str, str]) -> bool:
        """Whether a selector matches one of these label sets.

        Several, because what a chosen pod mounts is taken with it whatever its own labels are.
        """
        return self.filters.takes_labels(*labels)


def from_schedule(schedule: Object) -> Scope:
    """The scope of a Schedule object. One whose backups Velero refuses is off."""
    template = (schedule.get("spec") or {}).get("template") or {}
    off = _off(schedule)
    try:
        filters = scope_of(template)
    except ScopeError as error:
        # Velero takes such a schedule, and refuses each of its backups.
        off = off or f"makes no backups ({error})"
        filters = _namespaces_of(template)
    return Scope(
        schedule=name(schedule),
        off=off,
        filters=filters,
        whole=_whole(filters),
        claims=_takes_claims(filters),
        to_file_system=bool(template.get("defaultVolumesToFsBackup")),
        move=bool(template.get("snapshotMoveData")),
        snapshots=template.get("snapshotVolumes"),
        policy=str((template.get("resourcePolicy") or {}).get("name") or ""),
    )


def _off(schedule: Object) -> str:
    if (schedule.get("spec") or {}).get("paused"):
        return "is paused"
    return "is refused by Velero" if phase(schedule) == "FailedValidation" else ""


def _namespaces_of(template: Mapping[str, Any]) -> BackupScope:
    """What can be told of a refused template: which namespaces it meant."""
    included, excluded = template.get("includedNamespaces"), template.get("excludedNamespaces")
    return BackupScope(
        included_namespaces=tuple(included) if isinstance(included, list) else (),
        excluded_namespaces=tuple(excluded) if isinstance(excluded, list) else (),
    )


def _whole(filters: BackupScope) -> bool:
    included = (*filters.included, *filters.included_namespaced)
    excluded = {*filters.excluded, *filters.excluded_namespaced}
    return (not included or EVERYTHING in included) and not excluded - _NOTHING_LOST


def _takes_claims(filters: BackupScope) -> bool:
    included = (*filters.included, *filters.included_namespaced)
    excluded = (*filters.excluded, *filters.excluded_namespaced)
    if names_kind(excluded, _CLAIMS, _CLAIM_NAMES):
        return False
    return not included or names_kind(included, _CLAIMS, _CLAIM_NAMES)
