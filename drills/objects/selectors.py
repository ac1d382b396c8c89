"""Label selectors as the API has them (apimachinery pkg/apis/meta/v1 LabelSelector)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Labels = Mapping[str, str]

_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "Exists": lambda value, _wanted: value is not None,
    "DoesNotExist": lambda value, _wanted: value is None,
}


class SelectorError(ValueError):
    """What should be a label selector is none."""


@dataclass(frozen=True)
class Requirement:
    """One line: a label, how it is judged, and the values for that."""

    label: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Selector:
    """All requirements must hold; none at all takes in everything."""

    requirements: tuple[Requirement, ...]

    def matches(self, labels: Labels) -> bool:
        return all(
            _OPERATORS[one.operator](labels.get(one.label), one.values) for one in self.requirements
        )


def selector(given: object) -> Selector:
    """The selector in a specification. Raises SelectorError."""
    if not isinstance(given, Mapping):
        raise SelectorError("it is no map")
    equal, written = given.get("matchLabels"), given.get("matchExpressions")
    equal = {} if equal is None else equal
    written = [] if written is None else written
    if not isinstance(equal, Mapping) or not isinstance(written, list | tuple):
        raise SelectorError("matchLabels is no map, or matchExpressions is no list")
    lines = [Requirement(str(name), "In", (str(value),)) for name, value in equal.items()]
    return Selector((*lines, *map(_requirement, written)))


def _requirement(given: object) -> Requirement:
    if not isinstance(given, Mapping):
        raise SelectorError("one of matchExpressions is no map")
    operator = str(given.get("operator"))
    if operator not in _OPERATORS:
        raise SelectorError(f"there is no operator {operator!r}")
    values = given.get("values") or ()
    if not isinstance(values, list | tuple):
        raise SelectorError("values is no list")
    return Requirement(str(given.get("key")), operator, tuple(map(str, values)))
