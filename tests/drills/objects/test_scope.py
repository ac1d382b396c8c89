"""Which objects a backup should hold, by its specification."""

from typing import Any

import pytest

from drills.objects.keys import ObjectKey
from drills.objects.scope import Inclusion, Membership
from drills.objects.selectors import SelectorError, selector
from drills.velero_filters import ScopeError, scope_of
from tests.drills.objects import samples
from tests.drills.objects.samples import Pair

IN, RELATED, OUT = Inclusion.IN, Inclusion.RELATED, Inclusion.OUT
NAMESPACES = [samples.namespace(name)[1] for name in ("shop", "team-a", "team-b", "velero")]
CLASS = ObjectKey("storageclasses.storage.k8s.io", "", "fast")


def judged(spec: dict[str, Any], pair: Pair, **given: Any) -> Inclusion:
    namespaces = given.pop("namespaces", NAMESPACES)
    return Membership(scope_of(spec), namespaces, **given).decide(*pair).inclusion


def labelled(**labels: str) -> Pair:
    key, content = samples.config_map()
    content["metadata"]["labels"] = labels
    return key, content


@pytest.mark.parametrize(
    ("spec", "namespace", "expected"),
    [
        ({}, "shop", IN),
        ({"includedNamespaces": ["*"]}, "shop", IN),
        ({"includedNamespaces": ["shop"]}, "shop", IN),
        ({"includedNamespaces": ["shop"]}, "team-a", OUT),
        ({"includedNamespaces": ["team-*"]}, "team-a", IN),
        ({"includedNamespaces": ["team-?"]}, "team-b", IN),
        ({"includedNamespaces": ["team-[ab]"]}, "team-b", IN),
        ({"includedNamespaces": ["team-*"]}, "shop", OUT),
        ({"excludedNamespaces": ["shop"]}, "shop", OUT),
        ({"excludedNamespaces": ["team-*"]}, "team-a", OUT),
        ({"includedNamespaces": ["*"], "excludedNamespaces": ["velero"]}, "team-a", IN),
        ({"includedNamespaces": ["nothing-*"]}, "shop", OUT),
        ({"includedNamespaces": ["shop"], "excludedNamespaces": ["shop"]}, "shop", OUT),
    ],
)
def test_namespaces(spec: dict[str, Any], namespace: str, expected: Inclusion) -> None:
    assert judged(spec, samples.config_map(namespace)) is expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"includedResources": ["*"]}, IN),
        ({"includedResources": ["deployments"]}, IN),
        ({"includedResources": ["deployments.apps"]}, IN),
        ({"includedResources": ["*.apps"]}, IN),
        ({"includedResources": ["pods"]}, OUT),
        ({"excludedResources": ["deployments.apps"]}, OUT),
        ({"excludedResources": ["events"]}, IN),
        ({"includedNamespaceScopedResources": ["deployments"]}, IN),
        ({"includedNamespaceScopedResources": ["pods"]}, OUT),
        ({"excludedNamespaceScopedResources": ["deployments"]}, OUT),
        ({"excludedNamespaceScopedResources": ["*"]}, OUT),
        ({"includedClusterScopedResources": ["nodes"]}, IN),
    ],
)
def test_kinds_with_a_namespace(spec: dict[str, Any], expected: Inclusion) -> None:
    assert judged(spec, samples.deployment()) is expected


def test_other_names_of_kinds_are_resolved_as_discovery_does() -> None:
    spec = {"includedResources": ["deploy"]}
    assert judged(spec, samples.deployment()) is OUT
    assert judged(spec, samples.deployment(), aliases={"deploy": "deployments.apps"}) is IN
    key = ObjectKey("events.events.k8s.io", "shop", "e")
    content = samples.config_map()[1]
    assert judged({}, (key, content)) is OUT, "the same objects are saved as events"
    assert judged({"excludedResources": ["events"]}, (key, content)) is IN
    core = key._replace(resource="events")
    assert judged({"excludedResources": ["events"]}, (core, content)) is OUT


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"includedResources": ["*"]}, IN),
        ({"includedResources": ["*"], "includedNamespaces": ["shop"]}, RELATED),
        ({"includedResources": ["*"], "excludedNamespaces": ["velero"]}, RELATED),
        ({"includeClusterResources": True, "includedNamespaces": ["shop"]}, IN),
        ({"includeClusterResources": False}, OUT),
        ({"includedResources": ["pods"]}, OUT),
        ({"includedResources": ["pods"], "includeClusterResources": True}, RELATED),
        ({"excludedResources": ["storageclasses"], "includeClusterResources": True}, OUT),
        ({}, RELATED),
        ({"includedNamespaces": ["shop"]}, RELATED),
        ({"includedClusterScopedResources": ["storageclasses"]}, IN),
        ({"includedClusterScopedResources": ["*"]}, IN),
        ({"includedClusterScopedResources": ["nodes"]}, RELATED),
        ({"excludedClusterScopedResources": ["*"]}, OUT),
        ({"excludedClusterScopedResources": ["storageclasses"]}, OUT),
    ],
)
def test_cluster_scoped_kinds(spec: dict[str, Any], expected: Inclusion) -> None:
    assert judged(spec, (CLASS, {"metadata": {"name": "fast"}})) is expected


