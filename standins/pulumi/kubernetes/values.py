"""Kubernetes objects as plain Python, and the way between them and Pulumi's property values.

Numbers that are whole are ints, as JSON for the API server needs them. Secrets carry no mark here:
`mark_secrets` puts the marks of the program's inputs onto what goes back to the engine.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, cast

from pulumi.provider.experimental.property_value import Computed, PropertyValue

from standins.pulumi.values import PropertyMap


class Unknown:
    """A value that is known after the update only; one instance, compared by identity."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | Unknown | None"
Props: TypeAlias = dict[str, "Value"]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Fields of a CRD's schema whose names no SDK's language can spell.
_DASHED = {
    f"x_kubernetes_{name}": f"x-kubernetes-{name.replace('_', '-')}"
    for name in (
        "embedded_resource",
        "int_or_string",
        "list_map_keys",
        "list_type",
        "map_type",
        "preserve_unknown_fields",
        "validations",
    )
}
_UNDERSCORED = {dashed: name for name, dashed in _DASHED.items()}


def from_wire(properties: Mapping[str, PropertyValue]) -> Props:
    """An object without secret marks and nulls. Raises ValueError for an asset or a resource."""
    return {
        _DASHED.get(name, name): _from_wire(value)
        for name, value in properties.items()
        if value.value is not None
    }


def _from_wire(value: PropertyValue) -> Value:
    content = value.value
    if isinstance(content, Computed):
        return UNKNOWN
    if isinstance(content, float) and content.is_integer():
        return int(content)
    if content is None or isinstance(content, bool | float | int | str):
        return content
    if isinstance(content, Mapping):
        return from_wire(content)
    if isinstance(content, tuple):
        return [_from_wire(cast("PropertyValue", item)) for item in content]
    raise ValueError(f"a {type(content).__name__} is no value of a Kubernetes object")


def to_wire(props: Mapping[str, Value], *, underscores: bool = False) -> PropertyMap:
    """Property values; `underscores` for a state, whose names the SDKs must be able to spell."""
    return {
        _UNDERSCORED.get(name, name) if underscores else name: _to_wire(value, underscores)
        for name, value in props.items()
    }


def _to_wire(value: Value, underscores: bool) -> PropertyValue:
    if isinstance(value, Unknown):
        return PropertyValue(Computed())
    if isinstance(value, dict):
        return PropertyValue(to_wire(value, underscores=underscores))
    if isinstance(value, list):
        return PropertyValue([_to_wire(item, underscores) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def mark_secrets(outputs: PropertyMap, inputs: Mapping[str, PropertyValue]) -> PropertyMap:
    """`outputs` with what is secret in `inputs` marked, as deep as both are objects.

    The data of a Secret is secret whatever the program said, as in the official plugin. A list is
    secret as a whole when anything in it is.
    """
    kind = outputs.get("kind")
    if kind is not None and kind.value == "Secret":
        return {name: _part_of_secret(name, value) for name, value in outputs.items()}
    marked = dict(outputs)
    for name, given in inputs.items():
        value = marked.get(name)
        if value is None:
            continue
        if _open_object(value) and _open_object(given):
            inner = mark_secrets(
                dict(cast("Mapping[str, PropertyValue]", value.value)),
                cast("Mapping[str, PropertyValue]", given.value),
            )
            marked[name] = PropertyValue(inner)
        elif any(part.is_secret for part in _parts(given)):
            marked[name] = value.with_secret(True)
    return marked


def _part_of_secret(name: str, value: PropertyValue) -> PropertyValue:
    if name in ("data", "stringData"):
        return value.with_secret(True)
    # `kubectl apply` writes the whole object, its data too, into an annotation.
    if name in ("metadata", "annotations", LAST_APPLIED):
        if isinstance(value.value, Mapping):
            return PropertyValue(
                {key: _part_of_secret(key, one) for key, one in value.value.items()}
            )
        return value.with_secret(name == LAST_APPLIED)
    return value


def _open_object(value: PropertyValue) -> bool:
    return isinstance(value.value, Mapping) and not value.is_secret


def _parts(value: PropertyValue) -> Iterator[PropertyValue]:
    yield value
    content = value.value
    if isinstance(content, Mapping):
        for item in content.values():
            yield from _parts(item)
    elif isinstance(content, tuple):
        for item in content:
            yield from _parts(cast("PropertyValue", item))


def contains_unknown(value: Value) -> bool:
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, Unknown)


def at(value: Value, *path: str) -> Value:
    """What lies at a path of names, None where there is nothing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def mapping(value: Value, *path: str) -> Props:
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def text(value: Value, *path: str) -> str:
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def whole(value: Value, *path: str) -> int | None:
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def objects(value: Value, *path: str) -> list[Props]:
    found = at(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def replaced(value: Value, change: Callable[[Value], Value]) -> Value:
    """A copy with every value that is no list or object put through `change`."""
    if isinstance(value, dict):
        return {name: replaced(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, change) for item in value]
    return change(value)


def copy(props: Props) -> Props:
    return cast("Props", replaced(props, lambda value: value))


def encoded(clear: str) -> str:
    return base64.b64encode(clear.encode()).decode()
