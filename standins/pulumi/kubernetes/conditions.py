"""What `pulumi.com/waitFor` can ask of an object: `jsonpath={.a.b}=c` and `condition=Ready`."""

import json
import re
from dataclasses import dataclass
from typing import Protocol

from standins.pulumi.kubernetes.values import Props, Value, objects, text, whole

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]\s]+)
      | \[\s*(?P<index>-?\d+)\s*\]
      | \[\s*'(?P<single>[^']*)'\s*\]
      | \[\s*"(?P<double>[^"]*)"\s*\]
      | (?P<all>\[\s*\*\s*\]|\.\*)
      | \[\?\s*\(?\s*@(?P<inner>(?:\.[A-Za-z0-9_-]+)+)\s*
            (?:(?P<sign>==|!=)\s*(?P<literal>'[^']*'|"[^"]*"|true|false|null|-?[\d.]+)\s*)?\)?\s*\]
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Answer:
    """Whether a condition holds, and what was seen instead."""

    holds: bool
    seen: str = ""


class Condition(Protocol):
    """One thing to wait for; `str()` is how the program wrote it."""

    def check(self, live: Props) -> Answer: ...


@dataclass(frozen=True)
class StatusCondition:
    """`condition=TYPE` or `condition=TYPE=STATUS`: an entry of status.conditions."""

    type: str
    status: str = "True"

    def __str__(self) -> str:
        return f"condition {self.type}={self.status}"

    def check(self, live: Props) -> Answer:
        for entry in objects(live, "status", "conditions"):
            if text(entry, "type").lower() != self.type.lower():
                continue
            seen = text(entry, "status")
            if _is_stale(live, whole(entry, "observedGeneration")):
                return Answer(False, f"{self.type} is of an older generation")
            words = " ".join(filter(None, (text(entry, "reason"), text(entry, "message"))))
            detail = f"{self.type} is {seen}" + (f": {words}" if words else "")
            return Answer(seen.lower() == self.status.lower(), detail)
        return Answer(False, f"status.conditions has no {self.type}")


@dataclass(frozen=True)
class PathCondition:
    """`jsonpath={PATH}` or `jsonpath={PATH}=VALUE`: something is there, or it is that value."""

    path: str
    value: str = ""

    def __str__(self) -> str:
        return self.path + (f"={self.value}" if self.value else "")

    def check(self, live: Props) -> Answer:
        if _is_stale(live, None):
            return Answer(False, "status is of an older generation")
        found = select(self.path, live)
        if not found:
            return Answer(False, f"{self.path} is not there{_message(live)}")
        seen = found[0]
        if not self.value:
            return Answer(True, f"{self.path} is there")
        shown = _as_text(seen)
        return Answer(shown == self.value, f"{self.path} is {shown}{_message(live)}")


def parse_condition(word: str) -> Condition:
    """Raises ValueError, one sentence, for what is neither of the two forms."""
    where = f"the annotation pulumi.com/waitFor has {word!r}"
    if word.startswith("condition="):
        kind, _, status = word.removeprefix("condition=").partition("=")
        if not kind:
            raise ValueError(f"{where}: name the condition, as in condition=Ready")
        return StatusCondition(kind, status or "True")
    if not word.startswith("jsonpath="):
        raise ValueError(f"{where}: begin with jsonpath= or condition=")
    found = re.fullmatch(r"(\{\s*(.*?)\s*\})(?:=(.+))?", word.removeprefix("jsonpath="))
    if found is None:
        raise ValueError(f"{where}: write jsonpath={{.path}} or jsonpath={{.path}}=value")
    path = found.group(2).removeprefix("$")
    if _steps(path) is None:
        raise ValueError(f"{where}: the path is not understood by the stand-in")
    return PathCondition(f"{{{path}}}", found.group(3) or "")


def select(path: str, root: Value) -> list[Value]:
    """Everything that lies at a path written `{.a['b.c'][0][?(@.type=="x")].d}`."""
    found: list[Value] = [root]
    for step in _steps(path.strip("{}")) or []:
        found = [item for value in found for item in _apply(step, value)]
    return found


def _steps(path: str) -> "list[re.Match[str]] | None":
    steps, position = [], 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        steps.append(step)
        position = step.end()
    return steps or None


def _apply(step: "re.Match[str]", value: Value) -> list[Value]:
    parts = step.groupdict()
    if parts["all"] or parts["name"] == "*":
        return _items(value)
    if parts["inner"]:
        return [item for item in _items(value) if _passes(parts, item)]
    if parts["index"] is not None:
        index = int(parts["index"])
        inside = isinstance(value, list) and -len(value) <= index < len(value)
        return [value[index]] if inside and isinstance(value, list) else []
    names = [parts[key] for key in ("name", "single", "double") if parts[key] is not None]
    return [value[names[0]]] if isinstance(value, dict) and names[0] in value else []


def _items(value: Value) -> list[Value]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _passes(parts: dict[str, str | None], item: Value) -> bool:
    found = select(parts["inner"] or "", item)
    if not parts["sign"]:
        return bool(found)
    literal = parts["literal"] or ""
    wanted = literal[1:-1] if literal[0] in "'\"" else json.loads(literal)
    equal = bool(found) and found[0] == wanted
    return equal if parts["sign"] == "==" else not equal


def _is_stale(live: Props, observed: int | None) -> bool:
    generation = whole(live, "metadata", "generation")
    seen = observed if observed is not None else whole(live, "status", "observedGeneration")
    return generation is not None and seen is not None and seen < generation


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _message(live: Props) -> str:
    # Where an object says why, in a field of its own: a BackupStorageLocation does.
    said = text(live, "status", "message")
    return f" ({said})" if said else ""
