"""A real API server with Longhorn's own definitions. What its manager would write, tests write."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kube.longhorn.api import NAMESPACE, object_path
from tests.support.kube_api import KubeApi, running_kube_api

ROOT = Path(__file__).resolve().parents[3]
KINDS = (
    "volumes", "recurringjobs", "backuptargets", "backups", "backupvolumes", "snapshots",
    "settings", "nodes", "systemrestores",
)  # fmt: skip


def official() -> Path:
    """Longhorn's CRDs; skips the test where they are not beside the checkout."""
    named = os.environ.get("BACKSTOP_UPSTREAM")
    file = (Path(named) if named else ROOT.parent / "shared/upstream") / "longhorn-1.12.1/crds.yaml"
    if not file.is_file():
        pytest.skip(f"Longhorn's own CRDs are not in {file}")
    return file


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    definitions = official()
    with running_kube_api(tmp_path_factory.mktemp("longhorn")) as running:
        for one in yaml.safe_load_all(definitions.read_text()):
            if one and one["spec"]["names"]["plural"] in KINDS:
                running.request(
                    "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one
                )
        running.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        deadline = time.monotonic() + 120
        for kind in KINDS:
            while not running.exists(object_path(NAMESPACE, kind)):
                assert time.monotonic() < deadline, f"{kind} are not served"
                time.sleep(0.1)
        yield running
