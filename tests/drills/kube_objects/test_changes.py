"""The sandbox's rules as the comparison expects them: what a rule does, and nothing else."""

from typing import Any

import pytest

from drills.kube_objects.changes import expected
from drills.objects.changes import Changes
from drills.objects.keys import ObjectKey
from drills.sandbox.patches import Rule

NAMESPACES = ("shop",)


def applied(rule: Rule, content: dict[str, Any], name: str = "web", namespace: str = "shop") -> Any:
    key = ObjectKey(rule.kind, namespace, name)
    return Changes(expected(rule.changes())).applied(key, content, {})


def test_a_value_is_set_where_it_was_and_where_it_was_not() -> None:
    rule = Rule("deployments.apps", NAMESPACES, {"spec": {"replicas": 0}})
    assert applied(rule, {"spec": {"replicas": 3}}) == {"spec": {"replicas": 0}}
    assert applied(rule, {"spec": {}}) == {"spec": {"replicas": 0}}


def test_a_null_takes_the_field_away() -> None:
    rule = Rule("configmaps", NAMESPACES, {"metadata": {"finalizers": None}})
    held = {"metadata": {"name": "web", "finalizers": ["example.org/hold"]}}
    assert applied(rule, held) == {"metadata": {"name": "web"}}


@pytest.mark.parametrize("key", ["example.org/team", "a.b", "with~tilde"])
def test_a_key_that_is_no_plain_word_keeps_its_name(key: str) -> None:
    rule = Rule("configmaps", NAMESPACES, {"metadata": {"annotations": {key: None}}})
    held = {"metadata": {"annotations": {key: "1", "other": "2"}}}
    assert applied(rule, held) == {"metadata": {"annotations": {"other": "2"}}}


def test_a_rule_for_some_names_or_namespaces_leaves_the_others() -> None:
    rule = Rule("services", NAMESPACES, {"spec": {"type": "ClusterIP"}}, names=("web", "api"))
    held = {"spec": {"type": "NodePort"}}
    assert applied(rule, held, "api") == {"spec": {"type": "ClusterIP"}}
    assert applied(rule, held, "db") == held
    assert applied(rule, held, "web", "team") == held


def test_a_rule_for_one_former_value_leaves_the_others() -> None:
    matches = (("/spec/type", "LoadBalancer"),)
    rule = Rule("services", NAMESPACES, {"spec": {"type": "ClusterIP"}}, matches=matches)
    assert applied(rule, {"spec": {"type": "LoadBalancer"}}) == {"spec": {"type": "ClusterIP"}}
    assert applied(rule, {"spec": {"type": "ExternalName"}}) == {"spec": {"type": "ExternalName"}}
