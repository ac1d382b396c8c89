"""What of an object is compared: the saved and the restored one brought to the same form.

Both lose what others own; the saved one also gets the mapped namespaces and the changes that the
drill makes on purpose. What is equal then came back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drills.objects import paths
from drills.objects.changes import Changes, ExpectedChange
from drills.objects.keys import ObjectKey
from drills.objects.makers import MADE_BY_CONTROLLERS, NEVER_RESTORED, Row
from drills.objects.mapping import NamespaceMapping
from drills.objects.ownership import OWNED_FIELDS, OwnedField, Stage
from drills.objects.paths import Pattern

_IN_THE_KEY = frozenset({"name", "namespace"})
_METADATA = "metadata."


@dataclass(frozen=True)
class Restoration:
    """How the backup was restored aside.

    namespaces: source to sandbox; what lies elsewhere was not restored.
    left_out: globs over group-resources that the drill does not restore, with the reason.
    changes: what its resource modifiers make of objects.
    namespaces_restored: whether Velero made the sandbox's namespaces from the backup's; if the
        drill made them itself, they bear its own marks and are not compared.
    """

    namespaces: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    changes: Sequence[ExpectedChange] = ()
    namespaces_restored: bool = False
    owned: Sequence[OwnedField] = OWNED_FIELDS
    made: Sequence[Row] = MADE_BY_CONTROLLERS
    never_restored: Sequence[Row] = NEVER_RESTORED


@dataclass(frozen=True)
class _Rule:
    row: OwnedField
    pattern: Pattern
    only_if: tuple[Pattern, str] | None
    unless: tuple[Pattern, str] | None
    conditional: bool


_Group = tuple[tuple[str, ...], list[tuple[int, _Rule]]]


class Stripper:
    """Takes out of objects what others own at one stage, and counts objects by row."""

    def __init__(self, owned: Iterable[OwnedField], stage: Stage) -> None:
        rows = [row for row in owned if row.stage is stage]
        plain = [row for row in rows if _is_whole(row)]
        self._always = tuple(plain)
        self._top = frozenset(row.path for row in plain if not row.path.startswith(_METADATA))
        self._metadata = _IN_THE_KEY | {
            row.path.removeprefix(_METADATA) for row in plain if row.path.startswith(_METADATA)
        }
        self._rules = tuple(_rule(row) for row in rows if not _is_whole(row))
        self._of: dict[str, tuple[_Group, ...]] = {}
        self._counts = [0] * len(self._rules)
        self._objects = 0

    def stripped(self, resource: str, content: Mapping[str, object]) -> dict[str, object]:
        """A new object without what is owned; the given one stays as it is."""
        self._objects += 1
        top, dropped = self._top, self._metadata
        kept = {key: value for key, value in content.items() if key not in top}
        metadata = kept.get("metadata")
        if isinstance(metadata, dict):
            # The API server drops what is empty here, so empty and absent are the same.
            kept["metadata"] = {
                name: held for name, held in metadata.items() if held and name not in dropped
            }
        found: object = kept
        for place, rules in self._rules_of(resource):
            if _has_place(kept, place):
                found = self._without(found, rules, content)
        left = found if isinstance(found, dict) else {}
        # Whatever was taken out of it: there is always a metadata, if only an empty one.
        return left if "metadata" in left else {**left, "metadata": {}}

    def _without(
        self, found: object, rules: Sequence[tuple[int, _Rule]], content: Mapping[str, object]
    ) -> object:
        for number, rule in rules:
            if rule.conditional and not _holds(rule, content):
                continue
            new = paths.without(found, rule.pattern)
            if new is not found:
                self._counts[number] += 1
                found = new
        return found

    def totals(self) -> dict[OwnedField, int]:
        """Objects by row; rows that met nothing are left out.

        Rows for whole fields that every object has are counted once an object.
        """
        found = {row: self._objects for row in self._always if self._objects}
        counted = zip(self._rules, self._counts, strict=True)
        return found | {rule.row: count for rule, count in counted if count}

    def _rules_of(self, resource: str) -> tuple[_Group, ...]:
        """The rules about a kind by the two fields they begin with, most of which are missing."""
        groups = self._of.get(resource)
        if groups is None:
            found: dict[tuple[str, ...], list[tuple[int, _Rule]]] = {}
            for number, rule in enumerate(self._rules):
                if rule.row.resource in ("*", resource):
                    found.setdefault(rule.pattern.leading[:2], []).append((number, rule))
            groups = self._of[resource] = tuple(found.items())
        return groups


class NormalForm:
    """Saved and restored objects in the form in which they must be equal.

    Raises:
        MappingError, ChangeError: the restoration cannot be followed.
    """

    def __init__(self, restoration: Restoration) -> None:
        self.mapping = NamespaceMapping(restoration.namespaces)
        self.changed: dict[str, int] = {}
        self._changes = Changes(restoration.changes)
        self._saved = Stripper(restoration.owned, Stage.RESTORE)
        self._restored = Stripper(restoration.owned, Stage.RESTORE)

    def saved(self, key: ObjectKey, content: Mapping[str, object]) -> dict[str, object]:
        """What should have come back for an object of the backup."""
        changed = self._changes.applied(key, content, self.changed)
        mapped = self.mapping.applied(key.resource, changed)
        return self._saved.stripped(key.resource, mapped if isinstance(mapped, dict) else {})

    def restored(self, key: ObjectKey, content: Mapping[str, object]) -> dict[str, object]:
        """What came back."""
        return self._restored.stripped(key.resource, content)

    def totals(self) -> dict[OwnedField, int]:
        """Objects by row of the table, on the side that has more of them."""
        saved, restored = self._saved.totals(), self._restored.totals()
        return {row: max(saved.get(row, 0), restored.get(row, 0)) for row in {**saved, **restored}}


def _has_place(content: Mapping[str, object], place: tuple[str, ...]) -> bool:
    held: object = content
    for name in place:
        if not isinstance(held, dict) or name not in held:
            return False
        held = held[name]
    return True


def _is_whole(row: OwnedField) -> bool:
    """A whole top-level or metadata field of every kind: dropped while copying, not searched."""
    rest = row.path.removeprefix(_METADATA)
    return row.resource == "*" and rest.isalnum() and not (row.only_if or row.unless)


def _rule(row: OwnedField) -> _Rule:
    def condition(given: tuple[str, str] | None) -> tuple[Pattern, str] | None:
        return None if given is None else (paths.pattern(given[0]), given[1])

    only_if, unless = condition(row.only_if), condition(row.unless)
    return _Rule(row, paths.pattern(row.path), only_if, unless, bool(only_if or unless))


def _holds(rule: _Rule, content: object) -> bool:
    if rule.only_if is not None and not _has(content, rule.only_if):
        return False
    return rule.unless is None or not _has(content, rule.unless)


def _has(content: object, condition: tuple[Pattern, str]) -> bool:
    pattern, wanted = condition
    return any(value == wanted for value in paths.values(content, pattern))
