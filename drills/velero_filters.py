"""The filters of a backup's specification, read as Velero 1.18 reads them.

A Schedule's `template` is such a specification too. Sources: for the filters
pkg/util/collections/includes_excludes.go and pkg/util/wildcard, for what Velero refuses
pkg/controller/backup_controller.go, for the label that excludes pkg/backup/item_backupper.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from drills.objects.selectors import Selector, selector
from kube.velero.api import EXCLUDE_LABEL

EVERYTHING = "*"
# A bare plural means the core group's kind where that has one, as discovery resolves it.
_CORE_KINDS = frozenset({"configmaps", "endpoints", "events", "limitranges", "namespaces", "nodes",
    "persistentvolumeclaims", "persistentvolumes", "pods", "podtemplates",
    "replicationcontrollers", "resourcequotas", "secrets", "serviceaccounts", "services",
})  # fmt: skip
_OLD_FILTERS = ("includedResources", "excludedResources", "includeClusterResources")
_NEW_FILTERS = (
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
)


class ScopeError(ValueError):
    """A specification that Velero would refuse; the text says why."""


@dataclass(frozen=True)
class BackupScope:
    """The filters of a Backup's `spec`, as they were given.

    include_cluster: None is Velero's `auto`. old_filters: which of the two filter families holds.
    selectors: an object is taken if one of them matches; none takes every object.
    """

    included_namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    old_filters: bool = False
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    include_cluster: bool | None = None
    included_namespaced: tuple[str, ...] = ()
    excluded_namespaced: tuple[str, ...] = ()
    included_cluster: tuple[str, ...] = ()
    excluded_cluster: tuple[str, ...] = ()
    selectors: tuple[Selector, ...] = ()

    def takes_namespace(self, name: str) -> bool:
        """By its name alone; an empty list takes everything."""
        return not matches(self.excluded_namespaces, name) and (
            not self.included_namespaces or matches(self.included_namespaces, name)
        )

    def takes_labels(self, *labels: Mapping[str, str]) -> bool:
        """Whether a selector matches one of these label sets."""
        return not self.selectors or any(
            one.matches(each) for one in self.selectors for each in labels
        )


def scope_of(spec: Mapping[str, object]) -> BackupScope:
    """The scope in a Backup's `spec`. Raises ScopeError."""
    old = any(spec.get(name) not in (None, [], ()) for name in _OLD_FILTERS)
    if old and any(spec.get(name) for name in _NEW_FILTERS):
        raise ScopeError(
            "the backup mixes includedResources with filters by scope; Velero refuses that"
        )
    one, several = spec.get("labelSelector"), spec.get("orLabelSelectors")
    if one is not None and several is not None:
        raise ScopeError("the backup has labelSelector and orLabelSelectors; Velero refuses that")
    cluster = spec.get("includeClusterResources")
    return BackupScope(
        included_namespaces=_names(spec, "includedNamespaces"),
        excluded_namespaces=_names(spec, "excludedNamespaces"),
        old_filters=old,
        included=_names(spec, "includedResources"),
        excluded=_names(spec, "excludedResources"),
        include_cluster=cluster if isinstance(cluster, bool) else None,
        included_namespaced=_names(spec, "includedNamespaceScopedResources"),
        excluded_namespaced=_names(spec, "excludedNamespaceScopedResources"),
        included_cluster=_names(spec, "includedClusterScopedResources"),
        excluded_cluster=_names(spec, "excludedClusterScopedResources"),
        selectors=_selectors(one, several),
    )


def excluded_by_label(labels: Mapping[str, str]) -> bool:
    """Only the value "true" excludes."""
    return labels.get(EXCLUDE_LABEL) == "true"


def matches(patterns: Iterable[str], name: str) -> bool:
    """Globs know `*`, `?` and `[abc]`; Velero refuses every other sign."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def expanded(patterns: Iterable[str], active: Iterable[str]) -> set[str]:
    """Names, and what globs take in of the cluster's namespaces."""
    names, found = list(active), set[str]()
    for pattern in patterns:
        if any(sign in pattern for sign in "*?["):
            found |= {name for name in names if matches((pattern,), name)}
        else:
            found.add(pattern)
    return found


def names_kind(listed: Sequence[str], resource: str, aliases: Mapping[str, str]) -> bool:
    """Whether a list of kinds holds `resource` ("deployments.apps").

    aliases: short names of kinds, and plurals that several groups have, as discovery resolves them;
    without one a bare plural outside the core group means that kind in every group.
    """
    plural = resource.partition(".")[0]
    for item in listed:
        known = aliases.get(item, item)
        if known == resource or fnmatchcase(resource, known):
            return True
        if known == plural and known not in _CORE_KINDS and item not in aliases:
            return True
    return False


def _names(spec: Mapping[str, object], field: str) -> tuple[str, ...]:
    value = spec.get(field)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ScopeError(f"the backup's {field} is no list of names")
    return tuple(value)


def _selectors(one: object, several: object) -> tuple[Selector, ...]:
    given = [] if one is None else [one]
    if isinstance(several, list | tuple):
        given = list(several)
    try:
        return tuple(selector(item) for item in given)
    except ValueError as error:
        raise ScopeError(f"the backup's label selector cannot be read: {error}") from None
