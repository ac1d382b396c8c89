"""CSI snapshots on the lab: the controller that the program installs, and edits of its parts."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.on_lab.site import Site, run

pytestmark = pytest.mark.lab

NAMESPACE = "snapshot-test"
PATIENCE_SECONDS = 240
CLASS = "longhorn-bak"
LABEL = "velero.io/csi-volumesnapshot-class"
CRD = "volumesnapshots.snapshot.storage.k8s.io"


def kubectl(site: Site, *arguments: str, stdin: str = "") -> str:
    argv = ["kubectl", *arguments]
    done = run(argv, cwd=site.directory, env=site.environment, stdin=stdin)
    assert done.code == 0, done.text
    return done.stdout


def seen(site: Site, *arguments: str) -> Any:
    return json.loads(kubectl(site, "get", *arguments, "-o", "json"))


def wait_for(what: str, ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if ask():
            return
        time.sleep(1)
    raise AssertionError(f"{what} did not come")


@pytest.fixture
def namespace(saved: Site) -> Iterator[str]:
    kubectl(saved, "create", "namespace", NAMESPACE)
    yield NAMESPACE
    kubectl(saved, "delete", "namespace", NAMESPACE)


def test_a_volume_is_snapshotted_by_the_installed_controller(saved: Site, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "claim"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "longhorn",
            "resources": {"requests": {"storage": "8Mi"}},
        },
    }
    snapshot = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": "snapshot"},
        "spec": {
            "volumeSnapshotClassName": CLASS,
            "source": {"persistentVolumeClaimName": "claim"},
        },
    }
    wanted = yaml.safe_dump_all([claim, snapshot])
    kubectl(saved, "-n", namespace, "apply", "-f", "-", stdin=wanted)

    def ready() -> bool:
        found = seen(saved, "-n", namespace, "volumesnapshot", "snapshot")
        return bool(found.get("status", {}).get("readyToUse"))

    wait_for("the snapshot", ready)
    held = seen(saved, "-n", namespace, "volumesnapshot", "snapshot")["status"]
    content = seen(saved, "volumesnapshotcontent", held["boundVolumeSnapshotContentName"])
    assert content["spec"]["deletionPolicy"] == "Retain"


EDITS: dict[str, tuple[tuple[str, ...], str]] = {
    "label of the class": (
        ("label", "volumesnapshotclass", CLASS, f"{LABEL}-"),
        f"snapshot-class-{CLASS}",
    ),
    "mark of the class": (
        ("label", "volumesnapshotclass", CLASS, "backstop-site-"),
        f"snapshot-class-{CLASS}",
    ),
    "mark of a CRD": (("label", "crd", CRD, "backstop-site-"), CRD),
    "controller scaled down": (
        ("-n", "kube-system", "scale", "deployment", "snapshot-controller", "--replicas=0"),
        "snapshot-controller",
    ),
    "binding deleted": (
        ("delete", "clusterrolebinding", "snapshot-controller-role"),
        "snapshot-controller-role-ClusterRoleBinding",
    ),
}


def changed_by_refresh(site: Site) -> set[str]:
    done = site.pulumi("refresh", "--preview-only", "--json")
    assert done.code == 0, done.text[-4000:]
    steps = json.loads(done.stdout)["steps"]
    return {step["urn"].rsplit("::", 1)[-1] for step in steps if step["op"] != "same"}


def test_edits_by_hand_are_shown_and_put_back(saved: Site) -> None:
    for edit, _ in EDITS.values():
        kubectl(saved, *edit)
    assert {resource for _, resource in EDITS.values()} <= changed_by_refresh(saved)
    done = saved.driver("up", "--", "--refresh")
    assert done.code == 0, done.text[-4000:]
    labels = seen(saved, "volumesnapshotclass", CLASS)["metadata"]["labels"]
    assert labels[LABEL] == "true"
    assert labels["backstop-site"] == "dev"
    assert "backstop-site" in seen(saved, "crd", CRD)["metadata"]["labels"]
    deployment = seen(saved, "-n", "kube-system", "deployment", "snapshot-controller")
    assert deployment["status"]["readyReplicas"] == 1
    kubectl(saved, "get", "clusterrolebinding", "snapshot-controller-role")
    saved.quiet()
