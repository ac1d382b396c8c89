"""One real API server for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kube_api import KubeApi, running_kube_api


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    folder: Path = tmp_path_factory.mktemp("kube")
    with running_kube_api(folder) as running:
        yield running
