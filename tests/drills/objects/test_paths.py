"""Fields by path."""

import copy
from typing import Any

import pytest

from drills.objects.paths import ABSENT, PatternError, edited, pattern, under, values, without

TREE: dict[str, Any] = {
    "metadata": {"annotations": {"example.org/a": "1", "example.org/b": "2", "other": "3"}},
    "spec": {
        "containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}],
        "names": ["kubernetes.io/one", "own.example/two"],
        "only": {"deep": {"leaf": 1}},
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("metadata.annotations[example.org/a]", ["1"]),
        ("metadata.annotations[example.org/*]", ["1", "2"]),
        ("metadata.annotations.oth*", ["3"]),
        ("spec.containers[].image", ["x", "y"]),
        ("spec.containers[name=b].image", ["y"]),
        ("spec.containers[name=?].image", ["x", "y"]),
        ("spec.names[=kubernetes.io/*]", ["kubernetes.io/one"]),
        ("spec.only.deep.leaf", [1]),
        ("spec.missing.leaf", []),
        ("spec.only[]", []),
        ("spec.containers.image", []),
    ],
)
def test_a_pattern_names_these_values(path: str, found: list[object]) -> None:
    assert list(values(TREE, pattern(path))) == found


def test_taking_out_leaves_the_rest_and_the_given_tree() -> None:
    before = copy.deepcopy(TREE)
    left = without(TREE, pattern("metadata.annotations[example.org/*]"))
    assert left == {**TREE, "metadata": {"annotations": {"other": "3"}}}
    assert before == TREE


def test_what_becomes_empty_goes_too() -> None:
    assert without({"a": {"b": {"c": 1}}, "d": 2}, pattern("a.b.c")) == {"d": 2}
    assert without({"a": [{"n": "x"}], "d": 2}, pattern("a[n=x]")) == {"d": 2}
    assert without({"a": {"b": 1}}, pattern("a.b")) is ABSENT


def test_what_was_empty_before_stays() -> None:
    tree = {"a": {"b": {}}, "l": []}
    assert without(tree, pattern("a.b.c")) is tree
    assert without(tree, pattern("l[]")) is tree


def test_a_tree_without_the_field_is_returned_itself() -> None:
    assert without(TREE, pattern("spec.other")) is TREE
    assert without(TREE, pattern("spec.containers[name=z]")) is TREE
    assert without([1, 2], pattern("spec")) == [1, 2]


def test_a_missing_field_is_made_with_its_parents_only_if_asked() -> None:
    path = pattern("spec.template.replicas")
    assert edited({}, path, lambda _old: 0, create=True) == {"spec": {"template": {"replicas": 0}}}
    assert edited({"x": 1}, path, lambda _old: 0, create=False) == {"x": 1}
    assert edited({}, path, lambda _old: ABSENT, create=True) == {}


def test_every_element_is_edited() -> None:
    changed = edited(TREE, pattern("spec.containers[].image"), lambda _old: "z", create=False)
    assert list(values(changed, pattern("spec.containers[].image"))) == ["z", "z"]


@pytest.mark.parametrize("text", ["", ".spec", "spec..x", "spec[", "spec.{x}"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="path"):
        pattern(text)


def test_paths_as_findings_print_them() -> None:
    path = under(under(under("", "spec"), "containers"), 0)
    assert under(path, "image") == "spec.containers[0].image"
    assert under("metadata.labels", "example.org/team") == "metadata.labels[example.org/team]"
