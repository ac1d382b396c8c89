"""Which objects a backup should hold, by its own specification.

The rules are Velero's (1.18.1): the filters are read in drills/velero_filters.py; where they apply
is from its pkg/backup/item_collector.go and item_backupper.go, and what every backup leaves out
from pkg/controller/backup_controller.go. They are written down a second time on purpose: an object
that a filter loses is missing from Velero's own lists too, and only somebody else's reading of the
specification can miss it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from drills.objects.keys import ObjectKey
from drills.velero_filters import (
    EVERYTHING,
    BackupScope,
    excluded_by_label,
    expanded,
    names_kind,
)
from kube.velero.api import EXCLUDE_LABEL

LISTED_VERBS = frozenset({"list", "create", "get", "delete"})
"""A kind that lacks one of these verbs is never saved (velero pkg/discovery/helper.go)."""

_NAMESPACES = "namespaces"
_AUTO_EXCLUDED = frozenset(
    {
        "volumesnapshots.snapshot.storage.k8s.io",
        "volumesnapshotcontents.snapshot.storage.k8s.io",
    }
)
# One set of objects served in two groups, of which Velero saves the first that is in scope
# (pkg/backup/backup.go cohabitatingResources; the others there are gone since Kubernetes 1.22).
_SERVED_TWICE = {"events.events.k8s.io": "events"}


class Inclusion(StrEnum):
    """Whether an object belongs into the backup.

    RELATED: not by itself, but Velero adds it if something that is in the backup refers to it.
    """

    IN = "in"
    RELATED = "related"
    OUT = "out"


@dataclass(frozen=True)
class Decision:
    """`why` is empty for IN."""

    inclusion: Inclusion
    why: str = ""


_IN = Decision(Inclusion.IN)


class Membership:
    """A scope in one cluster, at one time.

    namespaces: the cluster's Namespace objects. aliases: short names of kinds, and plurals that
    several groups have, as discovery resolves them (`deploy` to `deployments.apps`); without one a
    bare plural outside the core group means that kind in every group.
    """

    def __init__(
        self,
        scope: BackupScope,
        namespaces: Iterable[Mapping[str, object]],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._scope = scope
        self._aliases = aliases or {}
        active = {_name(one): _labels(one) for one in namespaces}
        marked = [name for name, labels in active.items() if excluded_by_label(labels)]
        included = scope.included_namespaces or (EVERYTHING,)
        excluded = (*scope.excluded_namespaces, *marked)
        self._listed = expanded(included, active)
        self._unlisted = expanded(excluded, active)
        self._all_namespaces = not self._unlisted and self._listed == active.keys()
        self._kinds: dict[tuple[str, bool], Decision] = {}

    def namespace_included(self, name: str) -> bool:
        return name in self._listed and name not in self._unlisted

    def decide(self, key: ObjectKey, content: Mapping[str, object]) -> Decision:
        """Whether the object should be in the backup, and why not.

        A Namespace object is RELATED here where no filter names it: Velero saves it with the first
        object inside it.
        """
        labels, metadata = _labels(content), content.get("metadata")
        if key.resource == _NAMESPACES:
            return self._namespace(key.name, content)
        if excluded_by_label(labels):
            return Decision(Inclusion.OUT, f"it has the label {EXCLUDE_LABEL}")
        if key.namespace and not self.namespace_included(key.namespace):
            return Decision(Inclusion.OUT, "its namespace is not in the backup's scope")
        if isinstance(metadata, Mapping) and metadata.get("deletionTimestamp"):
            return Decision(Inclusion.OUT, "it is being deleted")
        decision = self.of_kind(key.resource, namespaced=bool(key.namespace))
        if decision.inclusion is Inclusion.IN and not self._scope.takes_labels(labels):
            return Decision(Inclusion.RELATED, "the label selector does not take it in")
        return decision

    def of_kind(self, resource: str, *, namespaced: bool) -> Decision:
        """What the filters say of a whole kind."""
        place = (resource, namespaced)
        if place not in self._kinds:
            self._kinds[place] = self._kind(resource, namespaced=namespaced)
        return self._kinds[place]

    def _kind(self, resource: str, *, namespaced: bool) -> Decision:
        if resource in _AUTO_EXCLUDED:
            return Decision(Inclusion.OUT, "Velero takes snapshots itself and lists none")
        first = _SERVED_TWICE.get(resource)
        if first and self.of_kind(first, namespaced=namespaced).inclusion is Inclusion.IN:
            return Decision(Inclusion.OUT, f"the same objects are saved as {first}")
        if self._scope.old_filters:
            return self._old(resource, namespaced=namespaced)
        if namespaced:
            return self._new_namespaced(resource)
        return self._new_cluster(resource)

    def _old(self, resource: str, *, namespaced: bool) -> Decision:
        scope = self._scope
        if self._in(resource, scope.excluded):
            return Decision(Inclusion.OUT, "its kind is excluded")
        if not namespaced and scope.include_cluster is False:
            return Decision(Inclusion.OUT, "the backup leaves out what is cluster-scoped")
        if scope.included and not self._in(resource, scope.included):
            # With includeClusterResources set, what is referred to still comes along.
            related = not namespaced and scope.include_cluster is True
            inclusion = Inclusion.RELATED if related else Inclusion.OUT
            return Decision(inclusion, "its kind is not included")
        whole = namespaced or scope.include_cluster or self._all_namespaces
        if whole or resource == _NAMESPACES:
            return _IN
        return Decision(Inclusion.RELATED, "the backup is not of the whole cluster")

    def _new_namespaced(self, resource: str) -> Decision:
        scope = self._scope
        if self._in(resource, scope.excluded_namespaced):
            return Decision(Inclusion.OUT, "its kind is excluded")
        if not scope.included_namespaced or self._in(resource, scope.included_namespaced):
            return _IN
        return Decision(Inclusion.OUT, "its kind is not included")

    def _new_cluster(self, resource: str) -> Decision:
        scope = self._scope
        if self._in(resource, scope.excluded_cluster):
            return Decision(Inclusion.OUT, "its kind is excluded")
        if resource == _NAMESPACES or self._in(resource, scope.included_cluster):
            return _IN
        # ShouldInclude takes everything in where both lists are empty; they never are, for the
        # controller first adds an exclusion of its own (prepareBackupRequest).
        return Decision(Inclusion.RELATED, "its kind is not included")

    def _namespace(self, name: str, content: Mapping[str, object]) -> Decision:
        decision = self.of_kind(_NAMESPACES, namespaced=False)
        if decision.inclusion is not Inclusion.IN:
            return decision
        status, labels = content.get("status"), _labels(content)
        if isinstance(status, Mapping) and status.get("phase") not in (None, "Active"):
            return Decision(Inclusion.RELATED, "the namespace is not active")
        if excluded_by_label(labels):
            return Decision(Inclusion.OUT, f"it has the label {EXCLUDE_LABEL}")
        selectors = self._scope.selectors
        if selectors and self._scope.takes_labels(labels):
            return _IN
        if (selectors and self._all_namespaces) or not self.namespace_included(name):
            return Decision(Inclusion.RELATED, "no filter names the namespace")
        return _IN

    def _in(self, resource: str, listed: tuple[str, ...]) -> bool:
        return names_kind(listed, resource, self._aliases)


def _name(content: Mapping[str, object]) -> str:
    metadata = content.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, Mapping) else ""


def _labels(content: Mapping[str, object]) -> Mapping[str, str]:
    metadata = content.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}
