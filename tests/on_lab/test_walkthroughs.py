"""The commands that the documentation shows, run as they stand, on a real cluster."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.on_lab import documents
from tests.on_lab.site import ROOT, Lab, Site, copy_of_checkout

pytestmark = pytest.mark.lab
HOW_TO = ROOT / "docs" / "how-to"


def page(name: str) -> str:
    return (HOW_TO / name).read_text()


def walk(name: str, flow: str, site: Site) -> None:
    # The page says `make up`, which brings up the lab of this checkout and then the stack on it.
    environment = {**site.environment, "PYTHON": site.environment["BACKSTOP_PYTHON"]}
    documents.run(
        documents.steps(page(name), flow), directory=site.directory, environment=environment
    )


def added(site: Site, config: dict[str, Any]) -> None:
    """Adds a page's config to the stack's, with what only the lab needs beside it."""
    content = yaml.safe_load(site.config_file.read_text())
    mine = content["config"]
    lab_only = {
        "backstop:snapshots": {"crds": mine.get("backstop:snapshots", {}).get("crds")},
        "backstop:velero": {"chart": mine.get("backstop:velero", {}).get("chart")},
    }
    # The lab's canary wants the methods of the lab's Velero, and the pages have none; nor have they
    # anything to drill volumes by, or a target for Longhorn's own backups.
    for key in ("snapshots", "velero", "canary", "drills", "longhorn"):
        mine.pop(f"backstop:{key}", None)
    for key, value in config.items():
        mine[key] = {**value, **lab_only.get(key, {})}
    site.config_file.write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def demo(cluster_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(cluster_lab, copy_of_checkout(tmp_path_factory.mktemp("demo")), cluster=True)
    added(site, documents.config(page("velero-demo.md"), "demo", {}))
    return site


def test_a_lost_namespace_comes_back_with_its_volume(demo: Site) -> None:
    walk("velero-demo.md", "demo", demo)


def test_what_an_operator_does_by_hand(demo: Site) -> None:
    walk("velero-operator.md", "operator", demo)


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A cluster for one page: two sites in one cluster would be two Veleros."""
    lab = Lab(f"{request.node.name.split('_')[1]}-{os.getpid()}")
    try:
        yield lab
    finally:
        lab.down()


def test_optin_volumes_survive_the_loss_of_velero(own: Lab, tmp_path: Path) -> None:
    own.up("cp1")
    site = Site(own, copy_of_checkout(tmp_path / "checkout"), cluster=True)
    inventory = json.loads(Path(site.environment["BACKSTOP_INVENTORY"]).read_text())
    address = inventory["hosts"]["cp1"]["address"]
    values = {"NODE_ADDRESS": address, "NETWORK": address.rpartition(".")[0] + ".0/24"}
    added(site, documents.config(page("velero-crownlabs.md"), "crownlabs", values))
    walk("velero-crownlabs.md", "crownlabs", site)


def test_home_cluster_as_its_page_says(own: Lab, tmp_path: Path) -> None:
    own.up("store1", "cp1")
    site = Site(own, copy_of_checkout(tmp_path / "checkout"), cluster=True)
    added(site, documents.config(page("velero-pi-cluster.md"), "pi-cluster", {}))
    walk("velero-pi-cluster.md", "pi-cluster", site)
