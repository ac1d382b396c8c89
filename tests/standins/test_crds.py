"""The lab's snapshot CRDs take every object that the official ones take."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import Snapshots
from components.snapshots import crds
from components.snapshots.component import class_manifest
from kube.facts import SNAPSHOT_CRDS
from tests.support.kube_api import KubeApi, RefusedError, running_kube_api

ROOT = Path(__file__).resolve().parents[2]
STANDINS = ROOT / "standins" / "crds"
GROUP = "/apis/snapshot.storage.k8s.io/v1"
INVALID = 422
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def official() -> Path:
    """The official CRDs; skips the test where they are not beside the checkout."""
    named = os.environ.get("BACKSTOP_UPSTREAM")
    folder = (Path(named) if named else ROOT.parent / "shared/upstream") / "snapshot-crds-8.6.0"
    if not folder.is_dir():
        pytest.skip(f"the official CRDs are not in {folder}")
    return folder


def served(document: Any) -> dict[str, Any]:
    (version,) = [one for one in document["spec"]["versions"] if one["served"]]
    assert version["name"] == "v1"
    found: dict[str, Any] = version
    return found


def differences(ours: Any, theirs: Any, where: str) -> Iterator[str]:
    """Where our schema names what theirs does not have, or refuses what theirs takes."""
    for key in ("type", "enum", "format", "minimum"):
        if key in ours and ours[key] != theirs.get(key):
            yield f"{where}: {key}"
    if not set(ours.get("required", [])) <= set(theirs.get("required", [])) | _by_rule(theirs):
        yield f"{where}: required"
    for name, inner in ours.get("properties", {}).items():
        if name not in theirs.get("properties", {}):
            yield f"{where}.{name}: unknown"
        else:
            yield from differences(inner, theirs["properties"][name], f"{where}.{name}")
    closed = ours.get("type") == "object" and "additionalProperties" not in ours
    if closed and not ours.get("x-kubernetes-preserve-unknown-fields"):
        yield f"{where}: drops fields that it does not name"


def _by_rule(theirs: Any) -> set[str]:
    """Fields that a rule in CEL demands; a reserved word stands there between underscores."""
    rules = " ".join(one["rule"] for one in theirs.get("x-kubernetes-validations", []))
    names = theirs.get("properties", {})
    return {name for name in names if f"has(self.{name})" in rules or f"__{name}__" in rules}


@pytest.mark.parametrize("name", SNAPSHOT_CRDS)
def test_a_stand_in_says_that_it_is_one(name: str) -> None:
    document = crds.read(str(STANDINS))[name]
    approval = document["metadata"]["annotations"]["api-approved.kubernetes.io"]
    assert approval.startswith("unapproved, ")
    assert "stand-in" in approval


@pytest.mark.parametrize("name", SNAPSHOT_CRDS)
def test_a_stand_in_refuses_nothing_that_the_official_one_takes(name: str) -> None:
    theirs = crds.read(str(official()))[name]
    ours = crds.read(str(STANDINS))[name]
    for key in ("group", "scope"):
        assert ours["spec"][key] == theirs["spec"][key]
    for key in ("kind", "listKind", "plural", "singular"):
        assert ours["spec"]["names"][key] == theirs["spec"]["names"][key]
    mine, official_one = served(ours), served(theirs)
    assert ("status" in mine.get("subresources", {})) == (
        "status" in official_one.get("subresources", {})
    )
    schemas = [one["schema"]["openAPIV3Schema"] for one in (mine, official_one)]
    assert list(differences(*schemas, where=name)) == []


def test_a_schema_that_refuses_more_is_noticed() -> None:
    theirs = {"type": "object", "properties": {"a": {"type": "string"}}}
    kept = {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
    assert list(differences({**kept, "required": ["a"]}, theirs, "x")) == ["x: required"]
    assert list(differences({**kept, "properties": {"b": {}}}, theirs, "x")) == ["x.b: unknown"]
    assert list(differences({"type": "object"}, theirs, "x"))
    assert list(differences({**kept, "properties": {"a": {"type": "integer"}}}, theirs, "x"))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("crds")) as running:
        for file in sorted(STANDINS.glob("*.yaml")):
            running.request("POST", CRDS, yaml.safe_load(file.read_text()))
        for name in SNAPSHOT_CRDS:
            _wait_established(running, name)
        yield running


def _wait_established(api: KubeApi, name: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        # A definition that no controller has looked at yet says "conditions": null.
        found = api.request("GET", f"{CRDS}/{name}")
        status, spec = found.get("status") or {}, found["spec"]
        states = {one["type"]: one["status"] for one in status.get("conditions") or ()}
        place = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        if states.get("Established") == "True" and api.exists(place):
            return
        time.sleep(0.2)
    raise AssertionError(f"{name} is not served")


def refused(api: KubeApi, path: str, body: dict[str, Any]) -> bool:
    try:
        api.request("POST", path, body)
    except RefusedError as error:
        if error.status != INVALID:
            raise
        return True
    return False


def snapshot(name: str, **source: str) -> dict[str, Any]:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name},
        "spec": {"volumeSnapshotClassName": "longhorn-velero", "source": source},
    }


def content(name: str, **source: str) -> dict[str, Any]:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": name},
        "spec": {
            "deletionPolicy": "Retain",
            "driver": "driver.longhorn.io",
            "sourceVolumeMode": "Filesystem",
            "source": source,
            "volumeSnapshotRef": {"name": "a", "namespace": "default"},
        },
    }


@pytest.mark.tools
def test_our_classes_are_taken(api: KubeApi) -> None:
    (declared,) = Snapshots().classes
    assert not refused(api, f"{GROUP}/volumesnapshotclasses", class_manifest(declared, "unit"))


@pytest.mark.tools
def test_snapshots_and_contents_are_taken_with_their_status(api: KubeApi) -> None:
    snapshots = f"{GROUP}/namespaces/default/volumesnapshots"
    contents = f"{GROUP}/volumesnapshotcontents"
    assert not refused(api, snapshots, snapshot("a", persistentVolumeClaimName="claim"))
    assert not refused(api, snapshots, snapshot("b", volumeSnapshotContentName="content"))
    assert not refused(api, contents, content("a", volumeHandle="v"))
    assert not refused(api, contents, content("b", snapshotHandle="bak://v/backup-1"))
    status = {"readyToUse": True, "restoreSize": 4096, "creationTime": 1700000000000000000}
    held = api.patch(f"{contents}/a/status", {"status": {**status, "snapshotHandle": "bak://v/b"}})
    assert held["status"]["snapshotHandle"] == "bak://v/b"
    held = api.patch(f"{snapshots}/a/status", {"status": {"restoreSize": "1Gi", "later": {"x": 1}}})
    assert held["status"] == {"restoreSize": "1Gi", "later": {"x": 1}}


@pytest.mark.tools
def test_what_the_official_ones_refuse_is_refused(api: KubeApi) -> None:
    snapshots = f"{GROUP}/namespaces/default/volumesnapshots"
    contents = f"{GROUP}/volumesnapshotcontents"
    both = snapshot("c", persistentVolumeClaimName="x", volumeSnapshotContentName="y")
    assert refused(api, snapshots, both)
    assert refused(api, contents, content("c"))
    wrong = class_manifest(Snapshots().classes[0], "unit") | {"deletionPolicy": "Keep"}
    wrong["metadata"]["name"] = "wrong"
    assert refused(api, f"{GROUP}/volumesnapshotclasses", wrong)
