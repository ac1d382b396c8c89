"""What a comparison of objects came to: findings, what was compared, and what was not and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drills.objects.differences import FieldChange
from drills.objects.keys import ObjectKey
from drills.objects.ownership import OwnedField

EXAMPLES = 5


class FindingKind(StrEnum):
    """What is wrong with an object."""

    LOST = "lost"
    ADDED = "added"
    CHANGED = "changed"


class Sides(StrEnum):
    """Which two sides were compared."""

    TRUTH_BACKUP = "truth and backup"
    LIVE_BACKUP = "live cluster and backup"
    BACKUP_COPY = "backup and restored copy"


@dataclass(frozen=True)
class Finding:
    """One object that is not as it should be.

    fields: for CHANGED, the first that differ; `fields_count` is how many do.
    why: for LOST and ADDED, what it rests on, where that is not plain.
    """

    kind: FindingKind
    sides: Sides
    key: ObjectKey
    fields: tuple[FieldChange, ...] = ()
    fields_count: int = 0
    why: str = ""

    def __str__(self) -> str:
        """One line: `changed deployments.apps/shop/web: spec.replicas: expected 3, …`."""
        text = f"{self.kind} {self.key}"
        if self.fields:
            more = self.fields_count - 1
            text += f": {self.fields[0]}" + (f" (and {more} more fields)" if more > 0 else "")
        return f"{text} ({self.why})" if self.why else text


@dataclass(frozen=True)
class NotCompared:
    """Objects of one kind that were left out for one reason; the first of them by name."""

    what: str
    count: int
    why: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Owned:
    """A field that was not compared, in how many objects it stood, and who owns it."""

    resource: str
    path: str
    owner: str
    why: str
    count: int


@dataclass(frozen=True)
class Comparison:
    """The outcome of one comparison.

    compared: objects by kind whose content was compared and found right or wrong.
    expected_changes: by name, objects in which a declared change was demanded.
    nothing: true if not one object was compared; such an outcome proves nothing.
    """

    sides: Sides
    findings: tuple[Finding, ...] = ()
    compared: Mapping[str, int] = field(default_factory=dict)
    not_compared: tuple[NotCompared, ...] = ()
    owned: tuple[Owned, ...] = ()
    expected_changes: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.compared.values())

    @property
    def nothing(self) -> bool:
        return self.count == 0

    def of_kind(self, kind: FindingKind) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.kind is kind)


def owned(totals: Mapping[OwnedField, int]) -> tuple[Owned, ...]:
    """Rows of the table of owned fields, each with the number of objects it was met in."""
    return tuple(
        Owned(row.resource, row.path, row.owner, row.why, count) for row, count in totals.items()
    )


class Skipped:
    """Counts what is not compared, by kind and reason, with a few examples."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], list[str]] = {}

    def add(self, key: ObjectKey, why: str) -> None:
        place = (key.resource, why)
        self._counts[place] += 1
        examples = self._examples.setdefault(place, [])
        if len(examples) < EXAMPLES:
            examples.append(str(key))

    def add_count(self, resource: str, why: str, count: int) -> None:
        self._counts[(resource, why)] += count

    def listed(self) -> tuple[NotCompared, ...]:
        return tuple(
            NotCompared(what, count, why, tuple(sorted(self._examples.get((what, why), ()))))
            for (what, why), count in sorted(self._counts.items())
        )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Lost ones first, then changed, then added; each by name."""
    rank = {FindingKind.LOST: 0, FindingKind.CHANGED: 1, FindingKind.ADDED: 2}
    return tuple(sorted(findings, key=lambda one: (rank[one.kind], one.key)))
