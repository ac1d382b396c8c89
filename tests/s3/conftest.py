"""One real server for all tests of the S3 client side."""

from collections.abc import Iterator

import pytest

from tests.support.minio_server import MinioServer, running_minio


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("s3")) as running:
        yield running
