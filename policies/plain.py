"""The plain data that rules look at, and the two shapes of a rule.

A rule is total: whatever the properties hold (nothing, null, a wrong type, a value not known yet)
it returns problems or none, and never raises, because an exception in a policy fails the update.
A problem's text names the resource and what to do, never a property's value: policies are given
secrets in clear and cannot tell them from other values.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Severity = Literal["low", "medium", "high", "critical"]


class Unknown:
    """A value the engine does not know yet in a preview, or one a rule cannot look into."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Resource:
    """One declared resource.

    `props` are its properties as the provider's check left them: camelCase keys, numbers as float,
    nested values as dict and list, `UNKNOWN` where the value is not known. `sources` says, by
    property, which resources (URNs) the value came from; it is filled for stack rules only.
    """

    type: str
    name: str
    urn: str
    props: Mapping[str, object] = field(default_factory=dict)
    protect: bool = False
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How messages name it: the short type and the resource's name."""
        kind = self.type.rsplit(":", 1)[-1]
        if self.type.startswith("pulumi:providers:"):
            kind += " provider"
        return f"{kind} '{self.name}'"


@dataclass(frozen=True)
class Problem:
    """One violation: where (a URN) and one sentence saying what is wrong and what to do."""

    urn: str
    text: str


@dataclass(frozen=True)
class _Described:
    name: str
    title: str
    why: str
    remedy: str
    severity: Severity
    types: frozenset[str]

    def problem(self, resource: Resource, what: str) -> Problem:
        """What is wrong with the resource, and what to do, in one sentence."""
        return Problem(resource.urn, f"{resource.label} {what}: {self.remedy}.")


@dataclass(frozen=True)
class ResourceRule(_Described):
    """A rule that one resource of `types` can break; `check` returns what is wrong with it."""

    check: Callable[[Resource], Iterator[str]]

    def problems(self, resource: Resource) -> list[Problem]:
        """The problems of one resource; none if the rule does not concern its type."""
        if resource.type not in self.types:
            return []
        return [self.problem(resource, what) for what in self.check(resource)]


@dataclass(frozen=True)
class StackRule(_Described):
    """A rule over all resources of `types`; `check` pairs a resource with what is wrong with it."""

    check: Callable[[Sequence[Resource]], Iterator[tuple[Resource, str]]]

    def problems(self, resources: Sequence[Resource]) -> list[Problem]:
        """The problems of a whole stack, in the order of its resources."""
        concerned = [r for r in resources if r.type in self.types]
        return [self.problem(resource, what) for resource, what in self.check(concerned)]


Rule = ResourceRule | StackRule


def is_true(value: object) -> bool:
    """Whether a value certainly switches something on. Provider inputs are JSON text: "true"."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def is_set(value: object) -> bool:
    """Whether a value is there at all, be it unknown; blank text counts as absent."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None


def mapping(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """The elements of a list; anything else stands alone, absence is an empty list."""
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


def inside(value: object, *path: str) -> object:
    """What stands under the keys: `UNKNOWN` if something on the way is, None if nothing does."""
    for key in path:
        if value is UNKNOWN:
            return UNKNOWN
        value = mapping(value).get(key)
    return value


def always(what: str) -> Callable[[Resource], Iterator[str]]:
    """A check for a type that must not be declared at all."""
    return lambda _: iter((what,))


def switched_on(what: str, *path: str) -> Callable[[Resource], Iterator[str]]:
    """A check that says `what` of a resource whose property at `path` is certainly true."""

    def check(resource: Resource) -> Iterator[str]:
        if is_true(inside(resource.props, *path)):
            yield what

    return check
