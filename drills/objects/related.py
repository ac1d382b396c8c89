"""What a backup takes in because something in it refers to it.

Velero's own actions do this (1.18.1, pkg/util/actionhelpers): a pod brings its claims and its
priority class, a bound claim its volume, a service account the cluster role bindings that name it
and their roles; pkg/backup/backup.go backupCRD brings the definition of every custom resource.
"""

from collections.abc import Iterable, Iterator, Mapping

from drills.objects import paths
from drills.objects.keys import ObjectKey

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
ACCOUNTS = "serviceaccounts"
BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io"
ROLES = "clusterroles.rbac.authorization.k8s.io"
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLASSES = "priorityclasses.scheduling.k8s.io"

_CLAIM_NAMES = paths.pattern("spec.volumes[].persistentVolumeClaim.claimName")
_CLASS_NAME = paths.pattern("spec.priorityClassName")
_VOLUME_NAME = paths.pattern("spec.volumeName")
_PHASE = paths.pattern("status.phase")
_SUBJECTS = paths.pattern("subjects[kind=ServiceAccount]")
_ROLE_NAME = paths.pattern("roleRef.name")


def references(key: ObjectKey, content: Mapping[str, object]) -> tuple[ObjectKey, ...]:
    """Objects that come along with this one.

    Bindings that name a service account: see `bound`. The definition of a custom resource bears
    the kind's name and is left to the caller, who knows the kinds.
    """
    found: list[ObjectKey] = []
    if key.resource == "pods":
        for claim in _texts(content, _CLAIM_NAMES):
            found.append(ObjectKey(CLAIMS, key.namespace, claim))
        for name in _texts(content, _CLASS_NAME):
            found.append(ObjectKey(CLASSES, "", name))
    elif key.resource == CLAIMS and "Bound" in _texts(content, _PHASE):
        for volume in _texts(content, _VOLUME_NAME):
            found.append(ObjectKey(VOLUMES, "", volume))
    elif key.resource == BINDINGS:
        for role in _texts(content, _ROLE_NAME):
            found.append(ObjectKey(ROLES, "", role))
    return tuple(found)


def bound(key: ObjectKey, content: Mapping[str, object]) -> tuple[ObjectKey, ...]:
    """For a cluster role binding, the service accounts any of which brings it in."""
    if key.resource != BINDINGS:
        return ()
    found: list[ObjectKey] = []
    for subject in paths.values(content, _SUBJECTS):
        if isinstance(subject, Mapping):
            namespace, name = subject.get("namespace"), subject.get("name")
            if isinstance(namespace, str) and isinstance(name, str):
                found.append(ObjectKey(ACCOUNTS, namespace, name))
    return tuple(found)


def reached(
    begun: Iterable[ObjectKey],
    references_of: Mapping[ObjectKey, tuple[ObjectKey, ...]],
    brought_by: Mapping[ObjectKey, tuple[ObjectKey, ...]],
) -> set[ObjectKey]:
    """Everything that the objects of `begun` bring along, step by step; they themselves too.

    references_of: by object, what it brings. brought_by: by object, what each bring it.
    """
    brings: dict[ObjectKey, list[ObjectKey]] = {}
    for target, sources in brought_by.items():
        for source in sources:
            brings.setdefault(source, []).append(target)
    found: set[ObjectKey] = set()
    pending = list(begun)
    while pending:
        key = pending.pop()
        if key in found:
            continue
        found.add(key)
        pending += references_of.get(key, ())
        pending += brings.get(key, ())
    return found


def _texts(content: Mapping[str, object], pattern: paths.Pattern) -> Iterator[str]:
    return iter([value for value in paths.values(content, pattern) if isinstance(value, str)])
