"""What a restore aside changes on purpose, so that the copy is compared with what it should become.

A drill holds workloads at zero, maps storage classes and closes doors by Velero's resource
modifiers. Each of these is declared here as data, applied to the saved object, and then demanded of
the restored one: a modifier that did not work is a difference like any other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from drills.objects import paths
from drills.objects.keys import ObjectKey
from drills.objects.paths import ABSENT, Pattern


class Action(StrEnum):
    """SET a field (made if missing), REPLACE it where it is there, or REMOVE it."""

    SET = "set"
    REPLACE = "replace"
    REMOVE = "remove"


class ChangeError(ValueError):
    """A declared change that cannot be understood; the text says what is wrong."""


@dataclass(frozen=True)
class ExpectedChange:
    """One field that is different on purpose.

    name: what the receipt calls it. resource: a glob over group-resources.
    namespaces: of the source; empty is every one. object_name: a glob.
    path: a pattern of `drills.objects.paths`; for SET one of plain keys at its end.
    value: what the field becomes. values: instead of it, old values and what each becomes; any
        other value stays (a storage class that is not mapped).
    only_if: path to the values of which the saved object must hold one.
    """

    name: str
    resource: str
    path: str
    action: Action = Action.SET
    value: object = None
    values: Mapping[str, object] | None = None
    namespaces: frozenset[str] = frozenset()
    object_name: str = "*"
    only_if: Mapping[str, tuple[object, ...]] = field(default_factory=dict)


class Changes:
    """Declared changes, ready to be applied. Raises ChangeError for one that cannot be read."""

    def __init__(self, changes: Iterable[ExpectedChange]) -> None:
        self.declared = tuple(changes)
        self._ready = tuple((change, _pattern(change)) for change in self.declared)
        self._conditions = {
            path: _compiled(path) for change in self.declared for path in change.only_if
        }
        self._of: dict[str, tuple[tuple[ExpectedChange, Pattern], ...]] = {}

    def applied(self, key: ObjectKey, content: object, count: dict[str, int]) -> object:
        """The content as it should be restored; `count` counts objects by the change's name.

        Conditions look at the saved object, as Velero's do, whatever was changed before.
        """
        about = self._of.get(key.resource)
        if about is None:
            about = tuple(one for one in self._ready if fnmatchcase(key.resource, one[0].resource))
            self._of[key.resource] = about
        changed = content
        for change, pattern in about:
            if not self._meant(change, key, content):
                continue
            new = paths.edited(changed, pattern, _edit(change), create=change.action is Action.SET)
            if new is not changed:
                count[change.name] = count.get(change.name, 0) + 1
                changed = new
        return changed

    def _meant(self, change: ExpectedChange, key: ObjectKey, content: object) -> bool:
        if change.namespaces and key.namespace not in change.namespaces:
            return False
        if not fnmatchcase(key.name, change.object_name):
            return False
        return all(
            any(value in wanted for value in paths.values(content, self._conditions[path]))
            for path, wanted in change.only_if.items()
        )


def _edit(change: ExpectedChange) -> paths.Edit:
    if change.action is Action.REMOVE:
        return lambda _old: ABSENT
    values = change.values
    if values is not None:
        return lambda old: values.get(old, old) if isinstance(old, str) else old
    value = change.value
    return lambda old: old if _same(old, value) else value


def _same(old: object, new: object) -> bool:
    """Equal, and of one kind: in Python `True == 1`, in JSON not."""
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _pattern(change: ExpectedChange) -> Pattern:
    if change.values is not None and change.action is not Action.REPLACE:
        raise ChangeError(f"the change {change.name!r} gives `values`: its action must be replace")
    return _compiled(change.path, change.name)


def _compiled(path: str, name: str = "") -> Pattern:
    try:
        return paths.pattern(path)
    except paths.PatternError as error:
        raise ChangeError(f"the change {name!r}: {error}" if name else str(error)) from None
