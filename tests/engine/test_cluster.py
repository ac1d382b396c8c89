"""A site with a cluster under the real engine: a real API server, snapshots, the wrong cluster."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kube.facts import SNAPSHOT_CRDS
from tests.engine.prepared import Prepared
from tests.engine.site import CHECKOUT, STACK, Done, EngineSite, shown
from tests.engine.test_bad_input import errors
from tests.support.kube_api import KubeApi, running_kube_api

pytestmark = pytest.mark.tools

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLASSES = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses"
LABEL = "velero.io/csi-volumesnapshot-class"
# No node is there to run a controller, and nothing waits for one that is somebody else's.
SNAPSHOTS = {"controller": "never", "crds": {"path": "standins/crds"}}


@dataclass
class ClusteredSite:
    """A site whose store is up already, and the API server that its config names."""

    site: EngineSite
    api: KubeApi

    def name(self, api: KubeApi, **cluster: Any) -> None:
        """Puts the kubeconfig of `api` into the config."""
        self.site.configure(cluster=cluster)
        self.site.set_secret("kubeconfig", api.kubeconfig)

    def preview(self) -> Done:
        return self.site.pulumi("preview", "-s", STACK)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """Another cluster."""
    with running_kube_api(tmp_path_factory.mktemp("other"), controllers=()) as running:
        yield running


@pytest.fixture
def clustered(
    prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusteredSite]:
    site = prepared.deployed()
    with running_kube_api(tmp_path_factory.mktemp("own")) as running:
        found = ClusteredSite(site, running)
        found.name(running)
        site.configure(snapshots=SNAPSHOTS)
        yield found
    site.end()


def assert_refused(done: Done, said: str) -> None:
    """The run ended with one sentence of the preflight, and `said` stands in it."""
    assert done.returncode != 0
    found = errors(done)
    assert found[0] == "error: preflight, nothing was changed:", shown(done)
    assert len(found) == 2, shown(done)
    assert said in found[1]


def uid_of(api: KubeApi) -> str:
    return str(api.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])


def test_snapshots_are_set_up_once_and_stay_as_they_are(clustered: ClusteredSite) -> None:
    site, api = clustered.site, clustered.api
    site.up()
    held = api.request("GET", f"{CLASSES}/longhorn-velero")
    assert held["metadata"]["labels"][LABEL] == "true"
    assert (held["driver"], held["parameters"]) == ("driver.longhorn.io", {"type": "bak"})
    assert held["deletionPolicy"] == "Retain"
    assert all(api.exists(f"{CRDS}/{name}") for name in SNAPSHOT_CRDS)
    assert site.pulumi("stack", "output", "clusterUid", "-s", STACK).stdout.strip() == uid_of(api)
    site.expect_quiet()
    quiet = site.pulumi("refresh", "--preview-only", "--expect-no-changes", "-s", STACK)
    assert quiet.returncode == 0, shown(quiet)

    # A label taken away by hand is seen, put back, and no reason to call the CRD another's.
    api.patch(f"{CRDS}/{SNAPSHOT_CRDS[0]}", {"metadata": {"labels": {"backstop-site": None}}})
    api.patch(f"{CLASSES}/longhorn-velero", {"metadata": {"labels": {LABEL: None}}})
    seen = site.pulumi("refresh", "--preview-only", "--diff", "-s", STACK)
    assert "longhorn-velero" in seen.stdout
    site.up("--", "--refresh")
    assert LABEL in api.request("GET", f"{CLASSES}/longhorn-velero")["metadata"]["labels"]
    labels = api.request("GET", f"{CRDS}/{SNAPSHOT_CRDS[0]}")["metadata"]["labels"]
    assert labels["backstop-site"] == "unit"
    site.expect_quiet()


def test_destroy_leaves_the_crds_and_the_next_up_takes_them_over(clustered: ClusteredSite) -> None:
    site, api = clustered.site, clustered.api
    site.up()
    uids = [api.request("GET", f"{CRDS}/{name}")["metadata"]["uid"] for name in SNAPSHOT_CRDS]
    done = site.stack("destroy", "--yes")
    assert done.returncode == 0, shown(done)
    assert not api.exists(f"{CLASSES}/longhorn-velero")
    site.up()
    assert uids == [
        api.request("GET", f"{CRDS}/{name}")["metadata"]["uid"] for name in SNAPSHOT_CRDS
    ]
    assert api.exists(f"{CLASSES}/longhorn-velero")
    site.expect_quiet()


def test_another_cluster_is_refused_before_anything_is_written(
    clustered: ClusteredSite, other: KubeApi
) -> None:
    clustered.site.up()
    clustered.name(other)
    for done in (
        clustered.preview(),
        clustered.site.pulumi("up", "--yes", "--skip-preview", "-s", STACK),
        clustered.site.stack("up"),
    ):
        assert_refused(done, uid_of(clustered.api))
        assert uid_of(other) in done.stdout
    assert not other.exists(f"{CRDS}/{SNAPSHOT_CRDS[0]}")
    # Saying in the config that it is meant does not make it the one that the state is about.
    clustered.name(other, uid=uid_of(other))
    assert_refused(clustered.preview(), "the state of this stack")
    clustered.name(clustered.api)
    clustered.site.expect_quiet()


def test_an_update_that_failed_remembers_its_cluster_too(
    clustered: ClusteredSite, other: KubeApi
) -> None:
    site = clustered.site
    broken = (CHECKOUT / "standins/crds/volumesnapshotclasses.yaml").read_text()
    target = site.checkout / "standins/crds/volumesnapshotclasses.yaml"
    target.write_text(broken.replace("scope: Cluster", "scope: Nowhere"))
    try:
        done = site.stack("up")
        assert done.returncode != 0, shown(done)
        clustered.name(other)
        assert_refused(clustered.preview(), uid_of(clustered.api))
    finally:
        target.write_text(broken)
    clustered.name(clustered.api)
    site.up()
    site.expect_quiet()


def test_a_cluster_that_the_config_does_not_mean_is_refused(clustered: ClusteredSite) -> None:
    meant = "11111111-2222-3333-4444-555555555555"
    clustered.name(clustered.api, uid=meant)
    assert_refused(clustered.preview(), meant)


def test_an_unknown_namespace_and_missing_crds_are_said_together(clustered: ClusteredSite) -> None:
    clustered.name(clustered.api, namespaces=["shpo"])
    clustered.site.configure(snapshots={"controller": "never"})
    done = clustered.preview()
    assert done.returncode != 0
    assert "backstop:cluster.namespaces: the cluster has no namespace shpo" in done.stdout
    assert "backstop:snapshots.crds.path: the cluster has no CRD" in done.stdout


def test_an_api_server_that_is_down_is_one_sentence(clustered: ClusteredSite) -> None:
    clustered.api.stop()
    assert_refused(clustered.preview(), f"{clustered.api.url} does not answer")
