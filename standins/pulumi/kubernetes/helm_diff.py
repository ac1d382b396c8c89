"""What an update of a release would change: program's last inputs, its new ones, and the cluster.

Three-way, as `kubectl apply`: a new value counts where the cluster has another one; a value that is
no longer wanted counts where the program once wanted it; what others added does not count.
"""

from collections.abc import Mapping

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

from standins.pulumi.diffing import path_text
from standins.pulumi.kubernetes.helm_values import stripped
from standins.pulumi.values import contains_unknown

Path = tuple[str | int, ...]
Found = dict[Path, PropertyDiffKind]
_REPLACING = ("name", "namespace")
_AS_REPLACE = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}
_NULL = PropertyValue.null()


def diff(
    old_inputs: Mapping[str, PropertyValue],
    new_inputs: Mapping[str, PropertyValue],
    live: Mapping[str, PropertyValue],
) -> DiffResponse:
    """The answer to the engine's Diff. A new name or namespace replaces, the new one made first."""
    found: Found = {}
    ignored = ("checksum", "resourceNames")
    last = {name: value for name, value in old_inputs.items() if name not in ignored}
    _compare((), last, new_inputs, live, found)
    kinds = {
        path_text(path): _AS_REPLACE[kind] if path[0] in _REPLACING else kind
        for path, kind in found.items()
    }
    replaces = [path_text(path) for path in found if path[0] in _REPLACING]
    return DiffResponse(
        changes=bool(found),
        diffs=sorted({str(path[0]) for path in found}),
        replaces=replaces,
        stables=[],
        delete_before_replace=False,
        detailed_diff={
            path: PropertyDiff(kind, input_diff=False) for path, kind in sorted(kinds.items())
        },
    )


def _compare(
    path: Path,
    last: Mapping[str, PropertyValue],
    new: Mapping[str, PropertyValue],
    live: Mapping[str, PropertyValue],
    found: Found,
) -> None:
    for name in sorted(new):
        here = (*path, name)
        wanted, there = new[name], live.get(name, _NULL)
        if _absent(wanted):
            continue
        parts = _maps(wanted, there)
        if parts is not None:
            _compare(here, _map(last.get(name)), *parts, found)
        elif _absent(there):
            found[here] = PropertyDiffKind.ADD
        elif not _same(wanted, there):
            found[here] = PropertyDiffKind.UPDATE
    for name in sorted(last):
        if not _absent(last[name]) and _absent(new.get(name, _NULL)):
            found[(*path, name)] = PropertyDiffKind.DELETE


def _absent(value: PropertyValue) -> bool:
    return value.value is None


def _maps(
    one: PropertyValue, other: PropertyValue
) -> tuple[Mapping[str, PropertyValue], Mapping[str, PropertyValue]] | None:
    if isinstance(one.value, Mapping) and isinstance(other.value, Mapping):
        return one.value, other.value
    return None


def _map(value: PropertyValue | None) -> Mapping[str, PropertyValue]:
    content = None if value is None else value.value
    return content if isinstance(content, Mapping) else {}


def _same(one: PropertyValue, other: PropertyValue) -> bool:
    if contains_unknown(one):
        return False
    first, second = stripped(one), stripped(other)
    # True == 1 in Python, but not in a chart.
    return isinstance(first, bool) == isinstance(second, bool) and first == second
