"""One change to the sound stack, and the rule it is to break."""

from collections.abc import Callable
from dataclasses import dataclass

from policies.plain import Resource

Stack = list[Resource]


@dataclass(frozen=True)
class Change:
    """One way to break one rule; `at` is (type, name) of the resource that is to be blamed."""

    rule: str
    what: str
    at: tuple[str, str]
    make: Callable[[Stack], Stack]

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"
