"""A message never holds a property's value: policies see secrets in clear and cannot know which."""

from collections.abc import Iterator, Mapping

import pytest

from policies.pack import RULES
from policies.plain import Resource
from tests.policies.changes import CHANGES, Change
from tests.policies.sound_stack import changed, sound_stack
from tests.support.policy_harness import violations


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _values(stack: list[Resource]) -> set[str]:
    """All texts in properties but names and kinds of resources, and what is too short to tell."""
    names = {r.name for r in stack} | {r.type.rsplit(":", 1)[-1] for r in stack}
    return {text for r in stack for text in _texts(r.props) if len(text) >= 8 and text not in names}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_no_property_value_in_a_message(change: Change) -> None:
    stack = change.make(sound_stack())
    [found] = violations(stack)
    [rule] = [r for r in RULES if r.name == found.rule]
    own_words = f"{rule.title}. {rule.why} {rule.remedy}"
    values = {value for value in _values(stack) if value not in own_words}
    assert len(values) > 10
    assert [value for value in values if value in found.message] == []


def _marked(value: object, mark: str) -> object:
    if isinstance(value, str):
        return mark
    if isinstance(value, Mapping):
        return {key: _marked(inner, mark) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, mark) for inner in value]
    return value


def test_no_mark_in_a_message_when_every_text_is_one() -> None:
    mark = "SENTINEL-5f3a9c"
    stack = sound_stack()
    for declared in sound_stack():
        props = {name: _marked(value, mark) for name, value in declared.props.items()}
        stack = changed(stack, declared.type, declared.name, **props)
    found = violations(stack)
    assert {"bucket-acl-private", "provider-tls", "secret-not-in-command"} <= {
        v.rule for v in found
    }
    assert [v.message for v in found if mark in v.message] == []
