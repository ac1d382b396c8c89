"""What a backup takes and leaves out by default, and which filters may stand together."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

EVERYTHING = "*"
# Longhorn's own objects name engines and replicas of this cluster: brought back elsewhere, they
# fight with the Longhorn that runs there.
EXCLUDED_NAMESPACES = ("longhorn-system",)
# Velero never restores events, and a busy cluster has more of them than of anything else.
EXCLUDED_RESOURCES = ("events", "events.events.k8s.io")


def includes_all(included: Sequence[str]) -> bool:
    """Whether a list of namespaces takes in every one; so does an empty list."""
    return not included or EVERYTHING in included


def excluded_namespaces(included: Sequence[str], excluded: Sequence[str], velero: str) -> list[str]:
    """What to exclude: the given ones and, always, the namespace `velero` runs in.

    A backup that holds Velero's own namespace cannot restore volumes of other backups, and leaks
    their snapshots. A namespace that is included by its own name is not excluded: Velero refuses
    one that stands in both lists.
    """
    wanted = [name for name in dict.fromkeys([velero, *excluded]) if name not in included]
    return sorted(wanted)


def selects(included: Iterable[str], namespace: str) -> bool:
    """Whether the list of names and globs takes in `namespace`; an empty one takes everything."""
    patterns = list(included)
    return not patterns or any(fnmatchcase(namespace, pattern) for pattern in patterns)


def plain_names(patterns: Iterable[str]) -> list[str]:
    """The entries that are names and not globs."""
    return [pattern for pattern in patterns if not any(sign in pattern for sign in "*?[")]
