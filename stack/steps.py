"""What becomes of an operation that an interrupted run left unfinished."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stack.checkpoint import Resource, name_of


class Action(StrEnum):
    """The four ends. FINISH: a removal that had begun is carried through."""

    CLEAR = "clear"
    ADOPT = "adopt"
    FINISH = "finish"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Step:
    """The decision for one operation; `why` is the whole sentence if it is a refusal.

    `fields` complete the resource where it is adopted, and `read_back` says whether a refresh shall
    fill in the rest. `record`: a record of helm's, as (namespace, name of its Secret), that has to
    go first.
    """

    urn: str
    name: str
    action: Action
    why: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    read_back: bool = True
    record: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.action}: {self.name}: {self.why}"


def step(
    resource: Resource,
    action: Action,
    why: str,
    *,
    fields: Mapping[str, Any] | None = None,
    read_back: bool = True,
    record: tuple[str, str] | None = None,
) -> Step:
    """The decision for this resource."""
    return Step(
        str(resource["urn"]), name_of(resource), action, why, fields or {}, read_back, record
    )
