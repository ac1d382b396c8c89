"""What a schedule takes in, by the rules of Velero's own filters.

Sources: pkg/util/collections/includes_excludes.go, pkg/util/wildcard, and for the label that
excludes pkg/controller/backup_controller.go and pkg/backup/item_backupper.go of Velero 1.18.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kube.velero.api import EXCLUDE_LABEL, Object, name, phase

EVERYTHING = "*"
_CLAIM_KINDS = frozenset({"persistentvolumeclaims", "persistentvolumeclaim", "pvc"})


@dataclass(frozen=True)
class Scope:
    """The filters of a schedule, from the template of its backups.

    `off`: why it makes no backups, as a clause, or "". `selectors`: an object is taken if one of
    them matches; none takes every object. `whole`: no kind of namespaced objects is left out or
    chosen. `claims`: PersistentVolumeClaims are taken. `snapshots`: None if the template does not
    say. `policy`: name of the ConfigMap, or "".
    """

    schedule: str
    off: str
    included: tuple[str, ...]
    excluded: tuple[str, ...]
    selectors: tuple[Mapping[str, Any], ...]
    whole: bool
    claims: bool
    to_file_system: bool
    move: bool
    snapshots: bool | None
    policy: str

    def takes_namespace(self, namespace: str) -> bool:
        """By name alone. Globs know `*`, `?` and `[abc]`; an empty list takes everything."""
        return not _matches(self.excluded, namespace) and (
            not self.included or _matches(self.included, namespace)
        )

    def takes_labels(self, *labels: Mapping[str, str]) -> bool:
        """Whether a selector matches one of these label sets.

        Several, because what a chosen pod mounts is taken with it whatever its own labels are.
        """
        return not self.selectors or any(
            matches_selector(selector, each) for selector in self.selectors for each in labels
        )


def from_schedule(schedule: Object) -> Scope:
    """The scope of a Schedule object."""
    spec = schedule.get("spec") or {}
    template = spec.get("template") or {}
    return Scope(
        schedule=name(schedule),
        off=_off(schedule),
        included=tuple(template.get("includedNamespaces") or ()),
        excluded=tuple(template.get("excludedNamespaces") or ()),
        selectors=_selectors(template),
        whole=_whole(template),
        claims=_takes_claims(template),
        to_file_system=bool(template.get("defaultVolumesToFsBackup")),
        move=bool(template.get("snapshotMoveData")),
        snapshots=template.get("snapshotVolumes"),
        policy=str((template.get("resourcePolicy") or {}).get("name") or ""),
    )


def _off(schedule: Object) -> str:
    if (schedule.get("spec") or {}).get("paused"):
        return "is paused"
    return "is refused by Velero" if phase(schedule) == "FailedValidation" else ""


def excluded_by_label(labels: Mapping[str, str]) -> bool:
    """Only the value "true" excludes."""
    return labels.get(EXCLUDE_LABEL) == "true"


def _matches(patterns: Iterable[str], namespace: str) -> bool:
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)


def _selectors(template: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    one = template.get("labelSelector")
    several = template.get("orLabelSelectors") or ()
    return tuple(each for each in (*((one,) if one else ()), *several) if each)


def _lists(template: Mapping[str, Any], *keys: str) -> Sequence[str]:
    return [str(each) for key in keys for each in template.get(key) or ()]


# Events are in no restore, and a schedule that leaves them out still takes a namespace whole.
_NOTHING_LOST = frozenset({"events", "events.events.k8s.io", "event", "ev"})


def _whole(template: Mapping[str, Any]) -> bool:
    included = _lists(template, "includedResources", "includedNamespaceScopedResources")
    excluded = _lists(template, "excludedResources", "excludedNamespaceScopedResources")
    return (not included or EVERYTHING in included) and not set(excluded) - _NOTHING_LOST


def _takes_claims(template: Mapping[str, Any]) -> bool:
    included = _lists(template, "includedResources", "includedNamespaceScopedResources")
    excluded = _lists(template, "excludedResources", "excludedNamespaceScopedResources")
    taken = not included or EVERYTHING in included or bool(_CLAIM_KINDS & set(included))
    return taken and not _CLAIM_KINDS & set(excluded)


def matches_selector(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Kubernetes' LabelSelector against the labels of an object. Raises ValueError."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(one, labels) for one in selector.get("matchExpressions") or ())


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"a label selector has the operator {expression.get('operator')!r}")
