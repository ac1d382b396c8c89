"""Check: a program's inputs, completed with defaults, or the list of what is wrong with them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from standins.pulumi.minio.schema import AUTONAMED, RESOURCES, Field, Fields, Kind
from standins.pulumi.minio.values import DEFAULTS, Props, Unknown, Value, contains_unknown, is_empty

_SUFFIX_DIGITS = 7


@dataclass(frozen=True)
class Failure:
    """One input that is wrong: its path in the resource and a sentence about it."""

    property: str
    reason: str


def check(
    token: str, name: str, old: Mapping[str, Value], new: Mapping[str, Value], seed: bytes
) -> tuple[Props, list[Failure]]:
    """The inputs to keep for a resource of type `token`, and what is wrong with them.

    `old` are the inputs of the last update (a generated name is kept), `seed` makes a generated
    name. `__defaults` names the filled-in inputs, in the resource and in each nested object.
    """
    fields = RESOURCES[token]
    failures: list[Failure] = []
    inputs = _object(fields, new, "", failures)
    key = AUTONAMED.get(token)
    if key is not None and inputs.get(key) is None and inputs.get("namePrefix") is None:
        failures[:] = [failure for failure in failures if failure.property != key]
        inputs[key] = _generated_name(key, name, old, seed)
        inputs[DEFAULTS] = [key]
    return inputs, failures


def _generated_name(key: str, name: str, old: Mapping[str, Value], seed: bytes) -> Value:
    defaults = old.get(DEFAULTS)
    if isinstance(defaults, list) and key in defaults and isinstance(old.get(key), str):
        return old[key]
    return f"{name}-{hashlib.sha256(seed).hexdigest()[:_SUFFIX_DIGITS]}"


def _object(fields: Fields, new: Mapping[str, Value], path: str, failures: list[Failure]) -> Props:
    inputs: Props = {}
    filled: list[Value] = []
    for key, value in new.items():
        if key == DEFAULTS or value is None:
            continue
        known = fields.get(key)
        if known is None or known.output_only:
            failures.append(Failure(path + key, f"{path}{key} is not an input of this resource"))
            continue
        inputs[key] = _value(known, value, path + key, failures)
    for key, known in fields.items():
        if key in inputs:
            if known.conflicts in inputs:
                reason = f"{path}{key} and {path}{known.conflicts} exclude each other; set one"
                failures.append(Failure(path + key, reason))
            continue
        if known.required:
            failures.append(Failure(path + key, f"{path}{key} is required and not set"))
        elif not is_empty(known.default):
            inputs[key] = known.default
            filled.append(key)
    inputs[DEFAULTS] = filled
    return inputs


def _value(known: Field, value: Value, path: str, failures: list[Failure]) -> Value:
    if isinstance(value, Unknown):
        return value
    if known.kind is Kind.OBJECT and isinstance(value, dict):
        return _object(known.fields, value, path + ".", failures)
    if known.kind is Kind.OBJECTS and isinstance(value, list):
        return [
            _object(known.fields, item, f"{path}[{index}].", failures)
            if isinstance(item, dict)
            else item
            for index, item in enumerate(value)
        ]
    if not _fits(known.kind, value):
        failures.append(Failure(path, f"{path} must be {known.kind.value}"))
    elif known.validate is not None and not contains_unknown(value):
        reason = known.validate(value)
        if reason is not None:
            failures.append(Failure(path, f"{path} {reason}"))
    return value


def _fits(kind: Kind, value: Value) -> bool:
    if kind in (Kind.TEXT, Kind.POLICY):
        return isinstance(value, str)
    if kind is Kind.FLAG:
        return isinstance(value, bool)
    if kind is Kind.NUMBER:
        return isinstance(value, float)
    if kind is Kind.TAGS:
        return isinstance(value, dict) and all(_is_text(item) for item in value.values())
    if kind is Kind.TEXTS:
        return isinstance(value, list) and all(_is_text(item) for item in value)
    return False  # an object or a list of objects that is neither


def _is_text(value: Value) -> bool:
    return isinstance(value, str | Unknown)
