"""The comparison against a real Velero and a real API server: what they do by themselves is no
finding, and what somebody did to a backup or a copy is one."""

import datetime
import gzip
import io
import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drills.objects import against_copy, against_truth, results, tarball, truth_file
from drills.objects.changes import Action, ExpectedChange
from drills.objects.findings import Comparison, FindingKind
from drills.objects.keys import UNPACKABLE_NAME_BYTES, ObjectKey
from drills.objects.normal_form import Restoration
from drills.objects.scope import LISTED_VERBS, Membership
from drills.objects.truth import Head, Truth, encloses, new_salt, record
from drills.velero_filters import scope_of
from tests.drills.objects import archives
from tests.drills.objects.real_objects import (
    DEFINITION,
    cluster_objects,
    everything,
    namespaced_objects,
)
from tests.drills.objects.real_velero import NAMESPACE, RealVelero, posted, running_velero, until
from tests.drills.objects.samples import Pair
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools

SCOPES: dict[str, dict[str, Any]] = {
    "whole": {},
    "all": {"includedNamespaces": ["*"], "includedResources": ["*"]},
    "but-velero": {"excludedNamespaces": [NAMESPACE, "kube-system"], "includedResources": ["*"]},
    "one": {"includedNamespaces": ["shop"]},
    "glob": {"includedNamespaces": ["sho?"], "includedResources": ["*"]},
    "cluster": {"includedNamespaces": ["shop"], "includeClusterResources": True},
    "no-cluster": {"includedNamespaces": ["shop"], "includeClusterResources": False},
    "kinds": {"includedNamespaces": ["shop"], "includedResources": ["pods", "deployments.apps"]},
    "not-kinds": {"includedNamespaces": ["shop"], "excludedResources": ["secrets", "events"]},
    "labels": {"labelSelector": {"matchLabels": {"app": "lone"}}},
    "some-labels": {"includedNamespaces": ["shop"], "orLabelSelectors": [
        {"matchLabels": {"tier": "gold"}},
        {"matchExpressions": [{"key": "app", "operator": "Exists"}]}]},
    "scoped": {"includedNamespaces": ["shop"],
               "includedClusterScopedResources": ["storageclasses", "clusterroles"],
               "excludedNamespaceScopedResources": ["events"]},
    "scoped-all": {"includedClusterScopedResources": ["*"], "excludedNamespaces": ["team"]},
}  # fmt: skip


@dataclass
class Lived:
    """A cluster with objects in it, and Velero beside it."""

    velero: RealVelero

    def listing(self) -> list[Pair]:
        return [(key, dict(content)) for key, content in everything(self.velero.api, LISTED_VERBS)]

    def settled(self) -> None:
        """Waits until controllers have made what they make."""
        last: list[str] = []

        def quiet() -> bool | None:
            nonlocal last
            now = [str(content["metadata"]["resourceVersion"]) for _, content in self.listing()]
            same, last = now == last, now
            time.sleep(1.0)
            return True if same else None

        until(quiet, "the cluster to come to rest")

    def truth(self, name: str, spec: dict[str, Any]) -> tuple[Truth, dict[str, Any]]:
        def now() -> datetime.datetime:
            return datetime.datetime.now(datetime.UTC)

        began, before, ended = now(), self.listing(), now()
        backup = self.velero.backup(name, spec)
        began_after, after, ended_after = now(), self.listing(), now()
        namespaces = [content for key, content in before if key.resource == "namespaces"]
        aliases = {"storageclasses": "storageclasses.storage.k8s.io"}
        membership = Membership(scope_of(spec), namespaces, aliases)
        head = Head("uid", name, began, ended, began_after, ended_after, spec, new_salt())
        return record(before, after, membership, head), backup


