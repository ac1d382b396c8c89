"""Helm's side of property values: plain data without marks, marks put back, maps laid over maps."""

from collections.abc import Mapping
from typing import cast

from pulumi.provider.experimental.property_value import Computed, PropertyValue

from standins.pulumi.values import WireArchive, WireAsset, contains_unknown, is_unknown, unknown

# JSON data: None, bool, int, float, str, lists and dicts of it; assets as the engine sends them.
Data = dict[str, object]


def stripped(value: PropertyValue) -> object:
    """Plain data. What is not known yet becomes None, a whole number becomes an int."""
    content = value.value
    if isinstance(content, Computed):
        return None
    if isinstance(content, Mapping):
        return {name: stripped(item) for name, item in content.items()}
    if isinstance(content, tuple):
        return [stripped(cast("PropertyValue", item)) for item in content]
    if isinstance(content, float) and content.is_integer():
        return int(content)
    if isinstance(content, (WireAsset, WireArchive, bool, int, float, str)) or content is None:
        return content
    return str(content)


def stripped_map(properties: Mapping[str, PropertyValue]) -> Data:
    return {name: stripped(value) for name, value in properties.items()}


def merged(base: Mapping[str, object], more: Mapping[str, object]) -> Data:
    """`more` over `base`, as Helm merges values: maps part by part, anything else whole."""
    result = dict(base)
    for name, value in more.items():
        old = result.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[name] = merged(old, value)
        else:
            result[name] = value
    return result


def annotated(
    outs: Mapping[str, PropertyValue], ins: Mapping[str, PropertyValue]
) -> dict[str, PropertyValue]:
    """`outs` where what is unknown or secret under the same name in `ins` is so as well.

    Objects are gone into; a list that holds a secret is secret as a whole, for its items may move.
    """
    return {
        name: _annotated(value, ins[name]) if name in ins else value for name, value in outs.items()
    }


def _annotated(out: PropertyValue, source: PropertyValue) -> PropertyValue:
    if is_unknown(source):
        return unknown(secret=source.is_secret)
    inside, wanted = out.value, source.value
    if isinstance(inside, Mapping) and isinstance(wanted, Mapping):
        found = PropertyValue(annotated(inside, wanted))
        return found.with_secret(True) if source.is_secret else found
    if isinstance(inside, tuple) and isinstance(wanted, tuple) and contains_unknown(source):
        pairs = zip(inside, wanted, strict=False)
        parts = [_annotated(cast("PropertyValue", a), cast("PropertyValue", b)) for a, b in pairs]
        rest = [cast("PropertyValue", item) for item in inside[len(parts) :]]
        out = PropertyValue([*parts, *rest])
    return out.with_secret(True) if _holds_secret(source) else out


def _holds_secret(value: PropertyValue) -> bool:
    if value.is_secret:
        return True
    content = value.value
    if isinstance(content, Mapping):
        return any(_holds_secret(item) for item in content.values())
    if isinstance(content, tuple):
        return any(_holds_secret(cast("PropertyValue", item)) for item in content)
    return False
