"""Between Pulumi's property values and the plain values the plugin computes with."""

from collections.abc import Mapping

from pulumi.provider.experimental.property_value import Computed, PropertyValue

from standins.pulumi.minio.schema import Fields
from standins.pulumi.minio.values import UNKNOWN, Props, Unknown, Value
from standins.pulumi.values import PropertyMap


def from_wire(properties: Mapping[str, PropertyValue]) -> Props:
    """Plain values. Raises ValueError for an asset, an archive or a resource: none is an input."""
    return {name: _from_wire(value) for name, value in properties.items()}


def _from_wire(value: PropertyValue) -> Value:
    content = value.value
    if isinstance(content, Computed):
        return UNKNOWN
    if content is None or isinstance(content, bool | float | str):
        return content
    if isinstance(content, Mapping):
        return from_wire(content)
    if isinstance(content, tuple):
        return [_from_wire(item) for item in content]
    raise ValueError(f"a {type(content).__name__} is no value of a minio resource")


def to_wire(props: Mapping[str, Value], fields: Fields) -> PropertyMap:
    """Property values; those that `fields` calls secret carry the secret mark."""
    return {
        name: _to_wire(value).with_secret(_is_secret(fields, name) and value is not None)
        for name, value in props.items()
    }


def _is_secret(fields: Fields, name: str) -> bool:
    return name in fields and fields[name].secret


def _to_wire(value: Value) -> PropertyValue:
    if isinstance(value, Unknown):
        return PropertyValue(Computed())
    if isinstance(value, dict):
        return PropertyValue({name: _to_wire(item) for name, item in value.items()})
    if isinstance(value, list):
        return PropertyValue([_to_wire(item) for item in value])
    return PropertyValue(value)