def of_a_new_kind(lived: Lived, word: str) -> Comparison:
    """What a backup holds of a kind that was defined just before it."""
    text = json.dumps(DEFINITION).replace("widget", word).replace("Widget", word.title())
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    lived.velero.api.request("POST", definitions, json.loads(text))
    new = {"apiVersion": "example.org/v1", "kind": word.title(), "metadata": {"name": "new"}}
    posted(lived.velero.api, f"/apis/example.org/v1/namespaces/shop/{word}s", new)
    lived.settled()
    name = f"young-{word}"
    truth, backup = lived.truth(name, {"includedNamespaces": ["shop"]})
    assert backup["status"]["phase"] == "Completed"
    return against_truth.compare(truth, tarball.objects(lived.velero.tarball(name)))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder: Path = tmp_path_factory.mktemp("velero")
    with running_velero(folder, _fill) as velero:
        found = Lived(velero)
        found.settled()
        yield found


def _fill(api: KubeApi) -> None:
    for name in ("shop", "team"):
        labels = {"tier": "gold"} if name == "shop" else {}
        api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    hidden = {"name": "hidden", "labels": {"velero.io/exclude-from-backup": "true"}}
    api.request("POST", "/api/v1/namespaces/team/configmaps", {"metadata": hidden})
    for path, content in [*cluster_objects(), *namespaced_objects("shop")]:
        posted(api, path, content)


def told(comparison: Comparison) -> list[str]:
    return [str(finding) for finding in comparison.findings]


@pytest.mark.parametrize("name", SCOPES)
def test_a_backup_holds_what_its_scope_says(lived: Lived, name: str) -> None:
    spec = SCOPES[name]
    truth, backup = lived.truth(f"scope-{name}", spec)
    assert backup["status"]["phase"] == "Completed", backup
    began, ended = (
        datetime.datetime.fromisoformat(backup["status"][field])
        for field in ("startTimestamp", "completionTimestamp")
    )
    assert encloses(truth.head, began, ended) == ""
    found = against_truth.compare(truth, tarball.objects(lived.velero.tarball(f"scope-{name}")))
    assert told(found) == []
    assert found.count > 3
    assert not found.nothing


@dataclass
class Restored:
    """One restore: what came back, and what Velero said."""

    backup: str
    objects: list[Pair]
    results: results.RestoreResults
    phase: str


def compared(lived: Lived, restored: Restored, restoration: Restoration) -> Comparison:
    def fetch(keys: Collection[ObjectKey]) -> Iterator[tarball.SavedObject]:
        return tarball.objects(lived.velero.tarball(restored.backup), only=keys)

    saved = tarball.objects(lived.velero.tarball(restored.backup))
    return against_copy.compare(saved, restored.objects, restoration, new_salt(), fetch)


def restore(lived: Lived, name: str, sandbox: str, **spec: Any) -> Restored:
    backup = f"for-{name}"
    made = lived.velero.backup(backup, {"includedNamespaces": ["shop"]})
    assert made["status"]["phase"] == "Completed"
    ended = lived.velero.restore(name, {
        "backupName": backup, "includedNamespaces": ["shop"],
        "namespaceMapping": {"shop": sandbox}, "includeClusterResources": False, **spec,
    })  # fmt: skip
    lived.settled()
    inside = [pair for pair in lived.listing()
              if sandbox in (pair[0].namespace, pair[0].name)]  # fmt: skip
    return Restored(
        backup, inside, results.read(lived.velero.results(name)), ended["status"]["phase"]
    )


PLAIN = Restoration({"shop": "sandbox"})


@pytest.fixture(scope="module")
def plain(lived: Lived) -> Restored:
    """A restore into a namespace that the drill made and marked."""
    marked = {"name": "sandbox", "labels": {"our-mark": "yes"}}
    lived.velero.api.request("POST", "/api/v1/namespaces", {"metadata": marked})
    return restore(lived, "plain", "sandbox")


