"""A site for each test; it is made once per worker and put back, for making one is costly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.prepared import Prepared, prepare
from tests.engine.site import EngineSite
from tests.support.minio_server import running_minio


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder: Path = tmp_path_factory.mktemp("engine")
    with running_minio(folder / "store") as server:
        yield prepare(folder, server)


@pytest.fixture
def bare(prepared: Prepared) -> Iterator[EngineSite]:
    """A configured site before its first `up`; its store is empty."""
    site = prepared.bare()
    yield site
    site.end()


@pytest.fixture
def deployed(prepared: Prepared) -> Iterator[EngineSite]:
    """A site right after its first `up`."""
    site = prepared.deployed()
    yield site
    site.end()
