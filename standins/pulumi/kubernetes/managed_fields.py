"""Who owns which field of an object (`metadata.managedFields`), for server-side apply."""

from collections.abc import Sequence

from standins.pulumi.kubernetes.changes import parse_path
from standins.pulumi.kubernetes.values import Props, Value, at, copy, mapping, objects, text

# What creates objects here: one name for all, so that the first update can take its fields over.
CREATOR = "pulumi-kubernetes"
_APPLY, _UPDATE = "Apply", "Update"
_TAKEN_OVER = (
    (CREATOR, _UPDATE),
    ("pulumi-kubernetes.exe", _UPDATE),
    ("pulumi-resource-kubernetes", _UPDATE),
    ("kubectl", _APPLY),
    ("kubectl", _UPDATE),
    ("before-first-apply", _UPDATE),
)
_CREATORS = (CREATOR, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")


def take_over(live: Props, manager: str) -> list[Value]:
    """A JSON patch that gives the creator's fields to `manager`; [] where there is nothing to do.

    Without it the creator would own its fields for ever, and a field that the program no longer
    sets would stay.
    """
    entries = objects(live, "metadata", "managedFields")
    taken = [entry for entry in entries if _is_taken(entry)]
    if not taken:
        return []
    own: Props = {}
    rest: list[Value] = []
    for entry in entries:
        if _is_own(entry, manager):
            own = entry
        elif not _is_taken(entry):
            rest.append(entry)
    fields = copy(mapping(own, "fieldsV1"))
    for entry in taken:
        fields = _union(fields, mapping(entry, "fieldsV1"))
    latest = own or taken[-1]
    merged: Props = {
        **latest,
        "manager": manager,
        "operation": _APPLY,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, merged]},
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": text(live, "metadata", "resourceVersion"),
        },
    ]


def is_created_here(live: Props) -> bool:
    """Whether fields still belong to the creator; a preview then has to force."""
    return any(
        entry.get("operation") == _UPDATE and entry.get("manager") in _CREATORS
        for entry in objects(live, "metadata", "managedFields")
    )


def without_ignored(wanted: Props, live: Props, manager: str, ignored: Sequence[str]) -> Props:
    """What is applied when the program ignores changes of some fields.

    A field that only others own is left to them; any other keeps the value it has now.
    """
    applied = copy(wanted)
    for path in map(parse_path, ignored):
        names = [part for part in path if isinstance(part, str)]
        if len(names) != len(path) or "*" in names:
            continue  # inside a list nobody can say whose an item is
        if _owns(live, manager, names, own=False) and not _owns(live, manager, names, own=True):
            _remove(applied, names)
            continue
        found = at(live, *names)
        if found is not None:
            _put(applied, names, found)
    return applied


def conflicts(document: object) -> list[str]:
    """The owners and fields that a refused apply names: `.data.a (kubectl-edit)`."""
    details = document.get("details") if isinstance(document, dict) else None
    causes = details.get("causes") if isinstance(details, dict) else None
    found = []
    for cause in causes or ():
        if cause.get("reason") == "FieldManagerConflict":
            words = str(cause.get("message", "")).split('"')
            owner = words[1] if len(words) > 1 else "somebody else"
            found.append(f"{cause.get('field', '?')} ({owner})")
    return found


def _is_taken(entry: Props) -> bool:
    who = (entry.get("manager"), entry.get("operation"))
    return not entry.get("subresource") and who in _TAKEN_OVER


def _is_own(entry: Props, manager: str) -> bool:
    who = (entry.get("manager"), entry.get("operation"))
    return not entry.get("subresource") and who == (manager, _APPLY)


def _union(one: Props, other: Props) -> Props:
    result = dict(one)
    for name, value in other.items():
        mine = result.get(name)
        both = isinstance(mine, dict) and isinstance(value, dict)
        result[name] = _union(mine, value) if both else value  # type: ignore[arg-type]
    return result


def _owns(live: Props, manager: str, names: Sequence[str], *, own: bool) -> bool:
    keys = [f"f:{name}" for name in names]
    return any(
        at(entry, "fieldsV1", *keys) is not None
        for entry in objects(live, "metadata", "managedFields")
        if (entry.get("manager") == manager) == own
    )


def _remove(props: Props, names: Sequence[str]) -> None:
    mapping(props, *names[:-1]).pop(names[-1], None)


def _put(props: Props, names: Sequence[str], value: Value) -> None:
    for name in names[:-1]:
        inner = props.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        props = inner
    props[names[-1]] = value