def test_a_restored_copy_gives_no_finding(lived: Lived, plain: Restored) -> None:
    found = compared(lived, plain, PLAIN)
    assert told(found) == []
    assert found.count > 30
    assert plain.phase == "Completed"
    assert [str(message) for message in plain.results.red] == []
    assert plain.results.messages, "the cluster's CA is always there before Velero"


def test_a_namespace_that_velero_made_is_compared_too(lived: Lived) -> None:
    restored = restore(lived, "made", "made")
    restoration = Restoration({"shop": "made"}, namespaces_restored=True)
    found = compared(lived, restored, restoration)
    assert told(found) == []
    assert found.compared["namespaces"] == 1


MODIFIERS = """
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  patches: [{operation: replace, path: /spec/replicas, value: "0"}]
- conditions: {groupResource: cronjobs.batch}
  mergePatches: [{patchData: '{"spec": {"suspend": true}}'}]
- conditions: {groupResource: services, matches: [{path: /spec/type, value: LoadBalancer}]}
  patches:
  - {operation: replace, path: /spec/type, value: ClusterIP}
  - {operation: remove, path: /spec/externalTrafficPolicy}
  - {operation: remove, path: /spec/allocateLoadBalancerNodePorts}
- conditions: {groupResource: persistentvolumeclaims}
  patches: [{operation: replace, path: /spec/storageClassName, value: drill}]
- conditions: {groupResource: pods, resourceNameRegex: "^lone$"}
  patches: [{operation: add, path: /spec/containers/0/command, value: '["/pause"]'}]
"""
BALANCED = {"spec.type": ("LoadBalancer",)}
CHANGES = (
    ExpectedChange("held at zero", "deployments.apps", "spec.replicas", value=0),
    ExpectedChange("suspended", "cronjobs.batch", "spec.suspend", value=True),
    ExpectedChange("closed", "services", "spec.type", value="ClusterIP", only_if=BALANCED),
    ExpectedChange("closed", "services", "spec.externalTrafficPolicy", Action.REMOVE,
                   only_if=BALANCED),
    ExpectedChange("closed", "services", "spec.allocateLoadBalancerNodePorts", Action.REMOVE,
                   only_if=BALANCED),
    ExpectedChange("class mapped", "persistentvolumeclaims", "spec.storageClassName",
                   Action.REPLACE, values={"fast": "drill"}),
    ExpectedChange("held still", "pods", "spec.containers[name=main].command", value=["/pause"],
                   object_name="lone"),
)  # fmt: skip


def test_what_a_modifier_changes_is_demanded_and_not_ignored(lived: Lived) -> None:
    lived.velero.api.request("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", {
        "metadata": {"name": "modifiers"}, "data": {"rules": MODIFIERS}})  # fmt: skip
    restored = restore(
        lived, "modified", "modified", resourceModifier={"kind": "configmap", "name": "modifiers"}
    )
    assert [str(message) for message in restored.results.red] == []
    declared = compared(lived, restored, Restoration({"shop": "modified"}, changes=CHANGES))
    assert told(declared) == []
    assert declared.expected_changes == {
        "held at zero": 1, "suspended": 1, "closed": 3, "class mapped": 3, "held still": 1,
    }  # fmt: skip
    undeclared = compared(lived, restored, Restoration({"shop": "modified"}))
    assert {str(one.key): {field.path for field in one.fields} for one in undeclared.findings} == {
        "deployments.apps/shop/web": {"spec.replicas"},
        "cronjobs.batch/shop/nightly": {"spec.suspend"},
        "services/shop/balanced": {
            "spec.type", "spec.externalTrafficPolicy", "spec.allocateLoadBalancerNodePorts",
        },
        "persistentvolumeclaims/shop/bound": {"spec.storageClassName"},
        "persistentvolumeclaims/shop/data-db-0": {"spec.storageClassName"},
        "persistentvolumeclaims/shop/pending": {"spec.storageClassName"},
        "pods/shop/lone": {"spec.containers[0].command"},
    }  # fmt: skip


