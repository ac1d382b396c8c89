"""What a drill wants of a restore point, and what is in it to choose from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from drills.coverage.volume_info import VolumeRecord
from drills.sandbox.hold import Idle
from drills.sandbox.kinds import NotRestored, Present
from drills.sandbox.marks import PREFIX
from drills.verdict import Reason
from kube.velero.api import Object

SYSTEM_NAMESPACES = ("kube-node-lease", "kube-public", "kube-system")


class PlanError(Exception):
    """This cannot be restored aside: `reason` for the verdict, the text is one sentence."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Wish:
    """What a drill wants of a restore point.

    `namespaces`: names and globs, none for all but the cluster's own. `classes`: storage classes to
    use instead of others. `custom`: further kinds that are harmless, see kinds.py. `idle`: what
    runs in pods that copies are restored through. `seconds`: how long the data may take.
    """

    objects: bool
    volumes: bool
    seconds: int
    namespaces: Sequence[str] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    custom: Sequence[str] = ()
    idle: Idle | None = None


@dataclass(frozen=True)
class Contents:
    """What is in the backup, from its archive and its list of volumes.

    `kinds`: all that it holds of `namespaces` and beside. `pods`, `services`, `claims`: all of the
    namespaces that the drill asks for, as they are in the archive.
    """

    namespaces: Collection[str]
    kinds: Sequence[Present] = ()
    pods: Sequence[Object] = ()
    services: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    records: Sequence[VolumeRecord] = ()


def choose_namespaces(
    backup: str, contents: Contents, wish: Wish, velero_namespace: str
) -> tuple[list[str], list[NotRestored]]:
    """The chosen namespaces, sorted, and those that stay out with their reason.

    Raises PlanError if one that was asked for is not in the backup; ValueError for Velero's own.
    """
    if velero_namespace in wish.namespaces:
        raise ValueError(
            f"namespace {velero_namespace} is Velero's own; it is never restored aside"
        )
    for wanted in wish.namespaces:
        if not any(fnmatchcase(one, wanted) for one in contents.namespaces):
            raise PlanError(
                Reason.SCOPE_LOST,
                f"namespace {wanted} is not in backup {backup}; take it into the schedule, or take "
                "it off the drill's list",
            )
    why = {
        one: _why_left(one, wish.namespaces, velero_namespace)
        for one in sorted(contents.namespaces)
    }
    left = [NotRestored(f"namespace {one}", 1, reason) for one, reason in why.items() if reason]
    return [one for one, reason in why.items() if not reason], left


def _why_left(namespace: str, wanted: Sequence[str], velero_namespace: str) -> str:
    if namespace == velero_namespace:
        return "it is Velero's own"
    if namespace.startswith(PREFIX):
        return "it is the sandbox of a drill"
    if wanted:
        asked = any(fnmatchcase(namespace, one) for one in wanted)
        return "" if asked else "the drill's list does not name it"
    own = namespace in SYSTEM_NAMESPACES
    return "it is the cluster's own; name it to restore it aside" if own else ""
