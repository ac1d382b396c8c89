"""Property values as plain Python: what the pure parts of the plugin compute with.

Numbers are floats, as Pulumi's wire format has them. Secrets carry no mark here: the engine keeps
the mark of the program's inputs, and `schema.Field.secret` says which outputs the plugin marks.
"""

from collections.abc import Mapping
from typing import TypeAlias


class Unknown:
    """A value that is known after the update only; one instance, compared by identity."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
DEFAULTS = "__defaults"  # the official plugin lists here which inputs it filled in itself

Value: TypeAlias = "bool | float | str | list[Value] | dict[str, Value] | Unknown | None"
Props: TypeAlias = "dict[str, Value]"


def is_empty(value: Value) -> bool:
    """Null and the zero value of any type: equal to each other, as in the official plugin."""
    return not isinstance(value, Unknown) and not value


def contains_unknown(value: Value) -> bool:
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, Unknown)


def text(props: Mapping[str, Value], name: str) -> str:
    """The string property `name`, empty when absent. Raises TypeError on any other type."""
    value = props.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {type(value).__name__}, not a string")
    return value


def flag(props: Mapping[str, Value], name: str) -> bool:
    return props.get(name) is True


def whole(props: Mapping[str, Value], name: str) -> int:
    """The number property `name` as an integer, 0 when absent. Raises TypeError otherwise."""
    value = props.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise TypeError(f"{name} is {type(value).__name__}, not a number")
    return int(value)


def texts(props: Mapping[str, Value], name: str) -> list[str]:
    value = props.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def mapping(props: Mapping[str, Value], name: str) -> Props:
    value = props.get(name)
    return value if isinstance(value, dict) else {}


def objects(props: Mapping[str, Value], name: str) -> list[Props]:
    value = props.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
