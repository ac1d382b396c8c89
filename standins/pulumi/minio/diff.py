"""Diff: what an update would do, from the state kept and the inputs wanted.

As in the official plugin the comparison is with the state, not with the last inputs: null and a
zero value are equal, an input the server fills is compared only when the program sets it, policy
texts are compared by meaning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from standins.pulumi.minio import documents
from standins.pulumi.minio.schema import RESOURCES, Field, Fields, Kind
from standins.pulumi.minio.values import Unknown, Value, is_empty


class Change(Enum):
    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Diff:
    """`changes`: path of the property, as Pulumi writes it -> what happens to it."""

    changes: Mapping[str, Change] = field(default_factory=dict)
    replaces: Sequence[str] = ()
    stables: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """The top-level properties that change, each once."""
        return list(dict.fromkeys(top_level(path) for path in self.changes))


def top_level(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def diff(
    token: str, state: Mapping[str, Value], inputs: Mapping[str, Value], ignored: Sequence[str] = ()
) -> Diff:
    """Compares the kept `state` of a resource of type `token` with the `inputs` now wanted.

    `ignored` are property paths the program told Pulumi to ignore.
    """
    fields = RESOURCES[token]
    changes = {
        path: change
        for path, change in _object(fields, state, inputs, "")
        if not any(_inside(path, one) for one in ignored)
    }
    names = {top_level(path) for path in changes}
    replacing = sorted(name for name, known in fields.items() if known.replaces)
    return Diff(
        changes=changes,
        replaces=[name for name in replacing if name in names],
        stables=[name for name in replacing if name not in names],
    )


def _inside(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _object(
    fields: Fields, old: Mapping[str, Value], new: Mapping[str, Value], prefix: str
) -> Iterator[tuple[str, Change]]:
    for name, known in sorted(fields.items()):
        wanted = new.get(name)
        if known.output_only or (wanted is None and known.computed):
            continue
        if wanted is None:
            wanted = known.default
        yield from _value(known, old.get(name), wanted, prefix + name)


def _value(known: Field, old: Value, new: Value, path: str) -> Iterator[tuple[str, Change]]:
    if is_empty(old) and is_empty(new):
        return
    if known.kind is Kind.OBJECT and isinstance(old, dict) and isinstance(new, dict):
        yield from _object(known.fields, old, new, path + ".")
    elif known.kind is Kind.TAGS and isinstance(old, dict) and isinstance(new, dict) and old:
        for key in sorted({*old, *new}):
            yield from _plain(old.get(key), new.get(key), f"{path}.{key}")
    elif (
        known.kind in (Kind.OBJECTS, Kind.TEXTS)
        and isinstance(old, list)
        and isinstance(new, list)
        and old
    ):
        yield from _items(known, old, new, path)
    elif not (known.kind is Kind.POLICY and _same_policy(old, new)):
        yield from _plain(old, new, path)


def _items(
    known: Field, old: list[Value], new: list[Value], path: str
) -> Iterator[tuple[str, Change]]:
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        where = f"{path}[{index}]"
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _object(known.fields, before, after, where + ".")
        else:
            yield from _plain(before, after, where)


def _plain(old: Value, new: Value, path: str) -> Iterator[tuple[str, Change]]:
    if isinstance(new, Unknown) or old != new:
        if old is None:
            yield path, Change.ADD
        else:
            yield path, Change.DELETE if new is None else Change.UPDATE


def _same_policy(old: Value, new: Value) -> bool:
    return isinstance(old, str) and isinstance(new, str) and documents.equivalent(old, new)
