"""What an update would change: the object as the state knows it against the inputs now wanted.

The object is cut to the shape of the last inputs first, so that fields of others make no
difference and a changed field of ours does, whoever changed it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from standins.pulumi.kubernetes import annotations
from standins.pulumi.kubernetes.objects import Kept, is_dropped_zero, normalize, prune
from standins.pulumi.kubernetes.replacing import Path, replaces
from standins.pulumi.kubernetes.values import Props, Unknown, Value, copy, mapping, text

_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]]+)')


class Change(Enum):
    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Difference:
    """`changes`: path as Pulumi writes it -> what happens there."""

    changes: dict[str, Change] = field(default_factory=dict)
    replaces: list[str] = field(default_factory=list)
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Found:
    """One changed place; `value` is what it becomes, None where it goes."""

    path: Path
    change: Change
    value: Value = None


def difference(
    kept: Kept,
    wanted: Props,
    *,
    namespaced: bool,
    known_kind: bool,
    fixed: Sequence[str],
    ignored: Sequence[str] = (),
) -> Difference:
    """Compares. `fixed` are fields whose change replaces, `ignored` the program's ignoreChanges."""
    inputs, new = normalize(kept.inputs), normalize(wanted)
    old = prune(copy(kept.live), inputs)
    _same_place(old, kept.live, new, namespaced=namespaced)
    paths = [parse_path(one) for one in ignored]
    changes: dict[str, Change] = {}
    replacing: list[str] = []
    for found in _object((), old, new, inputs if known_kind else {}):
        if any(_contains(path, found.path) for path in paths):
            continue
        where = path_text(found.path)
        changes[where] = found.change
        gone = found.change is Change.DELETE and found.path == ("metadata",)
        if gone or replaces(found.path, found.value, fixed):
            replacing.append(where)
    return Difference(changes, replacing, bool(replacing) and _same_name(kept.live, new))


def _same_place(old: Props, live: Props, new: Props, *, namespaced: bool) -> None:
    metadata = old.setdefault("metadata", {})
    wanted = new.setdefault("metadata", {})
    if not isinstance(metadata, dict) or not isinstance(wanted, dict):
        return
    for name in ("apiVersion", "kind"):
        if name not in old and name in new:
            old[name] = new[name]
    if namespaced:
        metadata["namespace"] = text(live, "metadata", "namespace") or "default"
        if not wanted.get("namespace"):
            wanted["namespace"] = "default"
    else:
        metadata.pop("namespace", None)
        wanted.pop("namespace", None)
    if wanted.get("name"):
        metadata["name"] = text(live, "metadata", "name")


def _same_name(live: Props, new: Props) -> bool:
    # An automatic name can change with the replacement, so the old one may stay until then.
    metadata = mapping(new, "metadata")
    namespace = metadata.get("namespace") or ""
    return (
        metadata.get("name") == text(live, "metadata", "name")
        and namespace == text(live, "metadata", "namespace")
        and mapping(metadata, "annotations").get(annotations.AUTONAMED) != "true"
    )


def _object(path: Path, old: Props, new: Props, inputs: Value) -> Iterator[Found]:
    last = inputs if isinstance(inputs, dict) else {}
    for name in sorted({*old, *new}):
        here = (*path, name)
        if name not in old:
            dropped = name in last and last[name] == new[name] and is_dropped_zero(name, new[name])
            if not dropped:
                yield Found(here, Change.ADD, new[name])
        elif name not in new:
            yield Found(here, Change.DELETE)
        else:
            yield from _value(here, old[name], new[name], last.get(name))


def _value(path: Path, old: Value, new: Value, inputs: Value) -> Iterator[Found]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _object(path, old, new, inputs)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list(path, old, new, inputs if isinstance(inputs, list) else [])
    elif isinstance(new, Unknown) or isinstance(old, bool) != isinstance(new, bool) or old != new:
        yield Found(path, Change.UPDATE, new)


def _list(path: Path, old: list[Value], new: list[Value], inputs: list[Value]) -> Iterator[Found]:
    for index in range(max(len(old), len(new))):
        here = (*path, index)
        if index >= len(old):
            yield Found(here, Change.ADD, new[index])
        elif index >= len(new):
            yield Found(here, Change.DELETE)
        else:
            last = inputs[index] if index < len(inputs) else None
            yield from _value(here, old[index], new[index], last)


def path_text(path: Path) -> str:
    """A path as Pulumi writes it: `spec.ports[0].port`, `metadata.labels["a.b"]`."""
    text_so_far = ""
    for part in path:
        if isinstance(part, int):
            text_so_far += f"[{part}]"
        elif any(sign in part for sign in '."[]'):
            quoted = part.replace('"', '\\"')
            text_so_far += f'["{quoted}"]'
        else:
            text_so_far += f".{part}" if text_so_far else part
    return text_so_far


def parse_path(written: str) -> Path:
    """The parts of a path as Pulumi writes it; `*` stands for any."""
    parts: list[str | int] = []
    for quoted, index, name in _PART.findall(written):
        if index:
            parts.append("*" if index == "*" else int(index))
        else:
            parts.append(quoted.replace('\\"', '"') if quoted else name)
    return tuple(parts)


def _contains(outer: Path, inner: Path) -> bool:
    return len(outer) <= len(inner) and all(
        a in ("*", b) for a, b in zip(outer, inner, strict=False)
    )
