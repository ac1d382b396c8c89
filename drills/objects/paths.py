"""Fields of an object by path: as findings print them, and as patterns that tables hold.

A path is what one writes for jq without the first dot: `spec.template.spec.containers[0].image`;
a key that is no plain word stands in brackets: `metadata.annotations[example.org/team]`.
A pattern may also hold

- `labels[velero.io/*]` or `data.tls*`: every key that the glob takes in,
- `containers[]`: every element of a list,
- `volumes[name=kube-api-access-*]`: the elements whose field the glob takes in,
- `finalizers[=kubernetes.io/*]`: the elements that are such a string.

Trees are never changed in place: what is written returns a new tree that shares the rest.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import cast

Edit = Callable[[object], object]
"""The new value for an old one; ABSENT for a field that is not there, either way."""

ABSENT = object()

_PLAIN = re.compile(r"[A-Za-z_][\w-]*\Z")
_STEP = re.compile(r"\.?(?P<plain>[A-Za-z_$][\w*?-]*)|\[(?P<bracket>[^\]]*)\]")
_GLOB_SIGNS = frozenset("*?")
_FIELD_IS = re.compile(r"(?P<field>\w*)=(?P<glob>.*)\Z")


class PatternError(ValueError):
    """A pattern in a table that cannot be read."""


@dataclass(frozen=True)
class Step:
    """One step down. `elements`: into a list, else into a map.

    name: the map's key, or None where `takes` decides over keys or elements.
    """

    elements: bool
    name: str | None
    takes: Callable[[object], bool]


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern; `text` is how it was written.

    leading: the plain keys it begins with. Where they are missing nothing is named, and most
    objects lack most of what a table speaks of.
    """

    text: str
    steps: tuple[Step, ...]
    leading: tuple[str, ...]


@lru_cache(maxsize=1024)
def pattern(text: str) -> Pattern:
    """Compiles a pattern. Raises PatternError."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None or (position == 0 and text.startswith(".")):
            raise PatternError(f"the path {text!r} cannot be read from position {position} on")
        plain = found["plain"]
        steps.append(_key_step(plain) if plain is not None else _bracket_step(found["bracket"]))
        position = found.end()
    if not steps:
        raise PatternError("an empty path names no field")
    leading = itertools.takewhile(lambda step: step.name is not None, steps)
    return Pattern(text, tuple(steps), tuple(step.name for step in leading if step.name))


def under(path: str, key: str | int) -> str:
    """The path of a child, as findings print it."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN.match(key):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def without(tree: object, what: Pattern) -> object:
    """The tree less the fields that the pattern names; the very tree if it has none.

    A map or list that this empties goes too: what is left is as if it had never been filled.
    """
    below = tree
    for name in what.leading:
        if not isinstance(below, dict) or name not in below:
            return tree
        below = below[name]
    return edited(tree, what, _drop, create=False)


def edited(tree: object, what: Pattern, edit: Edit, *, create: bool) -> object:
    """The tree with `edit` applied to every field that the pattern names.

    create: a named key that is missing is given to `edit` as ABSENT, and made with its parents.
    """
    return _edited(tree, what.steps, 0, edit, create)


def values(tree: object, what: Pattern) -> Iterator[object]:
    """Every value that the pattern names."""
    return _values(tree, what.steps, 0)


def _drop(_value: object) -> object:
    return ABSENT


def _edited(tree: object, steps: tuple[Step, ...], depth: int, edit: Edit, create: bool) -> object:
    if depth == len(steps):
        return edit(tree)
    if steps[depth].elements:
        return _edited_elements(tree, steps, depth, edit, create)
    if tree is ABSENT and create and steps[depth].name is not None:
        made = _edited_map({}, steps, depth, edit, create)
        return made if made else ABSENT
    if not isinstance(tree, dict):
        return tree
    return _edited_map(tree, steps, depth, edit, create)


def _edited_map(
    tree: dict[str, object], steps: tuple[Step, ...], depth: int, edit: Edit, create: bool
) -> object:
    made: dict[str, object] | None = None
    for key in _keys(tree, steps[depth], create):
        old = tree.get(key, ABSENT)
        new = _edited(old, steps, depth + 1, edit, create)
        if new is old:
            continue
        made = dict(tree) if made is None else made
        if new is ABSENT:
            made.pop(key, None)
        else:
            made[key] = new
    if made is None:
        return tree
    return made if made else ABSENT


def _keys(tree: Mapping[str, object], step: Step, create: bool) -> Sequence[str]:
    if step.name is None:
        return [key for key in tree if step.takes(key)]
    return (step.name,) if create or step.name in tree else ()


def _edited_elements(
    tree: object, steps: tuple[Step, ...], depth: int, edit: Edit, create: bool
) -> object:
    if not isinstance(tree, list):
        return tree
    takes = steps[depth].takes
    changed = False
    made: list[object] = []
    for old in cast("list[object]", tree):
        new = _edited(old, steps, depth + 1, edit, create) if takes(old) else old
        changed = changed or new is not old
        if new is not ABSENT:
            made.append(new)
    if not changed:
        return tree
    return made if made else ABSENT


def _values(tree: object, steps: tuple[Step, ...], depth: int) -> Iterator[object]:
    if depth == len(steps):
        yield tree
        return
    step = steps[depth]
    below: Iterable[object] = ()
    if step.elements:
        if isinstance(tree, list):
            below = [element for element in tree if step.takes(element)]
    elif isinstance(tree, Mapping):
        below = [tree[key] for key in _keys(tree, step, create=False)]
    for value in below:
        yield from _values(value, steps, depth + 1)


def _key_step(text: str) -> Step:
    takes = _matcher(text)
    return Step(False, None if _GLOB_SIGNS & set(text) else text, takes)


def _bracket_step(text: str) -> Step:
    if not text:
        return Step(True, None, lambda _element: True)
    found = _FIELD_IS.match(text)
    if found is None:
        return _key_step(text)
    takes, field = _matcher(found["glob"]), found["field"]
    if not field:
        return Step(True, None, takes)
    return Step(True, None, lambda element: isinstance(element, dict) and takes(element.get(field)))


def _matcher(glob: str) -> Callable[[object], bool]:
    if not _GLOB_SIGNS & set(glob):
        return lambda text: text == glob
    compiled = re.compile(translate(glob))
    return lambda text: isinstance(text, str) and compiled.match(text) is not None
