"""Compare old and new inputs the way the engine's own structural diff does.

Rules seen in sdk/go/common/resource (properties_diff.go, properties_path.go): objects and lists are
compared part by part, a secret as one value (so nothing inside it is named), null counts as absent,
assets by their hash. A path is written `environment.V`, `triggers[0]` or `environment["A-B"]`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

from standins.pulumi.values import WireArchive, WireAsset

_AS_REPLACE = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_]*")
Path = tuple[str | int, ...]


def diff_properties(
    old: Mapping[str, PropertyValue],
    new: Mapping[str, PropertyValue],
    *,
    replaces: Callable[[str], bool] = lambda path: False,  # noqa: ARG005  (the default: never)
    delete_before_replace: bool = False,
    input_diff: bool = False,
) -> DiffResponse:
    """What changed from `old` to `new`, as an answer to the engine's Diff.

    `replaces(path)` says whether a change at a path (`bucket`, `rules[0].id`) needs a replacement.
    """
    found: dict[str, PropertyDiffKind] = {}
    _compare_maps((), old, new, found)
    kinds = {path: _AS_REPLACE[kind] if replaces(path) else kind for path, kind in found.items()}
    roots = {path: _root(path) for path in kinds}
    replaced = {roots[path] for path, kind in kinds.items() if kind in _AS_REPLACE.values()}
    return DiffResponse(
        changes=bool(kinds),
        diffs=sorted(set(roots.values())),
        replaces=sorted(replaced),
        delete_before_replace=delete_before_replace,
        detailed_diff={path: PropertyDiff(kind, input_diff) for path, kind in kinds.items()},
    )


def same(old: PropertyValue, new: PropertyValue) -> bool:
    """True if nothing that the engine would call a change lies between the two values."""
    found: dict[str, PropertyDiffKind] = {}
    _compare_values(("value",), old, new, found)
    return not found


def path_text(path: Path) -> str:
    """A property path in the engine's notation."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif not _PLAIN_KEY.fullmatch(key):
            quoted = key.replace('"', '\\"')
            text += f'["{quoted}"]'
        else:
            text += f".{key}" if text else key
    return text


def _root(path: str) -> str:
    if path.startswith('["'):
        return path[2:].split('"]', 1)[0]
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _compare_maps(
    path: Path,
    old: Mapping[str, PropertyValue],
    new: Mapping[str, PropertyValue],
    found: dict[str, PropertyDiffKind],
) -> None:
    for name in sorted({*old, *new}):
        here = (*path, name)
        before, after = old.get(name), new.get(name)
        has_before, has_after = _has_value(before), _has_value(after)
        if has_before and has_after:
            _compare_values(
                here, cast("PropertyValue", before), cast("PropertyValue", after), found
            )
        elif has_after:
            found[path_text(here)] = PropertyDiffKind.ADD
        elif has_before:
            found[path_text(here)] = PropertyDiffKind.DELETE


def _has_value(value: PropertyValue | None) -> bool:
    return value is not None and value.value is not None


def _compare_values(
    path: Path, old: PropertyValue, new: PropertyValue, found: dict[str, PropertyDiffKind]
) -> None:
    before, after = old.value, new.value
    open_values = not old.is_secret and not new.is_secret
    if open_values and isinstance(before, tuple) and isinstance(after, tuple):
        _compare_lists(path, before, after, found)
    elif open_values and isinstance(before, Mapping) and isinstance(after, Mapping):
        _compare_maps(path, before, after, found)
    elif not _equal(old, new):
        found[path_text(path)] = PropertyDiffKind.UPDATE


def _compare_lists(
    path: Path,
    old: Sequence[PropertyValue],
    new: Sequence[PropertyValue],
    found: dict[str, PropertyDiffKind],
) -> None:
    common = min(len(old), len(new))
    for index in range(common):
        _compare_values((*path, index), old[index], new[index], found)
    for index in range(common, len(new)):
        found[path_text((*path, index))] = PropertyDiffKind.ADD
    for index in range(common, len(old)):
        found[path_text((*path, index))] = PropertyDiffKind.DELETE


def _equal(old: PropertyValue, new: PropertyValue) -> bool:
    before, after = old.value, new.value
    if old.is_secret != new.is_secret or type(before) is not type(after):
        return False
    if isinstance(before, Computed):
        return False  # two values that are not known yet cannot be called equal
    if isinstance(before, (WireAsset, WireArchive)):
        return _same_content(before, cast("WireAsset | WireArchive", after))
    if isinstance(before, tuple):
        items = cast("tuple[PropertyValue, ...]", after)
        return len(before) == len(items) and all(map(_equal, before, items))
    if isinstance(before, Mapping):
        others = cast("Mapping[str, PropertyValue]", after)
        null = PropertyValue.null()
        return all(
            _equal(before.get(name, null), others.get(name, null)) for name in {*before, *others}
        )
    return bool(before == after)


def _same_content(old: WireAsset | WireArchive, new: WireAsset | WireArchive) -> bool:
    # The engine hashes every asset it sends; without a hash only equal descriptions are equal.
    return old.hash == new.hash if old.hash and new.hash else old == new
