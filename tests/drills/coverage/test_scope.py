"""Filters of schedules, by Velero's rules."""

from typing import Any

import pytest

from drills.coverage.scope import from_schedule
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
    ("template", "whole", "claims"),
    [
        ({}, True, True),
        ({"excludedResources": ["events", "events.events.k8s.io"]}, True, True),
        ({"excludedResources": ["secrets"]}, False, True),
        ({"includedResources": ["*"]}, True, True),
        ({"includedResources": ["pvc", "pods"]}, False, True),
        ({"includedResources": ["pods"]}, False, False),
        ({"includedResources": ["persistent*"]}, False, True),
        ({"excludedResources": ["persistent*"]}, False, False),
        ({"excludedResources": ["persistentvolumeclaim"]}, False, False),
        ({"includedNamespaceScopedResources": ["persistentvolumeclaims"]}, False, True),
        ({"excludedNamespaceScopedResources": ["persistentvolumeclaims"]}, False, False),
    ],
)
def test_kinds_that_a_schedule_takes(template: dict[str, Any], whole: bool, claims: bool) -> None:
    scope = from_schedule(schedule(**template))
    assert (scope.whole, scope.claims) == (whole, claims)


@pytest.mark.parametrize("template", [{"labelSelector": {}}, {"orLabelSelectors": [{}]}])
def test_an_empty_selector_selects_everything(template: dict[str, Any]) -> None:
    scope = from_schedule(schedule(**template))
    assert scope.takes_labels({})
    assert not scope.selectors
    assert not scope.off


def test_a_selector_leaves_out() -> None:
    scope = from_schedule(schedule(labelSelector={"matchLabels": {"a": "1"}}))
    assert scope.selectors
    assert not scope.takes_labels({"a": "2"}, {})
    assert scope.takes_labels({"a": "2"}, {"a": "1"})


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"labelSelector": {}, "orLabelSelectors": []}, "labelSelector and orLabelSelectors"),
        ({"includedResources": ["pods"], "includedClusterScopedResources": ["nodes"]}, "mixes"),
        ({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}, "'Like'"),
    ],
)
def test_a_schedule_whose_backups_velero_refuses_is_off(
    template: dict[str, Any], said: str
) -> None:
    scope = from_schedule(schedule(includedNamespaces=["sh*"], **template))
    assert scope.off.startswith("makes no backups (")
    assert said in scope.off
    assert scope.takes_namespace("shop")
    assert not scope.takes_namespace("other")


def test_a_schedule_that_runs_is_not_off() -> None:
    assert from_schedule(schedule()).off == ""
    assert from_schedule(schedule(paused=True)).off == "is paused"
