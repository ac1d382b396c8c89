"""Clusters as the preflight would see them."""

from typing import Any

from components.cluster import SeenCluster
from components.recorded import Recorded
from kube.facts import SNAPSHOT_CRDS, ClusterFacts, Controller, Crd, VolumeSnapshotClass
from kube.kubeconfig import parse
from tests.kube import kubeconfigs

UID = "11111111-2222-3333-4444-555555555555"
OTHER_UID = "99999999-2222-3333-4444-555555555555"
SITE = "dev"
LONGHORN = "driver.longhorn.io"


def facts(**changes: Any) -> ClusterFacts:
    """A bare cluster with the fields in `changes`."""
    found: dict[str, Any] = {
        "uid": UID,
        "server": "https://10.0.0.1:6443",
        "version": "v1.34.3",
        "namespaces": frozenset({"default", "kube-system"}),
        "drivers": frozenset({LONGHORN}),
        **changes,
    }
    return ClusterFacts(**found)


def seen(changed: ClusterFacts | None = None, recorded: Recorded | None = None) -> SeenCluster:
    return SeenCluster(parse(kubeconfigs.text()), changed or facts(), recorded or Recorded())


def crds(site: str | None = None, version: str = "v1") -> dict[str, Any]:
    """Fields of facts with every snapshot CRD, bearing `site`'s mark."""
    versions = frozenset({version})
    return {
        "crds": {name: Crd(name, site, versions) for name in SNAPSHOT_CRDS},
        "served": frozenset({f"snapshot.storage.k8s.io/{version}"}),
    }


def controller(name: str = "snapshot-controller", site: str | None = None) -> Controller:
    return Controller("kube-system", name, "registry.k8s.io/x/snapshot-controller:v8", site)


def snapshot_class(name: str, driver: str = LONGHORN, **changes: Any) -> VolumeSnapshotClass:
    found: dict[str, Any] = {
        "labelled": False,
        "default": False,
        "site": None,
        "deletion_policy": "Retain",
        **changes,
    }
    return VolumeSnapshotClass(name, driver, **found)
