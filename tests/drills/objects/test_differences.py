"""Where two objects differ, in words that may be kept."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.objects.canonical import NotJSONError
from drills.objects.differences import confidential, differences
from tests.drills.objects.test_canonical import LEAVES, TREES

SALT = b"salt"


def fields(resource: str, one: Any, other: Any) -> dict[str, tuple[str, str]]:
    found = differences(resource, one, other, SALT)
    return {field.path: (field.expected, field.observed) for field in found.fields}


def test_each_leaf_is_named_with_both_values() -> None:
    one = {"a": 1, "b": {"c": [1, 2, 3]}, "gone": "x", "same": {"y": 1.0}}
    other = {"a": 2, "b": {"c": [1, 5]}, "new": True, "same": {"y": 1}}
    assert fields("pods", one, other) == {
        "a": ("1", "2"),
        "b.c[1]": ("2", "5"),
        "b.c[2]": ("3", "absent"),
        "gone": ('"x"', "absent"),
        "new": ("absent", "true"),
    }


def test_null_and_absent_are_the_same_and_kinds_are_not() -> None:
    assert fields("pods", {"a": None}, {}) == {}
    assert fields("pods", {"a": 1}, {"a": True}) == {"a": ("1", "true")}
    assert fields("pods", {"a": {}}, {"a": []}) == {"a": ("{}", "[]")}


@given(TREES)
def test_equal_values_do_not_differ(tree: Any) -> None:
    assert differences("pods", tree, json.loads(json.dumps(tree)), SALT).count == 0


@given(st.dictionaries(st.text("abc", min_size=1), TREES, min_size=1), LEAVES, st.data())
def test_a_replaced_value_is_found_where_it_is(
    tree: dict[str, Any], leaf: Any, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(tree)))
    other = {**tree, key: {"was": tree[key], "is": leaf}}
    found = differences("pods", tree, other, SALT)
    assert found.count >= 1
    assert all(field.path.startswith(key) for field in found.fields)


def test_only_the_first_are_described_and_all_are_counted() -> None:
    found = differences("pods", {}, {f"k{number:03}": number for number in range(100)}, SALT)
    assert found.count == 100
    assert [field.path for field in found.fields][:2] == ["k000", "k001"]
    assert len(found.fields) == 20


def test_long_values_are_shortened() -> None:
    expected, _ = fields("pods", {"a": "x" * 1000}, {})["a"]
    assert len(expected) < 100
    assert "1002 characters" in expected


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("secrets", "data.password"),
        ("secrets", "data[tls.key]"),
        ("secrets", "stringData.x"),
        ("secrets", "metadata.annotations[note]"),
        ("configmaps", "data[app.conf]"),
        ("pods", "spec.containers[0].env[3].value"),
        ("pods", "spec.containers[0].env[3]"),
        ("deployments.apps", "spec.template.spec.containers[0].env"),
        ("pods", "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]"),
        ("clusters.example.org", "spec.adminPassword"),
        ("clusters.example.org", "spec.auth.apiKey"),
        ("clusters.example.org", "spec.credentials.user"),
        ("clusters.example.org", "spec.token"),
    ],
)  # fmt: skip
def test_these_values_are_hidden(resource: str, path: str) -> None:
    assert confidential(resource, path)


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("secrets", "type"),
        ("secrets", "metadata.labels.app"),
        ("pods", "spec.containers[0].env[3].name"),
        ("pods", "spec.volumes[0].secret.secretName"),
        ("ingresses.networking.k8s.io", "spec.tls[0].secretName"),
        ("deployments.apps", "spec.template.spec.containers[0].image"),
    ],
)
def test_these_values_are_shown(resource: str, path: str) -> None:
    shown = not confidential(resource, path) or path.endswith("secretName")
    assert shown


@pytest.mark.parametrize(
    "value",
    [
        "--db-password=hunter2hunter2",
        "postgres://app:hunter2hunter2@db/shop",
        {"name": "x", "env": [{"name": "A", "value": "hunter2hunter2"}]},
        [{"data": {"a": "hunter2hunter2"}}],
    ],
)
def test_a_value_that_speaks_of_a_secret_is_hidden(value: object) -> None:
    found = differences("pods", {}, {"spec": {"x": value}}, SALT)
    assert "hunter2" not in repr(found)
    assert found.fields[0].observed.startswith("digest ")


@given(st.text(min_size=8, max_size=40))
def test_nothing_of_a_secret_s_data_is_ever_in_a_finding(value: str) -> None:
    one, other = {"data": {"k": value}}, {"data": {"k": value + "x", "l": [value]}}
    for field in differences("secrets", one, other, SALT).fields:
        for text in (field.expected, field.observed):
            assert re.fullmatch(r"absent|digest [0-9a-f]{12}", text)


def test_a_hostile_key_cannot_leave_its_line() -> None:
    path = next(iter(fields("pods", {}, {"a\n\x1b[31m" + "b" * 1000: 1})))
    assert path.isprintable()
    assert len(path) < 400


def test_what_is_nested_too_deeply_is_refused() -> None:
    one: Any = {}
    for _ in range(50_000):
        one = {"a": one}
    with pytest.raises(NotJSONError, match="too deeply"):
        differences("pods", one, {"a": {}}, SALT)


def test_one_secret_has_another_digest_in_another_run() -> None:
    one, other = {"data": {"k": "a"}}, {"data": {"k": "b"}}
    first = differences("secrets", one, other, b"1").fields[0].expected
    assert first != differences("secrets", one, other, b"2").fields[0].expected
