"""What both readers of Velero's filters share: names, globs, kinds and the label that excludes."""

import pytest

from drills.velero_filters import (
    BackupScope,
    excluded_by_label,
    expanded,
    matches,
    names_kind,
    scope_of,
)

ACTIVE = ["shop", "team-a", "team-b"]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*"], set(ACTIVE)),
        (["team-*", "gone"], {"team-a", "team-b", "gone"}),
        (["team-[ac]"], {"team-a"}),
        (["sho?"], {"shop"}),
        (["sho"], {"sho"}),
        ([], set()),
        (["none-*"], set()),
    ],
)
def test_globs_stand_for_what_is_there_and_names_for_themselves(
    patterns: list[str], names: set[str]
) -> None:
    assert expanded(patterns, ACTIVE) == names
    assert {one for one in ACTIVE if matches(patterns, one)} == names & set(ACTIVE)


def test_names_are_told_apart_by_case() -> None:
    assert not matches(["Shop"], "shop")


@pytest.mark.parametrize(
    ("included", "excluded", "taken"),
    [((), (), True), ((), ("sh*",), False), (("x",), (), False), (("sh*",), ("shop",), False)],
)
def test_an_exclusion_wins(
    included: tuple[str, ...], excluded: tuple[str, ...], taken: bool
) -> None:
    scope = BackupScope(included_namespaces=included, excluded_namespaces=excluded)
    assert scope.takes_namespace("shop") is taken


@pytest.mark.parametrize(
    ("listed", "resource", "named"),
    [
        (["deployments.apps"], "deployments.apps", True),
        (["deployments"], "deployments.apps", True),
        (["*.apps"], "deployments.apps", True),
        (["deploy"], "deployments.apps", False),
        (["events"], "events.events.k8s.io", False),
        (["pvc"], "persistentvolumeclaims", True),
        (["persistent*"], "persistentvolumeclaims", True),
        ([], "pods", False),
    ],
)
def test_lists_of_kinds(listed: list[str], resource: str, named: bool) -> None:
    assert names_kind(listed, resource, {"pvc": "persistentvolumeclaims"}) is named


def test_no_selector_takes_every_label_and_one_of_several_suffices() -> None:
    assert scope_of({}).takes_labels({})
    two = scope_of({"orLabelSelectors": [{"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}]})
    assert two.takes_labels({}, {"b": "2"})
    assert not two.takes_labels({"b": "1"}, {})


def test_only_the_value_true_excludes() -> None:
    assert excluded_by_label({"velero.io/exclude-from-backup": "true"})
    assert not excluded_by_label({"velero.io/exclude-from-backup": "True"})
    assert not excluded_by_label({})
