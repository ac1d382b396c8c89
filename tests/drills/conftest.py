"""One healthy site for all drill tests; a test that damages it puts it right again."""

from collections.abc import Iterator

import pytest

from tests.support.minio_server import running_minio
from tests.support.store_site import StoreSite, build_site


@pytest.fixture(scope="session")
def store_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSite]:
    with running_minio(tmp_path_factory.mktemp("store")) as server:
        yield build_site(server)