class TestControls:
    """The same comparisons with a fault planted in the real backup, or in the real copy."""

    def test_each_dropped_object_is_lost_from_the_backup(self, lived: Lived) -> None:
        truth, _ = lived.truth("control", {"includedNamespaces": ["shop"]})
        saved = [tuple(one) for one in tarball.objects(lived.velero.tarball("control"))]
        assert told(against_truth.compare(truth, saved)) == []
        required = [pair for pair in saved if truth.entries[pair[0]].required]
        assert len(required) > 40
        for dropped in required:
            rest = archives.backup(pair for pair in saved if pair is not dropped)
            found = against_truth.compare(truth, tarball.objects([rest]))
            assert told(found) == [f"lost {dropped[0]}"]

    def test_each_dropped_object_is_lost_from_the_copy(self, lived: Lived, plain: Restored) -> None:
        whole = compared(lived, plain, PLAIN)
        lost = 0
        for pair in plain.objects:
            rest = Restored(
                plain.backup, [one for one in plain.objects if one is not pair], plain.results, ""
            )
            found = told(compared(lived, rest, PLAIN))
            assert len(found) <= 1
            lost += len(found)
        assert lost == whole.count

    def test_a_changed_field_is_found_on_either_side(self, lived: Lived, plain: Restored) -> None:
        def edited(pairs: list[Pair], name: str) -> list[Pair]:
            text = json.dumps([content for _, content in pairs])
            changed = json.loads(text.replace("registry.example/app:1", name))
            return [(key, content) for (key, _), content in zip(pairs, changed, strict=True)]

        copy = Restored(plain.backup, edited(plain.objects, "other/app:1"), plain.results, "")
        found = {str(one.key): one.fields for one in compared(lived, copy, PLAIN).findings}
        assert found.keys() == {
            "cronjobs.batch/shop/nightly", "daemonsets.apps/shop/agent",
            "deployments.apps/shop/web", "jobs.batch/shop/once", "pods/shop/lone",
            "statefulsets.apps/shop/db",
        }  # fmt: skip
        field = found["deployments.apps/shop/web"][0]
        assert field.path == "spec.template.spec.containers[0].image"
        assert (field.expected, field.observed) == ('"registry.example/app:1"', '"other/app:1"')

    def test_one_name_that_no_disk_takes_loses_the_whole_backup(self, lived: Lived) -> None:
        path = "/api/v1/namespaces/shop/configmaps"
        name = "y" * (UNPACKABLE_NAME_BYTES + 1)
        lived.velero.api.request("POST", path, {"metadata": {"name": name}})
        try:
            restored = restore(lived, "long", "long")
        finally:
            lived.velero.api.request("DELETE", f"{path}/{name}")
        found = compared(lived, restored, Restoration({"shop": "long"}))
        assert {one.kind for one in found.findings} == {FindingKind.LOST}
        assert len(found.findings) > 30
        assert "too long for a file" in next(one.why for one in found.findings if one.why)
        assert "file name too long" in str(restored.results.red[0])

    def test_a_kind_that_velero_has_not_heard_of_yet_is_lost(self, lived: Lived) -> None:
        # It learns every five minutes: whoever met that moment has nearly all of them left.
        for word in ("gadget", "gizmo"):
            found = of_a_new_kind(lived, word)
            if told(found):
                break
        assert told(found) == [
            f"lost customresourcedefinitions.apiextensions.k8s.io/{word}s.example.org",
            f"lost {word}s.example.org/shop/new",
        ]


def test_a_truth_survives_its_file(lived: Lived) -> None:
    truth, _ = lived.truth("filed", {"includedNamespaces": ["shop"]})
    out = io.BytesIO()
    truth_file.write(truth, out)
    assert truth_file.read([out.getvalue()]) == truth
    assert b"hunter2" not in gzip.decompress(out.getvalue())
