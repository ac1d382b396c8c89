"""One spelling for each content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.objects.canonical import (
    NotJSONError,
    canonical,
    digest,
    loads,
    section_digests,
    shown_digest,
)

SALT = b"salt"
LEAVES = st.booleans() | st.integers() | st.text() | st.floats(-1e9, 1e9, allow_nan=False)
TREES = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)


def shuffled(value: Any) -> Any:
    """The same value, its keys in the opposite order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return [shuffled(held) for held in value] if isinstance(value, list) else value


@given(TREES)
def test_the_order_of_keys_does_not_matter(tree: Any) -> None:
    assert canonical(shuffled(tree)) == canonical(tree)


@given(TREES)
def test_text_and_value_have_one_form(tree: Any) -> None:
    assert canonical(loads(json.dumps(tree))) == canonical(tree)
    assert canonical(loads(canonical(tree))) == canonical(tree)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0}, {"a": -0.0}),
        ([1, 2], [1.0, 2.0]),
        (1, 1.0),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": {"b": None}}, {"a": {}}),
        ({"a": 100000}, loads('{"a": 1e5}')),
        ({"a": 2**70}, loads('{"a": 1180591620717411303424}')),
    ],
)
def test_these_are_the_same(one: object, other: object) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": {}}, {}),
        ({"a": []}, {}),
        ({"a": ""}, {}),
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": 2**70}, {"a": 2**70 + 1}),
        ([1, None], [1]),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1.5}),
        ({"a": "1.0,"}, {"a": "1,"}),
        ({"a": ':null,"b"'}, {"a": '"b"'}),
    ],
)
def test_these_differ(one: object, other: object) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": 1e999}', b"\xff\xfe", b"[" * 100_000,
     '{"a": 1}'.encode("utf-16"), b'{"a": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_no_json_is_refused_without_being_repeated(text: bytes) -> None:
    with pytest.raises(NotJSONError) as caught:
        loads(text)
    assert len(str(caught.value)) < 100


def test_what_json_cannot_hold_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({"a": {1, 2}}, {"a": float("nan")}, {"a": object()}, deep):
        with pytest.raises(NotJSONError):
            canonical(value)


def test_a_digest_depends_on_the_salt() -> None:
    assert digest({"a": 1}, b"one") != digest({"a": 1}, b"two")
    assert len(shown_digest("hunter2", SALT)) == 12


def test_sections_name_where_two_objects_differ() -> None:
    one = {
        "kind": "ConfigMap",
        "metadata": {"name": "a", "uid": "1", "labels": {"x": "1"}, "annotations": {}},
        "data": {"k": "v"},
        "status": None,
    }
    other = {**one, "metadata": {"name": "b", "uid": "2", "labels": {"x": "2"}}}
    first, second = section_digests(one, SALT), section_digests(other, SALT)
    assert first.names == ("data", "kind", "metadata.labels")
    assert first.whole != second.whole
    held = second.by_name()
    assert [name for name, part in first.by_name().items() if held[name] != part] == [
        "metadata.labels"
    ]


def test_the_identity_of_an_object_is_no_content() -> None:
    one = {"kind": "Pod", "metadata": {"name": "a", "uid": "1", "resourceVersion": "1"}}
    other = {"kind": "Pod", "metadata": {"name": "a", "uid": "2", "managedFields": [{}]}}
    assert section_digests(one, SALT) == section_digests(other, SALT)


@given(st.text())
def test_a_moved_boundary_between_sections_is_seen(text: str) -> None:
    one = section_digests({"data": {"a": text}, "kind": "x"}, SALT)
    assert one.whole != section_digests({"data": {"a": text + "x"}, "kind": ""}, SALT).whole
