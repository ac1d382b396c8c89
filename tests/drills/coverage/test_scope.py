"""Filters of schedules, by Velero's rules."""

from typing import Any

import pytest

from drills.coverage.scope import excluded_by_label, from_schedule, matches_selector
from tests.drills.coverage.clusters import schedule


@pytest.mark.parametrize(
    ("included", "excluded", "taken"),
    [
        ([], [], True),
        (["*"], [], True),
        (["*"], ["shop"], False),
        (["shop"], [], True),
        (["shop"], ["sh*"], False),
        (["sho"], [], False),
        (["sh?p"], [], True),
        (["s[gh]op"], [], True),
        (["s[ab]op"], [], False),
        (["other", "*op"], [], True),
        (["shop.*"], [], False),
    ],
)
def test_namespaces_are_taken_by_name_and_glob(
    included: list[str], excluded: list[str], taken: bool
) -> None:
    scope = from_schedule(schedule(includedNamespaces=included, excludedNamespaces=excluded))
    assert scope.takes_namespace("shop") is taken


@pytest.mark.parametrize(
    ("expression", "labels", "matches"),
    [
        (("a", "In", ["1", "2"]), {"a": "2"}, True),
        (("a", "In", ["1"]), {}, False),
        (("a", "NotIn", ["1"]), {}, True),
        (("a", "NotIn", ["1"]), {"a": "1"}, False),
        (("a", "Exists", None), {"a": ""}, True),
        (("a", "Exists", None), {}, False),
        (("a", "DoesNotExist", None), {}, True),
        (("a", "DoesNotExist", None), {"a": ""}, False),
    ],
)
def test_expressions_of_selectors(
    expression: tuple[str, str, list[str] | None], labels: dict[str, str], matches: bool
) -> None:
    key, operator, values = expression
    one = {"key": key, "operator": operator, "values": values}
    assert matches_selector({"matchExpressions": [one]}, labels) is matches


def test_all_parts_of_a_selector_must_hold() -> None:
    selector = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    assert matches_selector(selector, {"a": "1", "b": ""})
    assert not matches_selector(selector, {"a": "1"})
    assert not matches_selector(selector, {"b": ""})


def test_an_operator_that_kubernetes_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="operator 'Like'"):
        matches_selector({"matchExpressions": [{"key": "a", "operator": "Like"}]}, {})


@pytest.mark.parametrize(
    ("template", "whole", "claims"),
    [
        ({}, True, True),
        ({"excludedResources": ["events", "events.events.k8s.io"]}, True, True),
        ({"excludedResources": ["secrets"]}, False, True),
        ({"includedResources": ["*"]}, True, True),
        ({"includedResources": ["pvc", "pods"]}, False, True),
        ({"includedResources": ["pods"]}, False, False),
        ({"includedNamespaceScopedResources": ["persistentvolumeclaims"]}, False, True),
        ({"excludedNamespaceScopedResources": ["persistentvolumeclaims"]}, False, False),
    ],
)
def test_kinds_that_a_schedule_takes(template: dict[str, Any], whole: bool, claims: bool) -> None:
    scope = from_schedule(schedule(**template))
    assert (scope.whole, scope.claims) == (whole, claims)


def test_only_the_value_true_excludes() -> None:
    assert excluded_by_label({"velero.io/exclude-from-backup": "true"})
    assert not excluded_by_label({"velero.io/exclude-from-backup": "True"})
    assert not excluded_by_label({})


def test_an_empty_selector_selects_everything() -> None:
    scope = from_schedule(schedule(labelSelector={}, orLabelSelectors=[]))
    assert scope.takes_labels({})
