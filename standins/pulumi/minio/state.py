"""States: what one will be after an update, and the inputs that one found on the server implies."""

from collections.abc import Mapping

from standins.pulumi.minio.schema import RESOURCES, Field, Fields, Kind
from standins.pulumi.minio.values import DEFAULTS, UNKNOWN, Props, Value, is_empty


def planned(token: str, state: Mapping[str, Value], inputs: Mapping[str, Value]) -> Props:
    """The state after an update as far as it is known before it; what is not is UNKNOWN.

    `state` is empty for a resource that is to be created.
    """
    return {
        name: _planned(known, state.get(name), inputs.get(name), empty=None)
        for name, known in RESOURCES[token].items()
    } | _planned_nested(RESOURCES[token], state, inputs)


def _planned_nested(
    fields: Fields, state: Mapping[str, Value], inputs: Mapping[str, Value]
) -> Props:
    # The official plugin leaves an unset list or map inside an object null when it creates, and
    # empty when it updates or reads.
    nested: Props = {}
    for name, known in fields.items():
        new, old = inputs.get(name), state.get(name)
        if known.kind is Kind.OBJECT and isinstance(new, dict):
            nested[name] = _planned_object(known.fields, old, new, created=bool(state))
        elif known.kind is Kind.OBJECTS and isinstance(new, list):
            nested[name] = [
                _planned_object(known.fields, _at(old, index), item, created=bool(state))
                if isinstance(item, dict)
                else item
                for index, item in enumerate(new)
            ]
    return nested


def _planned_object(fields: Fields, old: Value, new: Props, *, created: bool) -> Props:
    before = old if isinstance(old, dict) else {}
    empty: dict[Kind, Value] = {Kind.TAGS: {}, Kind.TEXTS: []} if created else {}
    return {
        name: _planned(known, before.get(name), new.get(name), empty=empty.get(known.kind))
        for name, known in fields.items()
    }


def _planned(known: Field, old: Value, new: Value, *, empty: Value) -> Value:
    if known.output_only or (new is None and known.computed):
        return UNKNOWN if old is None else old
    if new is None:
        return known.default if known.default is not None else empty
    return new


def _at(items: Value, index: int) -> Value:
    return items[index] if isinstance(items, list) and index < len(items) else None


def implied_inputs(token: str, state: Mapping[str, Value], inputs: Mapping[str, Value]) -> Props:
    """The inputs that would lead to `state`, which was just read from the server.

    Names what the last `inputs` named and what differs from the default now. Without last inputs
    (an import) an empty `__defaults` is added, as the official plugin does.
    """
    if not inputs:
        return {DEFAULTS: [], **_implied(RESOURCES[token], state, inputs)}
    # What the program left to the server stays the server's.
    left = {name for name, known in RESOURCES[token].items() if known.computed} - set(inputs)
    implied = _implied(RESOURCES[token], state, inputs)
    return {name: value for name, value in implied.items() if name not in left}


def _implied(fields: Fields, state: Mapping[str, Value], inputs: Mapping[str, Value]) -> Props:
    implied: Props = {}
    for name, known in fields.items():
        if known.output_only:
            continue
        found, last = state.get(name), inputs.get(name)
        if is_empty(found) and last is not None:
            # An input spelt out as empty stays as it was spelt.
            implied[name] = last if is_empty(last) else _empty_like(last)
        elif not is_empty(found) and (last is not None or found != known.default):
            implied[name] = _implied_value(known, found, last)
    return implied


def _empty_like(last: Value) -> Value:
    return type(last)() if isinstance(last, bool | float | str | list | dict) else None


def _implied_value(known: Field, found: Value, last: Value) -> Value:
    if known.kind is Kind.OBJECT and isinstance(found, dict):
        return _implied(known.fields, found, last if isinstance(last, dict) else {})
    if known.kind is Kind.OBJECTS and isinstance(found, list):
        return [
            _implied(known.fields, item, _last_item(last, index))
            if isinstance(item, dict)
            else item
            for index, item in enumerate(found)
        ]
    return found


def _last_item(items: Value, index: int) -> Props:
    item = _at(items, index)
    return item if isinstance(item, dict) else {}
