"""Rules of Velero's resource modifiers, and what they change, from one description.

Velero parses them strictly, matches a rule against the object as it was before the first rule, and
applies the matching ones in order. A rule that cannot be applied leaves the object as it was and
creates it all the same. So every rule here is one that cannot fail: merge patches, and JSON patches
whose paths exist. Source: internal/resourcemodifiers of Velero 1.18.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Value(Enum):
    """What no JSON value says: that there is none, or that any will do."""

    GONE = "gone"
    ANY = "any"


@dataclass(frozen=True)
class Change:
    """A difference between a restored object and its backup that the drill itself has made.

    `path`: JSON pointer; `value`: what is there after the restore, GONE for nothing. It concerns
    the kind's objects in `namespaces` (as they are called in the backup), only those in `names` if
    there are any, and only where the backup has `was`.
    """

    kind: str
    path: str
    value: object
    namespaces: tuple[str, ...]
    names: tuple[str, ...] = ()
    was: object = Value.ANY


Operation = tuple[str, str, object]
"""Of a JSON patch: op, path, and the value, or for a move the path it comes from."""


@dataclass(frozen=True)
class Rule:
    """A merge patch (RFC 7386) or a JSON patch (RFC 6902) for the objects of a kind.

    `names`: only these objects. `matches`: only where these paths hold these texts.
    """

    kind: str
    namespaces: tuple[str, ...]
    merge: Mapping[str, Any] | None = None
    operations: Sequence[Operation] = ()
    names: tuple[str, ...] = ()
    matches: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """As Velero reads it."""
        conditions: dict[str, Any] = {"groupResource": self.kind}
        if self.namespaces:
            conditions["namespaces"] = list(self.namespaces)
        if self.names:
            conditions["resourceNameRegex"] = exactly(self.names)
        if self.matches:
            conditions["matches"] = [
                {"path": path, "value": _quoted(value)} for path, value in self.matches
            ]
        if self.merge is not None:
            return {"conditions": conditions, "mergePatches": [{"patchData": _json(self.merge)}]}
        return {"conditions": conditions, "patches": [_operation(*one) for one in self.operations]}

    def changes(self) -> Iterator[Change]:
        """What a merge patch leaves behind; none of a JSON patch, whose objects nobody compares."""
        was = self.matches[0][1] if self.matches else Value.ANY
        for path, value in _leaves(self.merge or {}):
            fitting = was if self.matches and path == self.matches[0][0] else Value.ANY
            yield Change(self.kind, path, value, self.namespaces, self.names, fitting)


def exactly(names: Sequence[str]) -> str:
    """A regular expression for these names and no others; `re` and Go's RE2 agree on it."""
    return f"^({'|'.join(re.escape(name) for name in sorted(names))})$"


def pointer(*keys: str) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _quoted(text: str) -> str:
    # Velero takes a bare `true` or `5` for no string, and strips these quotes again.
    return f'"{text}"'


def _operation(op: str, path: str, value: object) -> dict[str, str]:
    match op:
        case "move" | "copy":
            return {"operation": op, "from": str(value), "path": path}
        case "remove":
            return {"operation": op, "path": path}
    # Velero puts a text that begins with a bracket into the patch as it is.
    if not isinstance(value, dict | list):
        raise TypeError(f"{path}: Velero would guess the type of {value!r}; give an object or list")
    return {"operation": op, "path": path, "value": _json(value)}


def _leaves(patch: Mapping[str, Any], *above: str) -> Iterator[tuple[str, object]]:
    for key, value in patch.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, *above, key)
        else:
            yield pointer(*above, key), Value.GONE if value is None else value