def test_an_excluded_namespace_makes_the_backup_one_of_a_part() -> None:
    marked = [*NAMESPACES, samples.namespace("own", **{"velero.io/exclude-from-backup": "true"})[1]]
    pair = (CLASS, {"metadata": {"name": "fast"}})
    assert judged({"includedResources": ["*"]}, pair) is IN
    assert judged({"includedResources": ["*"]}, pair, namespaces=marked) is RELATED
    assert judged({}, samples.config_map("own"), namespaces=marked) is OUT


def test_the_label_that_excludes_and_what_is_being_deleted() -> None:
    assert judged({}, labelled(**{"velero.io/exclude-from-backup": "true"})) is OUT
    assert judged({}, labelled(**{"velero.io/exclude-from-backup": "false"})) is IN
    key, content = samples.config_map()
    content["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert judged({}, (key, content)) is OUT


def test_snapshots_are_velero_s_own_business() -> None:
    for resource in ("volumesnapshots", "volumesnapshotcontents"):
        key = ObjectKey(f"{resource}.snapshot.storage.k8s.io", "shop", "s")
        assert judged({"includedResources": ["*"]}, (key, {"metadata": {}})) is OUT


SELECTORS: list[tuple[dict[str, Any], dict[str, str], bool]] = [
    ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
    ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
    ({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1"}, False),
    ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"},
     True),
    ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
    ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
    ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
    ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"b": ""}, False),
    ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
    ({}, {}, True),
]  # fmt: skip


@pytest.mark.parametrize(("given", "labels", "matches"), SELECTORS)
def test_label_selectors(given: dict[str, Any], labels: dict[str, str], matches: bool) -> None:
    assert selector(given).matches(labels) is matches
    expected = IN if matches else RELATED
    assert judged({"labelSelector": given}, labelled(**labels)) is expected


def test_one_of_several_selectors_suffices() -> None:
    spec = {"orLabelSelectors": [{"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}]}
    assert judged(spec, labelled(b="2")) is IN
    assert judged(spec, labelled(b="3")) is RELATED


@pytest.mark.parametrize(
    ("spec", "pair", "expected"),
    [
        ({}, samples.namespace("shop"), IN),
        ({"includedNamespaces": ["team-*"]}, samples.namespace("shop"), RELATED),
        ({"includedNamespaces": ["shop"]}, samples.namespace("shop"), IN),
        ({"includedResources": ["pods"]}, samples.namespace("shop"), OUT),
        ({"includeClusterResources": False}, samples.namespace("shop"), OUT),
        ({}, samples.namespace("shop", phase="Terminating"), RELATED),
        ({"labelSelector": {"matchLabels": {"a": "1"}}}, samples.namespace("shop", a="1"), IN),
        ({"labelSelector": {"matchLabels": {"a": "1"}}}, samples.namespace("shop"), RELATED),
        (
            {"includedNamespaces": ["shop"], "labelSelector": {"matchLabels": {"a": "1"}}},
            samples.namespace("shop"),
            IN,
        ),
        (
            {"includedClusterScopedResources": ["*"], "excludedNamespaces": ["shop"]},
            samples.namespace("shop"),
            RELATED,
        ),
    ],
)
def test_namespaces_themselves(spec: dict[str, Any], pair: Pair, expected: Inclusion) -> None:
    assert judged(spec, pair) is expected


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"includedResources": ["a"], "excludedClusterScopedResources": ["b"]}, "mixes"),
        ({"labelSelector": {}, "orLabelSelectors": []}, "orLabelSelectors"),
        ({"includedNamespaces": "shop"}, "includedNamespaces is no list"),
        ({"labelSelector": {"matchExpressions": [{"operator": "Near"}]}}, "label selector"),
        ({"labelSelector": "a=1"}, "label selector"),
    ],
)
def test_what_velero_would_refuse_is_refused(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(ScopeError, match=said):
        scope_of(spec)


@pytest.mark.parametrize(
    "given", [[], {"matchLabels": []}, {"matchExpressions": [1]},
              {"matchExpressions": [{"operator": "In", "values": 1}]}],
)  # fmt: skip
def test_what_is_no_selector_is_refused(given: object) -> None:
    with pytest.raises(SelectorError):
        selector(given)
