"""No property, however odd, makes a rule raise; what is not known yet is never held against it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.pack import RULES
from policies.plain import UNKNOWN, Problem, Resource, ResourceRule, Rule
from tests.policies.cluster_changes import with_inner
from tests.policies.sound_stack import changed, resource, sound_stack
from tests.support.policy_harness import resource_violations, stack_violations, violations

ODD_VALUES: list[object] = [
    ...,
    None,
    UNKNOWN,
    True,
    False,
    0.0,
    -1.0,
    1e300,
    "",
    " ",
    "true",
    "[]",
    "{}",
    "null",
    "7",
    '{"Statement": 7}',
    '{"Statement": [null, [], "x", {"Effect": [], "Action": {"a": 1}}]}',
    '{"Statement": [{"Effect": "Allow", "Principal": 7}]}',
    "[" * 100_000,
    [],
    [None],
    [UNKNOWN],
    [[]],
    {},
    {"status": None},
    {"status": UNKNOWN},
    {"x": [UNKNOWN]},
    [{"expiration": {}}, {"noncurrentVersionExpirationDays": "7"}, 7, None],
]


def _places() -> Iterator[tuple[Resource, str]]:
    for declared in sound_stack():
        for name in declared.props:
            yield declared, name


PLACES = list(_places())


def _place_id(value: object) -> str:
    return value.label if isinstance(value, Resource) else str(value)


@pytest.mark.parametrize(("declared", "name"), PLACES, ids=_place_id)
def test_odd_values_never_raise(declared: Resource, name: str) -> None:
    for value in ODD_VALUES:
        stack = changed(sound_stack(), declared.type, declared.name, **{name: value})
        odd = next(r for r in stack if r.urn == declared.urn)
        for found in [*resource_violations(odd), *stack_violations(stack)]:
            assert found.mandatory
            assert "can't run policy" not in found.message


@pytest.mark.parametrize(("declared", "name"), PLACES, ids=_place_id)
def test_a_value_not_known_yet_is_no_violation(declared: Resource, name: str) -> None:
    stack = changed(sound_stack(), declared.type, declared.name, **{name: UNKNOWN})
    assert violations(stack) == []


def _deep(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _deep(inner, (*path, key))


def _unknown_within(declared: Resource) -> Iterator[list[Resource]]:
    """The sound stack with one value inside the resource not known yet, for each of them."""
    for path in _deep(dict(declared.props)):
        odd = replace(declared, props=with_inner(declared.props, path, UNKNOWN))
        yield [odd if r.urn == declared.urn else r for r in sound_stack()]


@pytest.mark.parametrize("declared", sound_stack(), ids=_place_id)
def test_no_value_inside_an_object_is_a_violation_before_it_is_known(declared: Resource) -> None:
    found = [
        v for stack in _unknown_within(declared) for rule in RULES for v in _judged(rule, stack)
    ]
    assert found == []


def _judged(rule: Rule, stack: list[Resource]) -> list[Problem]:
    if isinstance(rule, ResourceRule):
        return [problem for one in stack for problem in rule.problems(one)]
    return rule.problems(stack)


def test_one_unknown_value_does_not_hide_what_is_known() -> None:
    stack = changed(sound_stack(), "command:local:Command", "plain", create=UNKNOWN)
    stack = changed(
        stack,
        "pulumi:providers:minio",
        "store",
        minioServer=UNKNOWN,
        minioPassword=UNKNOWN,
        minioSsl="false",
    )
    stack = changed(
        stack,
        "command:local:Command",
        "drill-store",
        triggers=[UNKNOWN, "sentinel-secret-velero"],
    )
    assert sorted(v.rule for v in violations(stack)) == ["provider-tls", "secret-not-in-command"]


def test_no_resources_at_all() -> None:
    assert violations([]) == []


TYPES = sorted({type_ for rule in RULES for type_ in rule.types})
NAMES = sorted({name for _, name in PLACES} | {"proxy", "updateSecret", "triggers", "environment"})
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.just(UNKNOWN),
    st.sampled_from(["Allow", "Deny", "s3:PutObject", "arn:aws:s3:::*", "Enabled", "*"]),
    st.sampled_from(["velero", "0 2 * * *", "2h", "https://[", "v1.18.1", "x:v1.2@y", "snap"]),
)
INNER_NAMES = {path[-1] for one in sound_stack() for path in _deep(dict(one.props))}
KEYS = st.sampled_from(
    ["Statement", "Effect", "Action", "Resource", "Principal", "expiration", *sorted(INNER_NAMES)]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def _documents() -> st.SearchStrategy[str]:
    return VALUES.map(lambda value: json.dumps(value, default=lambda _: None))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TYPES),
            st.dictionaries(st.sampled_from(NAMES), VALUES | _documents(), max_size=6),
        ),
        max_size=4,
    )
)
def test_any_properties_are_judged_without_an_exception(
    declared: list[tuple[str, dict[str, object]]],
) -> None:
    stack = [resource(type_, f"r{n}", props) for n, (type_, props) in enumerate(declared)]
    for rule in RULES:
        if isinstance(rule, ResourceRule):
            for one in stack:
                assert all(p.urn == one.urn for p in rule.problems(one))
        else:
            assert {p.urn for p in rule.problems(stack)} <= {r.urn for r in stack}
